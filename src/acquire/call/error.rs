//! Why a call was not made, or failed.

use std::{error::Error as StdError, fmt};

use crate::acquire::AcquireError;

/// Why there is no response to a call. With the first three nothing was sent, or, where a token for the
/// claims of a challenge could not be acquired, nothing more.
///
/// ```
/// use tower_entra::acquire::CallError;
///
/// fn describe<E>(error: &CallError<E>) -> &'static str {
///     match error {
///         CallError::NoToken(why) => why.kind().as_str(),
///         CallError::NobodyToActAs | CallError::OtherOrigin => "a mistake in this program",
///         _ => "the API could not be reached",
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CallError<E> {
    /// Neither the request nor the layer says who acts: there is no `TokenSource` in the request's
    /// extensions, no [`acting_as`](super::EntraCallLayer::acting_as), and with
    /// [`on_behalf_of_caller`](super::EntraCallLayer::on_behalf_of_caller) no `UserAssertion` in the
    /// extensions.
    NobodyToActAs,
    /// The request names another scheme, host or port than the API of the layer, a user, or no origin.
    OtherOrigin,
    /// There is no token for the call.
    NoToken(AcquireError),
    /// The service inside failed.
    Inner(E),
}

impl<E> CallError<E> {
    /// The error as a boxed one, which tower's own layers ask for. An error of the service inside is boxed
    /// by itself: with `E` a boxed error, `CallError` is no [`Error`](StdError).
    ///
    /// ```
    /// # use tower_entra::acquire::CallError;
    /// let inner: Box<dyn std::error::Error + Send + Sync> = "no connection".into();
    /// assert_eq!(CallError::Inner(inner).into_boxed().to_string(), "no connection");
    /// ```
    #[must_use]
    pub fn into_boxed(self) -> Box<dyn StdError + Send + Sync>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        match self {
            Self::Inner(error) => error.into(),
            Self::NobodyToActAs => CallError::<std::convert::Infallible>::NobodyToActAs.into(),
            Self::OtherOrigin => CallError::<std::convert::Infallible>::OtherOrigin.into(),
            Self::NoToken(error) => CallError::<std::convert::Infallible>::NoToken(error).into(),
        }
    }
}

impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NobodyToActAs => {
                "nothing says who acts in the call: set acting_as or on_behalf_of_caller on the layer, or \
                 put a TokenSource into the extensions of the request"
            }
            Self::OtherOrigin => {
                "the request is for another origin than the API of the layer: send it with an absolute URL \
                 of that API, without a user"
            }
            Self::NoToken(_) => "there is no token for the call",
            Self::Inner(_) => "the call failed",
        })
    }
}

impl<E: StdError + 'static> StdError for CallError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NobodyToActAs | Self::OtherOrigin => None,
            Self::NoToken(error) => Some(error),
            Self::Inner(error) => Some(error),
        }
    }
}
