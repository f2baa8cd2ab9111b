//! What the crate promises, seen from outside: one binary, with a folder for each part of the house.
//!
//! [`checks`] has a table for each of the thirteen checks: what is refused, why, and in which words.
//! [`caller`] has what is said of who is calling, [`wire`] what goes over HTTP, and [`keys`] the keys
//! under time; [`recipes`] runs what the guide shows. Each line of a table has an id, and
//! `checks/index.rs` holds all ids against the list of hostile inputs.

#![allow(clippy::unwrap_used)]

mod support;

mod auto_traits;
mod cache;
mod caller;
mod checks;
mod configuration;
mod entra_config;
mod keys;
mod properties;
mod recipes;
mod wire;
