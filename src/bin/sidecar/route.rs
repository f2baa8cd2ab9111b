//! The four routes that get tokens.

use crate::settings::AllowOverrides;

/// A route that gets a token, and gives it back or calls an API with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    AuthorizationHeader,
    AuthorizationHeaderUnauthenticated,
    DownstreamApi,
    DownstreamApiUnauthenticated,
}

impl Route {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 4] = [
        Self::AuthorizationHeader,
        Self::AuthorizationHeaderUnauthenticated,
        Self::DownstreamApi,
        Self::DownstreamApiUnauthenticated,
    ];

    /// The first segment of its path.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationHeader => "AuthorizationHeader",
            Self::AuthorizationHeaderUnauthenticated => "AuthorizationHeaderUnauthenticated",
            Self::DownstreamApi => "DownstreamApi",
            Self::DownstreamApiUnauthenticated => "DownstreamApiUnauthenticated",
        }
    }

    /// Whether its callers may name agents, and change what is configured.
    pub(crate) fn allows_overrides(self, allowed: AllowOverrides) -> bool {
        match self {
            Self::AuthorizationHeader => allowed.authorization_header,
            Self::AuthorizationHeaderUnauthenticated => {
                allowed.authorization_header_unauthenticated
            }
            Self::DownstreamApi => allowed.downstream_api,
            Self::DownstreamApiUnauthenticated => allowed.downstream_api_unauthenticated,
        }
    }

    /// The key that says so.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::AuthorizationHeader => "Sidecar:AllowOverrides:GetAuthorizationHeader",
            Self::AuthorizationHeaderUnauthenticated => {
                "Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated"
            }
            Self::DownstreamApi => "Sidecar:AllowOverrides:CallDownstreamApi",
            Self::DownstreamApiUnauthenticated => {
                "Sidecar:AllowOverrides:CallDownstreamApiUnauthenticated"
            }
        }
    }
}
