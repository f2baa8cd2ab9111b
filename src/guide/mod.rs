//! Guides: what the items of this crate add up to. There is no code here.

pub mod who_may_do_what;
