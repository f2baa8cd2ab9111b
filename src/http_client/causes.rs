//! Why there was no answer, for a log.

use std::{error::Error as StdError, io, iter::successors};

/// Why there was no answer, as far as the error and its causes say it.
///
/// The types of these causes are private to HTTP clients, so most are known by their words. A word that
/// is not recognised costs a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The name of the authority, or of a proxy, has no address.
    NameNotResolved,
    /// Nothing listens at the address of the authority, or of a proxy.
    Refused,
    /// A proxy answered 407.
    ProxyCredentials,
    /// A proxy opened no tunnel.
    Proxy,
    /// A certificate is not trusted: the authority's, or that of a proxy.
    Certificate,
    TimedOut,
    Other,
}

impl NoAnswer {
    pub(crate) fn of(error: &(dyn StdError + 'static)) -> Self {
        let has_kind = |kind| {
            chain(error)
                .filter_map(|error| error.downcast_ref::<io::Error>())
                .any(|error| error.kind() == kind)
        };
        let text = chain(error)
            .map(|error| error.to_string().to_lowercase())
            .collect::<Vec<_>>()
            .join(": ");
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        // What comes later can be the cause of what comes earlier, so the more exact is asked for first.
        if says(&[
            "proxy authorization required",
            "proxy authentication required",
        ]) {
            Self::ProxyCredentials
        } else if says(&["certificate"]) {
            Self::Certificate
        } else if has_kind(io::ErrorKind::ConnectionRefused) || says(&["connection refused"]) {
            Self::Refused
        } else if says(&["dns error", "failed to lookup address"]) {
            Self::NameNotResolved
        } else if has_kind(io::ErrorKind::TimedOut)
            || says(&["timed out", "timeout", "deadline has elapsed"])
        {
            Self::TimedOut
        } else if says(&["tunnel error"]) {
            Self::Proxy
        } else {
            Self::Other
        }
    }
}

/// The error and its causes, joined by colons; at most 500 characters. User and password of a URL, such
/// as that of a proxy, are taken out.
pub(crate) fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let text = without_users(&texts.join(": "));
    text.chars().take(500).collect()
}

/// The error, and up to eight causes of it.
fn chain<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        (*error).source()
    })
    .take(9)
}

/// Takes out what precedes an `@` in a URL. A password that is not encoded may contain an `@`, a slash or
/// a parenthesis, so everything up to the last `@` of the word goes.
fn without_users(text: &str) -> String {
    let ends_a_word = |c: char| c.is_whitespace() || "\"<>".contains(c);
    let words = text.split_inclusive(ends_a_word).map(|word| {
        let (scheme, rest) = word.split_at(word.find("://").map_or(word.len(), |at| at + 3));
        let user = rest.rfind('@').map_or(0, |at| at + 1);
        [scheme, rest.get(user..).unwrap_or_default()].concat()
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] Box<dyn StdError + Send + Sync>);

    fn because(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Outer {
        Outer("client error (Connect)", cause.into())
    }

    #[test]
    fn an_error_is_shown_with_its_causes_in_at_most_500_characters() {
        let error = |text: String| because(io::Error::other(text));
        assert_eq!(
            with_causes(&error("refused".to_owned())),
            "client error (Connect): refused"
        );
        let long = with_causes(&error("é".repeat(1_000)));
        assert_eq!(long.chars().count(), 500);
    }

    #[test]
    fn user_and_password_of_a_url_are_taken_out() {
        for (text, shown) in [
            (
                "http://user:secret@proxy:3128 failed",
                "http://proxy:3128 failed",
            ),
            ("(http://user:secret@proxy:3128/)", "(http://proxy:3128/)"),
            ("\"https://secret@proxy\"", "\"https://proxy\""),
            ("http://user:se@cret@proxy", "http://proxy"),
            ("http://user:sec/ret@proxy", "http://proxy"),
            ("http://user:(secret)'@proxy", "http://proxy"),
            ("http://user:secret://secret@proxy", "http://proxy"),
            ("HTTP://user:secret@[::1]:1, x@y", "HTTP://[::1]:1, x@y"),
            ("http://user:secret@", "http://"),
            ("https://proxy/a b@c", "https://proxy/a b@c"),
            ("no url, secret-less@mail", "no url, secret-less@mail"),
        ] {
            assert_eq!(
                with_causes(&because(text)),
                format!("client error (Connect): {shown}")
            );
        }
    }

    #[test]
    fn a_cause_is_known_by_its_kind_or_its_words() {
        let io = |kind| Box::new(io::Error::from(kind));
        let tunnel = |cause| {
            Outer(
                "tunnel error: failed to create underlying connection",
                cause,
            )
        };
        for (error, expected) in [
            (
                because("dns error: no such host"),
                NoAnswer::NameNotResolved,
            ),
            (
                because(io(io::ErrorKind::ConnectionRefused)),
                NoAnswer::Refused,
            ),
            (
                because(tunnel(io(io::ErrorKind::ConnectionRefused))),
                NoAnswer::Refused,
            ),
            (
                because(tunnel("dns error".into())),
                NoAnswer::NameNotResolved,
            ),
            (
                because("tunnel error: proxy authorization required"),
                NoAnswer::ProxyCredentials,
            ),
            (because("tunnel error: unsuccessful"), NoAnswer::Proxy),
            (
                because("invalid peer certificate: UnknownIssuer"),
                NoAnswer::Certificate,
            ),
            (because(io(io::ErrorKind::TimedOut)), NoAnswer::TimedOut),
            (because("operation timed out"), NoAnswer::TimedOut),
            (because(io(io::ErrorKind::ConnectionReset)), NoAnswer::Other),
            (because("injected"), NoAnswer::Other),
        ] {
            assert_eq!(NoAnswer::of(&error), expected, "{}", with_causes(&error));
        }
    }
}
