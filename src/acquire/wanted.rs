//! What a caller of the cache asks for, and how the token came.

use std::sync::Arc;

use crate::acquire::token::AccessToken;

/// Which token will do.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The remembered one, while it is handed out.
    Any,
    /// One that a flight got which began after this was asked. A remembered failure is the answer to
    /// this too: a caller that asks without a pause does not pass a throttle.
    Fresh,
    /// One that was got for these claims, and not `refused`. Without `refused`, one that was got for
    /// them less than 5 s ago.
    For {
        claims: Arc<str>,
        refused: Option<AccessToken>,
    },
}

impl Wanted {
    pub(super) fn claims(&self) -> Option<&Arc<str>> {
        match self {
            Self::Any | Self::Fresh => None,
            Self::For { claims, .. } => Some(claims),
        }
    }
}

/// Whether a flight takes one of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is a flight of its own.
    Own,
    /// It is a leg of a flight that has one.
    OfItsFlight,
}

/// How a token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It was remembered.
    Cache,
    /// From a flight that this caller started.
    Started,
    /// From a flight that another caller started.
    Joined,
}
