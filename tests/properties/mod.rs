//! What holds of tokens that a machine makes up.

mod callers;
mod edits;
mod mutation;
