//! A token, and how long it lives.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;

use crate::{characters::is_bearer_token, moment::Moment, secret::Secret};

/// An access token that was got. Cheap to clone; `Debug` does not show it.
#[derive(Clone)]
pub struct AccessToken {
    granted: Arc<Granted>,
    from_cache: bool,
}

struct Granted {
    secret: Secret,
    authorization: HeaderValue,
    scopes: Box<str>,
    /// When the request for it was sent: its life counts from then.
    asked: Moment,
    lives: Duration,
    refresh_in: Option<Duration>,
}

impl AccessToken {
    /// The value of an `Authorization` header: `Bearer` and the token, marked sensitive.
    #[must_use]
    pub fn authorization(&self) -> HeaderValue {
        self.granted.authorization.clone()
    }

    /// The token itself. It is a credential: it belongs into a request and nowhere else.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.granted.secret.expose()
    }

    /// When the token expires by the wall clock of this machine, counted from when the request for it was
    /// sent.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        let since_1970 = self.granted.asked.wall.saturating_add(self.granted.lives);
        // A clock that is set beyond what a date can be: the token counts as expired.
        UNIX_EPOCH.checked_add(since_1970).unwrap_or(UNIX_EPOCH)
    }

    /// The scopes that were granted, in the order in which the token endpoint named them; those asked for if it
    /// named none.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.granted
            .scopes
            .split(' ')
            .filter(|scope| !scope.is_empty())
    }

    /// Whether it was remembered when it was asked for, so that there was no wait: for logs. A token of an
    /// acquisition that another caller began, and that was waited for, is not.
    #[must_use]
    pub fn is_from_cache(&self) -> bool {
        self.from_cache
    }
}

/// For the cache.
impl AccessToken {
    /// `secret` has only the characters of [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1);
    /// with any other there is no token. `lives` is at most ten years.
    pub(super) fn new(
        secret: Secret,
        scopes: &str,
        asked: Moment,
        lives: Duration,
        refresh_in: Option<Duration>,
    ) -> Option<Self> {
        if !is_bearer_token(secret.expose()) {
            return None;
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", secret.expose())).ok()?;
        authorization.set_sensitive(true);
        let granted = Arc::new(Granted {
            secret,
            authorization,
            scopes: scopes.into(),
            asked,
            lives,
            refresh_in,
        });
        Some(Self {
            granted,
            from_cache: false,
        })
    }

    /// The same token, as one that was remembered.
    pub(super) fn remembered(self) -> Self {
        Self {
            from_cache: true,
            ..self
        }
    }

    /// When the request for it was sent.
    pub(super) fn asked(&self) -> Moment {
        self.granted.asked
    }

    /// `expires_in`.
    pub(super) fn lives(&self) -> Duration {
        self.granted.lives
    }

    /// `refresh_in`, if the endpoint named one.
    pub(super) fn refresh_in(&self) -> Option<Duration> {
        self.granted.refresh_in
    }

    /// Whether its life is over.
    pub(super) fn is_expired(&self, now: Moment) -> bool {
        now.since(self.granted.asked) >= self.granted.lives
    }

    /// Whether both are one token of one answer.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.granted, &other.granted)
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("expires_at", &self.expires_at())
            .field("scopes", &self.granted.scopes)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Duration = Duration::from_secs(3_599);

    fn token(text: &str, asked: Moment) -> Option<AccessToken> {
        AccessToken::new(Secret::new(text), "a/B a/C", asked, LIVES, None)
    }

    #[test]
    fn a_token_is_a_header_that_is_marked_sensitive_and_is_not_shown() {
        let token = token("abc.def", Moment::now()).expect("a token");
        let header = token.authorization();
        assert_eq!(header, "Bearer abc.def");
        assert!(header.is_sensitive());
        assert_eq!(token.scopes().collect::<Vec<_>>(), ["a/B", "a/C"]);
        let shown = format!("{token:?} {header:?}");
        assert!(!shown.contains("abc"), "{shown}");
    }

    #[test]
    fn what_is_no_bearer_token_makes_none() {
        for text in ["", "a b", "a\r\nx: y", "\u{e9}", "a\u{0}", "a=b"] {
            assert!(token(text, Moment::now()).is_none(), "{text:?}");
        }
    }

    #[test]
    fn it_expires_by_the_wall_clock_and_a_clock_beyond_dates_is_no_panic() {
        let mut asked = Moment::now();
        asked.wall = Duration::from_secs(1_000);
        let expires_at = token("a", asked).expect("a token").expires_at();
        assert_eq!(expires_at, UNIX_EPOCH + Duration::from_secs(4_599));
        asked.wall = Duration::MAX;
        let expires_at = token("a", asked).expect("a token").expires_at();
        assert_eq!(expires_at, UNIX_EPOCH);
    }
}
