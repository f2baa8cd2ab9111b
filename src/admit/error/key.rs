//! Why there is no key for a token: check 4.

use std::{fmt, sync::Arc, time::Duration};

use super::{DatesFault, ProvenanceFault, WrongAudience, WrongProvenance, date::Date, hints};
use crate::shown::Shown;

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingKey {
    /// The authority has no such key.
    Unknown,
    /// In the cool-down no fetch is made for it.
    NotLookedUp {
        retry_after: Duration,
    },
    Unavailable {
        retry_after: Duration,
    },
    /// The request went away while it waited.
    GoneAway,
}

/// The facts about the keys that explain why one is missing.
#[derive(Debug)]
pub(crate) struct KeyReport {
    /// The URL of the discovery document.
    pub(crate) url: Arc<str>,
    /// The number of keys of the last good fetch, and the time since then.
    pub(crate) keys: Option<(usize, Duration)>,
    /// Whether these keys are still usable.
    pub(crate) is_usable: bool,
    /// Why the last fetch failed, if it did.
    pub(crate) problem: Option<Arc<str>>,
}

/// A token whose `kid` names no key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    pub(crate) kid: Shown,
    /// How many keys there are.
    pub(crate) keys: usize,
    /// How many seconds ago they were fetched.
    pub(crate) age: u64,
    pub(crate) url: Arc<str>,
    pub(crate) claims: Unverified,
}

/// What checks 7, 9 and 10 say of claims that no key has vouched for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unverified {
    /// A flood of invented keys is refused without reading claims.
    NotRead,
    Pass,
    Provenance(Arc<WrongProvenance>),
    Audience(Arc<WrongAudience>),
    Dates(DatesFault),
}

/// A request for which there is no key set, or none that could have the key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoKeys {
    pub(crate) retry_after: Duration,
    /// The `kid` that is not known, if the keys may be used at all, or that was waited for.
    pub(crate) kid: Option<Shown>,
    pub(crate) search: Search,
    /// How many keys there are, and how many seconds ago they were fetched.
    pub(crate) keys: Option<(usize, u64)>,
    /// Why the last fetch failed.
    pub(crate) problem: Option<Arc<str>>,
    pub(crate) url: Arc<str>,
}

/// How far the search for a key went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// In the cool-down no fetch was made for it.
    NotBegun,
    /// No answer came in time, or no place was left to wait for it.
    WithoutAnswer,
    /// The request went away before there was an answer.
    GivenUp,
}

impl UnknownKey {
    /// Where the claims are refused as well, never advises to believe them.
    pub(super) fn hint(&self) -> &'static str {
        match &self.claims {
            Unverified::NotRead => hints::UNKNOWN_KEY,
            Unverified::Pass => hints::OWN_KEYS,
            Unverified::Provenance(wrong) if wrong.is_exchange_token => hints::EXCHANGE_CLAIMED,
            Unverified::Provenance(wrong) => match &wrong.fault {
                ProvenanceFault::Issuer(wrong) => wrong.advice.hint_if_unverified(),
                ProvenanceFault::Tenant(_) => hints::CLAIMED_TENANT,
                fault if fault.is_of_b2c() => hints::CLAIMED_B2C,
                _ => hints::CLAIMED_FORM,
            },
            Unverified::Audience(wrong) if wrong.hint == hints::EXCHANGE => hints::EXCHANGE_CLAIMED,
            Unverified::Audience(_) => hints::CLAIMED_AUDIENCE,
            Unverified::Dates(_) => hints::CLAIMED_DATES,
        }
    }
}

impl NoKeys {
    pub(super) fn hint(&self) -> &'static str {
        match (&self.kid, &self.problem, self.search) {
            (_, _, Search::GivenUp) => hints::GONE_AWAY,
            (None, _, _) => hints::NO_KEYS_YET,
            (Some(_), Some(_), _) => hints::KEYS_FAILING,
            (Some(_), None, Search::NotBegun) => hints::NOT_LOOKED_UP,
            (Some(_), None, Search::WithoutAnswer) => hints::KEYS_BUSY,
        }
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kid,
            keys,
            age,
            url,
            claims,
        } = self;
        write!(
            f,
            "kid {kid} names none of the published keys ({keys}, fetched {age} s ago from {url})"
        )?;
        match claims {
            Unverified::NotRead | Unverified::Pass => Ok(()),
            refused => write!(f, "; unverified, the token {refused}"),
        }
    }
}

/// Shows the refused claim as one that no key vouches for.
impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead | Self::Pass => Ok(()),
            Self::Provenance(wrong) => match (&wrong.fault, wrong.fault.issuer()) {
                (ProvenanceFault::Tenant(foreign), _) => {
                    write!(f, "claims to be of the tenant \"{}\"", foreign.tenant)
                }
                (_, Some(issuer)) => write!(f, "claims to be from {issuer}"),
                (_, None) => f.write_str("claims no issuer that Entra has"),
            },
            Self::Audience(wrong) if wrong.audience.is_empty() => f.write_str("claims no audience"),
            Self::Audience(wrong) => write!(f, "claims to be for {}", wrong.audience),
            Self::Dates(DatesFault::Expired(distance)) => {
                write!(f, "claims to have expired at {}", Date(distance.date))
            }
            Self::Dates(_) => f.write_str("claims dates that do not hold now"),
        }
    }
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.kid, &self.keys) {
            // The keys may have arrived at the same time.
            (Some(kid), _) if self.search == Search::GivenUp => {
                write!(
                    f,
                    "the request went away while it waited for the key of kid {kid}"
                )?;
            }
            (Some(kid), Some((keys, age))) => {
                write!(
                    f,
                    "kid {kid} names none of the known keys ({keys}, fetched {age} s ago)"
                )?;
            }
            (None, Some((_, age))) => {
                write!(f, "the last good ones, fetched {age} s ago, are too old")?;
            }
            (_, None) => f.write_str("none were ever fetched")?,
        }
        if self.kid.is_some() && self.search == Search::NotBegun {
            let seconds = self.retry_after.as_secs_f64().ceil();
            write!(
                f,
                " and is not looked up yet: the cool-down after the last fetch for an unknown key \
                 goes on for {seconds} s"
            )?;
        }
        match &self.problem {
            Some(problem) => write!(f, "; the last fetch from {} failed: {problem}", self.url),
            None => write!(f, "; they come from {}", self.url),
        }
    }
}
