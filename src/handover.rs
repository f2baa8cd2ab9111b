//! Where the way out meets the door: a failed acquisition as the answer to a caller.

#[cfg(feature = "axum")]
use axum_core::response::{IntoResponse, Response};
#[cfg(feature = "axum")]
use http::StatusCode;

#[cfg(feature = "axum")]
use crate::acquire::CallError;
use crate::{
    acquire::{AcquireError, AcquireErrorKind},
    admit::{Demand, Denial},
};

impl AcquireError {
    /// The answer to the caller whose request needed the token. Nothing of the error's own texts is in it.
    ///
    /// | kind | answer |
    /// |---|---|
    /// | [`InteractionRequired`](AcquireErrorKind::InteractionRequired), on behalf of a caller whose client can answer a claims challenge (`xms_cc` has `cp1`) | 401 with `error="insufficient_claims"` and the claims |
    /// | `InteractionRequired` otherwise, [`ConsentRequired`](AcquireErrorKind::ConsentRequired), [`NotAllowed`](AcquireErrorKind::NotAllowed) | 403 with `error="insufficient_scope"` |
    /// | [`AssertionRefused`](AcquireErrorKind::AssertionRefused) | 401 with `error="invalid_token"` |
    /// | [`CredentialRefused`](AcquireErrorKind::CredentialRefused), [`Misconfigured`](AcquireErrorKind::Misconfigured), [`IdentityMismatch`](AcquireErrorKind::IdentityMismatch) | 500 |
    /// | [`Throttled`](AcquireErrorKind::Throttled), [`Busy`](AcquireErrorKind::Busy), [`Unavailable`](AcquireErrorKind::Unavailable) | 503 with `Retry-After` |
    ///
    /// The claims go only to the caller on whose behalf the token was asked for: answer its own request
    /// with them. An [`EntraAuthLayer`](crate::EntraAuthLayer) outside completes the challenge, builds the
    /// body if it has a [`refusal_body`](crate::EntraAuthLayer::refusal_body), and writes the denial with
    /// the error's text, hint and correlation id into its
    /// [audit log](crate::EntraAuthLayer#the-audit-log).
    ///
    /// ```
    /// # use http::Response;
    /// # use tower_entra::acquire::AcquireError;
    /// fn answer(error: &AcquireError) -> Response<String> {
    ///     error.denial().response()
    /// }
    /// ```
    #[must_use]
    pub fn denial(&self) -> Denial {
        let mut text = self.to_string();
        if let Some(id) = self.correlation_id() {
            text.push_str(&format!(" (correlation id {id})"));
        }
        Denial::without_token(self.demand(), text, self.hint())
    }

    fn demand(&self) -> Demand {
        match self.kind() {
            AcquireErrorKind::InteractionRequired => match self.answerable_claims() {
                Some((tenant, claims)) => Demand::claims(tenant, claims),
                None => Demand::PERMISSION,
            },
            AcquireErrorKind::ConsentRequired | AcquireErrorKind::NotAllowed => Demand::PERMISSION,
            AcquireErrorKind::AssertionRefused => Demand::NewToken,
            AcquireErrorKind::CredentialRefused
            | AcquireErrorKind::Misconfigured
            | AcquireErrorKind::IdentityMismatch => Demand::Server,
            AcquireErrorKind::Throttled
            | AcquireErrorKind::Busy
            | AcquireErrorKind::Unavailable => {
                Demand::Later(self.retry_after().unwrap_or_default())
            }
        }
    }
}

impl From<&AcquireError> for Denial {
    fn from(error: &AcquireError) -> Self {
        error.denial()
    }
}

/// `?` makes a denial of the error, for handlers that return [`Denial`] or, with feature `axum`,
/// `Problem`.
impl From<AcquireError> for Denial {
    fn from(error: AcquireError) -> Self {
        error.denial()
    }
}

/// The answer of [`AcquireError::denial`], with an empty body, and with the error in its extensions.
///
/// ```
/// use tower_entra::acquire::{AccessToken, AcquireError, Scopes};
///
/// # async fn token_for(_: &Scopes) -> Result<AccessToken, AcquireError> { unreachable!() }
/// async fn orders() -> Result<String, AcquireError> {
///     let scopes = Scopes::new(["api://3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a/Orders.Read"])?;
///     let token = token_for(&scopes).await?;
///     // … a call to the other API with token.authorization() …
/// #   drop(token);
///     Ok("orders".to_owned())
/// }
///
/// let app = axum::Router::<()>::new().route("/orders", axum::routing::get(orders));
/// ```
#[cfg(feature = "axum")]
impl IntoResponse for AcquireError {
    fn into_response(self) -> Response {
        let mut response = self.denial().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(feature = "axum")]
impl From<AcquireError> for crate::Problem {
    fn from(error: AcquireError) -> Self {
        error.denial().into()
    }
}

/// The answer to the caller whose request needed the call, with nothing of the error's own texts: log it
/// before.
///
/// | error | answer |
/// |---|---|
/// | [`NoToken`](CallError::NoToken) | that of [`AcquireError::denial`] |
/// | [`NobodyToActAs`](CallError::NobodyToActAs), [`OtherOrigin`](CallError::OtherOrigin) | 500, in the [audit log](crate::EntraAuthLayer#the-audit-log) with its text |
/// | [`Inner`](CallError::Inner) | 502 with an empty body |
#[cfg(feature = "axum")]
impl<E> IntoResponse for CallError<E> {
    fn into_response(self) -> Response {
        match self {
            Self::NoToken(error) => error.into_response(),
            Self::NobodyToActAs | Self::OtherOrigin => {
                Denial::without_token(Demand::Server, self.to_string(), None).into_response()
            }
            Self::Inner(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
}

#[cfg(all(test, feature = "axum", feature = "testing"))]
#[path = "handover_tests.rs"]
mod tests;
