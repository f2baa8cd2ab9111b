//! What a token is asked for.

use std::{fmt, sync::Arc};

use crate::acquire::error::AcquireError;

/// The scopes of one resource, checked when they are made. Cheap to clone.
///
/// Order and repetition make no difference: `["a/B", "a/C"]` and `["a/C", "a/B", "a/C"]` are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<str>);

impl Scopes {
    /// Scopes by their full names, such as `api://{client id}/Orders.Read`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](super::AcquireErrorKind::Misconfigured) if there is none, if one is empty or has
    /// white space or another character that a scope cannot have
    /// ([RFC 6749, section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)), if they are of
    /// different resources, and for more than 100 scopes or 8 KiB of them.
    pub fn new<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, AcquireError> {
        let mut all: Vec<String> = Vec::new();
        for scope in scopes {
            all.push(scope.as_ref().to_owned());
        }
        all.sort();
        all.dedup();
        Ok(Self(all.join(" ").into()))
    }

    /// `{resource}/.default`: everything that the resource has granted to the one who asks.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn default_of(resource: &str) -> Result<Self, AcquireError> {
        Self::new([format!("{resource}/.default")])
    }

    /// The scopes, sorted, separated by single spaces: the form of the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is exactly one scope, and that is `{resource}/.default`.
    pub(super) fn is_one_default(&self) -> bool {
        !self.0.contains(' ') && self.0.ends_with("/.default")
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scopes").field(&self.as_str()).finish()
    }
}
