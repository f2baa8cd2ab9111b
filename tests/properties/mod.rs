//! Properties of generated tokens.

mod callers;
mod edits;
mod mutation;
