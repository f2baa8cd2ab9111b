//! Claims with a few values each, as types.

/// Gives a type with an `as_str` the same text as its `Display` and its serialised form.
macro_rules! shown_as_its_code {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use shown_as_its_code;

/// The version of a token: the API's registration decides it, not the endpoint the client called.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TokenVersion {
    /// `1.0`: what an API gets whose `requestedAccessTokenVersion` is `null` or 1.
    V1,
    /// `2.0`.
    V2,
}

impl TokenVersion {
    /// The value of `ver`, as in `2.0`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
        }
    }

    /// The claim by which tokens of this version name their client.
    pub(crate) fn client_claim(self) -> &'static str {
        match self {
            Self::V1 => "appid",
            Self::V2 => "azp",
        }
    }
}

shown_as_its_code!(TokenVersion);

/// What Entra calls the caller: `idtyp`.
///
/// See [optional claims](https://learn.microsoft.com/en-us/entra/identity-platform/optional-claims-reference).
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityType {
    /// `app`: the token is app-only.
    App,
    /// `user`.
    User,
    /// Any other value, as it was sent.
    Other(String),
}

impl IdentityType {
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "app" => Self::App,
            "user" => Self::User,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The value of `idtyp`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::App => "app",
            Self::User => "user",
            Self::Other(other) => other,
        }
    }
}

shown_as_its_code!(IdentityType);

/// How a client proved who it is: `azpacr` or `appidacr`.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// `0`: not at all; a public client.
    Public,
    /// `1`: with a client id and a secret.
    Secret,
    /// `2`: with a certificate or an assertion. Agent identities have no other way.
    Assertion,
}

impl ClientAuthentication {
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text {
            "0" => Some(Self::Public),
            "1" => Some(Self::Secret),
            "2" => Some(Self::Assertion),
            _ => None,
        }
    }

    /// The value of the claim, as in `2`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "0",
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

shown_as_its_code!(ClientAuthentication);

/// The claims do not fit the type that was asked for.
///
/// Nothing of the claims themselves is repeated: they may be personal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claims do not fit the requested type, at column {column}")]
pub struct ClaimsError {
    pub(crate) column: usize,
}
