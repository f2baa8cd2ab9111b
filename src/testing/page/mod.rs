//! The page for a browser on this machine, and what it asks for.

mod answer;

mod document;

mod explain;

mod guard;

mod meanings;

mod plans;

pub(super) use self::answer::{answer, serves};
