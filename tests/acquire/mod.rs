//! The way out: tokens for calls that this process makes.

mod user_assertion;
