//! Which refusals have a cause, and which do not.
//!
//! A refusal is right if one of these was on for the agent, the user or the blueprint of the request, between
//! the grace before the request and its answer. If it has a number, Entra must have answered with that number to
//! a token request for this agent as well:
//!
//! | cause | kind of error, or its lack | AADSTS | API of an agent | sidecar |
//! |---|---|---|---|---|
//! | a token request on the way to this token failed | `throttled`, `unavailable` | 90033 or none | 503 with `Retry-After` | the same |
//! | the agent's consent is withdrawn | `consent_required` | 65001 | 403 | 401 |
//! | the user is disabled | `not_allowed` | 50057 | 403 | 401 |
//! | a policy asks the user for a second factor | `interaction_required` | 50076 | 401 to a client that can answer a challenge, 403 to another | 401 |
//! | the T1s of that time are revoked | `credential_refused` | 700024 | 500 | 401 |
//! | the T2s of that time are revoked | `credential_refused` | 500133 | 500 | 401 |
//! | the blueprint's secret is not registered yet | `credential_refused` | 7000215 | 500 | |
//! | Entra answers with another identity's token | `identity_mismatch` | | 500 | 500 |

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tower_entra::testing::Leg;

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(crate) enum Cause {
    TokenRequest,
    /// Entra has refused a token request with this number.
    Refused(u32),
    Consent,
    Disabled,
    StepUp,
    T1Revoked,
    T2Revoked,
    SecretUnknown,
    OtherIdentity,
    /// A token request is not answered. It failed, too.
    Hang,
}

/// When each cause was on, by whom or what it concerns.
#[derive(Default)]
pub(crate) struct Causes(Mutex<HashMap<(Cause, String), VecDeque<Window>>>);

#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    /// `None` while it is on.
    until: Option<Instant>,
}

/// What was asked for, as far as a refusal can depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The agent, or the app.
    pub(crate) client: String,
    pub(crate) blueprint: String,
    pub(crate) leg: Leg,
    /// On whose behalf, or by which account.
    pub(crate) user: Option<String>,
    /// What can name the user account: its object id and its sign-in name.
    pub(crate) account: Option<[String; 2]>,
    /// Whether the caller has used a second factor.
    pub(crate) multifactor: bool,
    pub(crate) answers_challenges: bool,
    pub(crate) of_sidecar: bool,
    pub(crate) at: Instant,
}

/// A refusal, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The kind of the library's error. The sidecar names none.
    pub(crate) kind: Option<String>,
    /// Entra's number.
    pub(crate) code: Option<u32>,
    pub(crate) has_retry_after: bool,
    /// Otherwise, where it comes from.
    pub(crate) other: Option<String>,
}

impl Causes {
    /// A cause is on from now on.
    pub(crate) fn begin(&self, cause: Cause, concerns: &str) {
        let now = Instant::now();
        self.note(cause, concerns, now, None);
    }

    /// The cause that is on ends now.
    pub(crate) fn end(&self, cause: Cause, concerns: &str) {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = all.entry((cause, concerns.to_owned())).or_default();
        if let Some(last) = windows.back_mut() {
            last.until = Some(now);
        }
    }

    pub(crate) fn note(
        &self,
        cause: Cause,
        concerns: &str,
        from: Instant,
        until: impl Into<Option<Instant>>,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = all.entry((cause, concerns.to_owned())).or_default();
        if windows.len() == WINDOWS {
            windows.pop_front();
        }
        let until = until.into();
        windows.push_back(Window { from, until });
    }

    pub(crate) fn was_on(
        &self,
        cause: Cause,
        concerns: &str,
        asked: Instant,
        answered: Instant,
    ) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let windows = all.get(&(cause, concerns.to_owned()));
        windows.into_iter().flatten().any(|window| {
            let ended = window
                .until
                .is_some_and(|until| until + cause.grace() < asked);
            window.from <= answered && !ended
        })
    }

    /// The cause of a refusal. `None` if there was none.
    pub(crate) fn of(&self, refusal: &Refusal, asked: &Asked, answered: Instant) -> Option<Cause> {
        let was_on = |cause, concerns: &str| self.was_on(cause, concerns, asked.at, answered);
        let cause = cause_of(refusal, asked)?;
        let is_so = match cause {
            Cause::TokenRequest => asked
                .requests()
                .any(|concerns| was_on(Cause::TokenRequest, &concerns)),
            Cause::Consent | Cause::StepUp => was_on(cause, &asked.client),
            Cause::Disabled => was_on(cause, asked.user.as_ref()?),
            Cause::SecretUnknown => was_on(cause, &asked.blueprint),
            Cause::OtherIdentity => was_on(cause, asked.leg.as_str()),
            Cause::T1Revoked | Cause::T2Revoked => was_on(cause, ""),
            Cause::Refused(_) | Cause::Hang => false,
        };
        let is_refused = match refusal.code {
            Some(code) if cause != Cause::TokenRequest => {
                was_on(Cause::Refused(code), &asked.client)
            }
            _ => true,
        };
        (is_so && is_refused).then_some(cause)
    }
}

impl Asked {
    /// The token requests that can be made for it.
    fn requests(&self) -> impl Iterator<Item = String> {
        let exchange = match self.leg {
            Leg::AgentUser => &[Leg::T1, Leg::T2][..],
            Leg::App => &[],
            _ => &[Leg::T1][..],
        };
        let agent = &self.client;
        let exchange = exchange.iter().map(move |leg| request(*leg, agent, None));
        let account = self.account.iter().flatten().map(String::as_str);
        let names: Vec<_> = match self.leg {
            Leg::AgentUser => account.map(Some).collect(),
            _ => vec![None],
        };
        let last = names.into_iter();
        exchange.chain(last.map(move |name| request(self.leg, agent, name)))
    }
}

/// What a token request is for: the leg, the agent, and what names its user account.
pub(crate) fn request(leg: Leg, agent: &str, account: Option<&str>) -> String {
    format!("{} {agent} {}", leg.as_str(), account.unwrap_or_default())
}

impl Cause {
    /// For how long after its end it can still be the reason of an answer.
    ///
    /// A failure is remembered for 5 s. What T1 is refused with is remembered for T2 and for the token until
    /// the same time, but for at least a second each. An answer of the look-alike takes 1.5 s at most. A T1 or
    /// T2 that is refused is not replaced before it is a minute old.
    fn grace(self) -> Duration {
        match self {
            Self::T1Revoked | Self::T2Revoked => Duration::from_secs(70),
            // Until the request is read in the log.
            Self::Hang => Duration::from_millis(500),
            _ => Duration::from_secs(10),
        }
    }
}

/// The row of the table.
fn cause_of(refusal: &Refusal, asked: &Asked) -> Option<Cause> {
    let Refusal { status, code, .. } = *refusal;
    let kind = refusal.kind.as_deref();
    let has_user = !matches!(asked.leg, Leg::App | Leg::Agent);
    let is_challenge = asked.leg == Leg::OnBehalfOf && asked.answers_challenges;
    let (cause, its_kinds, at_api): (_, &[&str], u16) = match code {
        None | Some(90_033) if status == 503 => {
            let kinds = &["throttled", "unavailable"];
            (Cause::TokenRequest, kinds, 503)
        }
        None => (Cause::OtherIdentity, &["identity_mismatch"], 500),
        Some(65_001) if has_user => (Cause::Consent, &["consent_required"], 403),
        Some(50_057) if has_user => (Cause::Disabled, &["not_allowed"], 403),
        Some(50_076) if has_user && !asked.multifactor => {
            let status = if is_challenge { 401 } else { 403 };
            (Cause::StepUp, &["interaction_required"], status)
        }
        Some(700_024) => (Cause::T1Revoked, &["credential_refused"], 500),
        Some(500_133) if asked.leg == Leg::AgentUser => {
            (Cause::T2Revoked, &["credential_refused"], 500)
        }
        Some(7_000_215) if !asked.of_sidecar => {
            (Cause::SecretUnknown, &["credential_refused"], 500)
        }
        Some(_) => return None,
    };
    let is_as_documented = match asked.of_sidecar {
        true => {
            status
                == if code.is_some() && status != 503 {
                    401
                } else {
                    at_api
                }
        }
        false => status == at_api && kind.is_some_and(|kind| its_kinds.contains(&kind)),
    };
    let is_retryable = refusal.has_retry_after == (status == 503);
    (is_as_documented && is_retryable && refusal.other.is_none()).then_some(cause)
}

const WINDOWS: usize = 16;
