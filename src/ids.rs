//! The three GUIDs of an Entra identity, as types that cannot be mixed up.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Parses from the hyphenated form in either letter case and holds the lower-case form;
        /// braces, a missing hyphen and white space are refused.
        #[derive(Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(Guid);

        impl $name {
            /// The GUID in lower case with hyphens: 36 characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl FromStr for $name {
            type Err = InvalidGuid;

            fn from_str(text: &str) -> Result<Self, InvalidGuid> {
                Guid::parse(text).map(Self).ok_or(InvalidGuid(()))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

guid! {
    /// The directory (tenant) in which a token is valid: `tid`.
    TenantId
}

impl TenantId {
    /// Whether this is the same text, letter case included. Costs less than to compare with
    /// [`as_str`](Self::as_str), which validates UTF-8 first.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.0 == text.as_bytes()
    }
}

guid! {
    /// The directory object that a token names: `oid`. It is unique only together with its
    /// [`TenantId`].
    ObjectId
}

guid! {
    /// An application's client id: `azp`, `appid`, or the blueprint of an agent.
    AppId
}

/// A text that is not a GUID of the form `00000000-0000-0000-0000-000000000000`.
///
/// The text itself is not repeated: it may be from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID")]
pub struct InvalidGuid(());

/// The hyphenated lower-case form itself, so that comparing and showing one costs nothing.
#[derive(Clone, Copy, Hash, PartialEq, Eq, PartialOrd, Ord)]
struct Guid([u8; 36]);

impl Guid {
    /// Checks every character without an early exit, so that sixteen are checked at a time.
    fn parse(text: &str) -> Option<Self> {
        let mut bytes: [u8; 36] = text.as_bytes().try_into().ok()?;
        let fits = bytes.iter().zip(FORM).fold(true, |fits, (byte, form)| {
            let is_hyphen = *byte == b'-';
            fits & (is_hyphen == (*form == b'-')) & (is_hyphen | byte.is_ascii_hexdigit())
        });
        bytes.make_ascii_lowercase();
        fits.then_some(Self(bytes))
    }

    fn as_str(&self) -> &str {
        // `parse`, the only constructor, admits only ASCII.
        std::str::from_utf8(&self.0).expect("a GUID is ASCII")
    }
}

const FORM: &[u8; 36] = b"00000000-0000-0000-0000-000000000000";

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";

    #[test]
    fn a_guid_reads_in_either_letter_case_and_shows_in_lower_case() {
        let tenant: TenantId = GUID.to_uppercase().parse().expect("a GUID");
        assert_eq!(tenant.as_str(), GUID);
        assert_eq!(tenant.to_string(), GUID);
        assert_eq!(format!("{tenant:?}"), format!("TenantId({GUID:?})"));
    }

    #[test]
    fn what_is_not_a_hyphenated_guid_is_refused() {
        for text in [
            "",
            " ",
            "common",
            "contoso.onmicrosoft.com",
            "{7090e106-1ad3-4313-9b7a-75cc3e576d40}",
            "7090e1061ad343139b7a75cc3e576d40",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4",
            "7090e106-1ad3-4313-9b7a-75cc3e576d40 ",
            "7090e106-1ad3-4313-9b7a-75cc3e576d4g",
            "7090e106-1ad3-4313-9b7a+75cc3e576d40",
            "7090e10-61ad3-4313-9b7a-75cc3e576d40",
            "7090e106-1ad3-4313-9b7a-75cc3e576dé",
        ] {
            assert!(text.parse::<TenantId>().is_err(), "{text:?}");
        }
    }
}
