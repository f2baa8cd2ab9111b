//! What the checks of answers have in common.

use std::time::Duration;

use crate::{
    acquire::{
        answer::{Answer, Asked, Flow, Granted, read},
        error::AcquireError,
    },
    user_assertion::UserAssertion,
};

pub(super) const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
pub(super) const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
pub(super) const USER: &str = "5d6b2f0a-6f0e-4bd2-8f2d-0d3d0a9a1b11";
pub(super) const REQUEST: &str = "b0b0b0b0-0000-4000-8000-000000000000";
pub(super) const SCOPES: &str = "api://x/A api://x/B";
pub(super) const WHAT: &str = "a token for an agent";

/// Which kind of token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    App,
    /// On behalf of a user whose object id is known. Whether the caller's client can answer a challenge.
    OnBehalfOf(bool),
    /// By a user account, with or without its object id.
    AgentUser(bool),
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::App,
        Self::OnBehalfOf(true),
        Self::OnBehalfOf(false),
        Self::AgentUser(true),
        Self::AgentUser(false),
    ];
}

/// An answer, and what is withheld of its request.
pub(super) struct Case<'a> {
    pub(super) kind: Kind,
    pub(super) status: u16,
    pub(super) retry_after: Option<u64>,
    pub(super) is_encoded: bool,
    pub(super) credential: &'static str,
    pub(super) withheld: &'a [&'a str],
    pub(super) body: &'a [u8],
}

impl Case<'_> {
    pub(super) fn read(&self) -> Result<Granted, AcquireError> {
        let answer = Answer {
            status: self.status,
            retry_after: self.retry_after.map(Duration::from_secs),
            is_encoded: self.is_encoded,
            body: self.body,
        };
        let user = USER.parse().expect("a GUID");
        let tenant = TENANT.parse().expect("a GUID");
        let assertion =
            |can_answer| UserAssertion::new("t", CLIENT, tenant, Some(user), can_answer);
        let assertion = assertion(self.kind == Kind::OnBehalfOf(true));
        let asked = Asked {
            what: WHAT,
            client: CLIENT.parse().expect("a GUID"),
            tenant,
            flow: match self.kind {
                Kind::App => Flow::App,
                Kind::OnBehalfOf(_) => Flow::OnBehalfOf(&assertion),
                Kind::AgentUser(is_known) => Flow::AgentUser(is_known.then_some(user)),
            },
            scope: SCOPES,
            correlation_id: REQUEST,
            credential: self.credential,
            withheld: self.withheld,
        };
        read(&answer, &asked)
    }
}

/// Everything that an error shows.
pub(super) fn shown(error: &AcquireError) -> String {
    format!(
        "{error}\n{error:?}\n{:?}\n{:?}",
        error.hint(),
        error.trace_id()
    )
}

/// What holds for every error: one bounded line of printable ASCII, the request's id, and at its end what
/// Entra has said.
pub(super) fn is_in_order(error: &AcquireError) {
    let text = error.to_string();
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text:?}"
    );
    assert!(text.len() <= MAX_TEXT, "{text}");
    assert!(text.starts_with(WHAT), "{text}");
    assert_eq!(error.correlation_id(), Some(REQUEST));
    assert!(error.hint().is_some(), "{text}");
    // A JWT or a key, from whichever source.
    let shown = shown(error);
    assert!(
        !shown.contains("eyJ") && !shown.contains("-----BEGIN"),
        "{shown}"
    );
    if let Some(refusal) = error.refusal() {
        assert!(text.ends_with(refusal), "{text}: {refusal}");
    }
}

/// 480 characters of Entra's, and about 200 of the program's own.
const MAX_TEXT: usize = 700;
