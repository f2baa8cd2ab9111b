//! How a text can differ from a compact JWS: check 2.

use std::fmt;

use super::{ErrorKind, hints};

/// Why a text is not three segments of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ShapeFault {
    #[error("it is {bytes} bytes long; the limit is {limit}")]
    TooLarge { bytes: usize, limit: usize },
    #[error("it is empty")]
    Nothing,
    /// A word that clients send when they have no token.
    #[error("it is the word {0}")]
    Word(&'static str),
    #[error("dots in it: {0}, where a token has two")]
    Dots(usize),
    #[error("its {0} is empty")]
    Empty(Part),
    #[error("its {0} is not base64url, or not spelt as it must be (no padding)")]
    Encoding(Part),
}

/// A segment of a token, by what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Header,
    Claims,
    Signature,
}

impl ShapeFault {
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::TooLarge { .. } => ErrorKind::TokenTooLarge,
            Self::Nothing | Self::Word(_) | Self::Dots(_) | Self::Empty(_) | Self::Encoding(_) => {
                ErrorKind::MalformedToken
            }
        }
    }

    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::Nothing | Self::Word(_) => hints::UNSET_VARIABLE,
            Self::TooLarge { .. } | Self::Dots(_) | Self::Empty(_) | Self::Encoding(_) => {
                hints::of_kind(self.kind())
            }
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "first part (header)",
            Self::Claims => "second part (claims)",
            Self::Signature => "third part (signature)",
        })
    }
}
