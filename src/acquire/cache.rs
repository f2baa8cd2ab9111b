//! Tokens by identity and scope, and one flight for each.

use crate::acquire::{
    error::AcquireError, key::Key, settings::AcquireSettings, token::AccessToken,
};

use std::sync::Arc;

/// Which token will do.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The remembered one, while it lives.
    Any,
    /// One that a flight got which began after this was asked.
    Fresh,
    /// One that was got for these claims, and not `refused`.
    For {
        claims: Arc<str>,
        refused: Option<AccessToken>,
    },
}

/// Whether a flight takes one of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is a flight of its own.
    Own,
    /// It is a leg of a flight that has one.
    OfItsFlight,
}

/// The tokens of one client. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct TokenCache(Arc<AcquireSettings>);

impl TokenCache {
    pub(super) fn new(settings: AcquireSettings) -> Self {
        Self(Arc::new(settings))
    }

    /// The token of this key: the remembered one, or that of the flight under way, or of one that begins
    /// now and runs `fetch` on a task of its own.
    pub(super) async fn get<F>(
        &self,
        _key: &Key,
        _wanted: Wanted,
        _place: Place,
        _fetch: impl FnOnce() -> F,
    ) -> Result<AccessToken, AcquireError>
    where
        F: Future<Output = Result<AccessToken, AcquireError>> + Send + 'static,
    {
        todo!()
    }

    /// Forgets this token of this key, unless another has taken its place.
    pub(super) fn forget(&self, _key: &Key, _token: &AccessToken) {}
}
