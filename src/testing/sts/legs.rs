//! What the token endpoint was asked for, counted and kept.

use std::collections::{BTreeMap, VecDeque};

use crate::testing::sts::form::Form;

/// What a request to the token endpoint asks for.
///
/// The parameters decide, whether the request is granted or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Leg {
    /// The blueprint's exchange token for an agent: `client_credentials` for the exchange resource, with
    /// `fmi_path`.
    T1,
    /// The agent's own exchange token: `client_credentials` for the exchange resource, without
    /// `fmi_path`.
    T2,
    /// A token of an app for itself: `client_credentials` of any client that is no agent.
    App,
    /// A token of an agent for itself: `client_credentials` of an agent for an API.
    Agent,
    /// A token on behalf of a person, of an app or an agent.
    OnBehalfOf,
    /// A token of an agent's user account: `user_fic`.
    AgentUser,
    /// A refresh token that is redeemed.
    Refresh,
    /// Anything else.
    Other,
}

impl Leg {
    /// The name of the leg in the log, such as `on_behalf_of`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::T1 => "t1",
            Self::T2 => "t2",
            Self::App => "app",
            Self::Agent => "agent",
            Self::OnBehalfOf => "on_behalf_of",
            Self::AgentUser => "agent_user",
            Self::Refresh => "refresh",
            Self::Other => "other",
        }
    }

    pub(super) fn of(form: &Form, is_agent: bool, is_exchange: bool) -> Self {
        match form.get("grant_type").unwrap_or_default() {
            "client_credentials" if !is_exchange && is_agent => Self::Agent,
            "client_credentials" if !is_exchange => Self::App,
            "client_credentials" if !is_agent || form.count("fmi_path") > 0 => Self::T1,
            "client_credentials" => Self::T2,
            JWT_BEARER => Self::OnBehalfOf,
            "user_fic" => Self::AgentUser,
            "refresh_token" => Self::Refresh,
            _ => Self::Other,
        }
    }
}

/// A request that the token endpoint has received. Secrets, assertions and tokens are cut.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub(super) leg: Leg,
    pub(super) tenant: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) status: Option<u16>,
    pub(super) code: Option<u32>,
    /// Seconds since the Unix epoch, by the real clock.
    pub(super) at: i64,
    /// The text of a refusal that was sent.
    pub(super) reason: Option<String>,
    /// What the answer was instead, or how it was sent.
    pub(super) fault: Option<String>,
}

impl TokenRequest {
    /// What was asked for.
    #[must_use]
    pub fn leg(&self) -> Leg {
        self.leg
    }

    /// The tenant in the path.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The value of a parameter, the first if there are several. A secret, an assertion and a token is
    /// `[cut]`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.parameters();
        pairs
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// All parameters of the body, in their order. A secret, an assertion and a token is `[cut]`.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a header, the first if there are several. That of `Authorization` is `[cut]`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The status of the answer. `None` if a [`Fault`](super::super::Fault) has taken its place.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The AADSTS number of a refusal.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.code
    }

    pub(super) fn outcome(&self) -> &'static str {
        match self.status {
            Some(200) => "granted",
            Some(_) => "refused",
            None => "fault",
        }
    }
}

#[derive(Default)]
pub(in crate::testing) struct TokenLog {
    counts: BTreeMap<Leg, u64>,
    requests: VecDeque<TokenRequest>,
}

impl TokenLog {
    pub(super) fn record(&mut self, request: TokenRequest) {
        *self.counts.entry(request.leg).or_default() += 1;
        if self.requests.len() == REQUESTS_KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(super) fn count(&self, leg: Leg) -> u64 {
        self.counts.get(&leg).copied().unwrap_or_default()
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The requests with their numbers, newest first. The first ever has the number 1.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u64, &TokenRequest)> {
        let numbers = (1..=self.total()).rev();
        numbers.zip(self.requests.iter().rev())
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &TokenRequest> {
        self.requests.iter()
    }
}

/// The parameters as they are kept.
pub(super) fn without_secrets(form: &Form) -> Vec<(String, String)> {
    let pairs = form.pairs().map(|(name, value)| {
        let shown = match SECRET.contains(&name) && !value.is_empty() {
            true => CUT,
            false => value,
        };
        (name.to_owned(), shown.to_owned())
    });
    pairs.collect()
}

pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

pub(super) const CUT: &str = "[cut]";

/// Parameters whose value is a secret, an assertion or a token.
const SECRET: [&str; 8] = [
    "client_secret",
    "client_assertion",
    "assertion",
    "user_federated_identity_credential",
    "refresh_token",
    "subject_token",
    "password",
    "code",
];

const REQUESTS_KEPT: usize = 1_000;
