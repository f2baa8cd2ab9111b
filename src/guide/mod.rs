//! Guides to using the items of this crate together. There is no code here.

pub mod entra_setup;

pub mod cookbook;

pub mod who_may_do_what;

pub mod in_front_of_routes;

pub mod streams_and_grpc;

pub mod deployment;

pub mod observability;

#[cfg(feature = "acquire")]
pub mod calling_as_an_agent;

pub mod from_microsoft_identity_web;

pub mod beside_the_sidecar;

pub mod from_microsofts_sidecar;
