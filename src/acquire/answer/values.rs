//! What an answer is read with, and what is read from it.

use std::time::Duration;

use crate::{
    ids::{AppId, ObjectId, TenantId},
    secret::Secret,
    user_assertion::UserAssertion,
};

/// An answer as it came.
pub(in crate::acquire) struct Answer<'a> {
    pub(in crate::acquire) status: u16,
    /// As the header names it, unclamped.
    pub(in crate::acquire) retry_after: Option<Duration>,
    /// Whether the body has a content encoding.
    pub(in crate::acquire) is_encoded: bool,
    pub(in crate::acquire) body: &'a [u8],
}

/// Whose token was asked for, and what for: the answer must be that identity's.
pub(in crate::acquire) struct Asked<'a> {
    /// For the text of an error: `a token for agent … on behalf of …`, without a personal name.
    pub(in crate::acquire) what: &'a str,
    pub(in crate::acquire) client: AppId,
    pub(in crate::acquire) tenant: TenantId,
    pub(in crate::acquire) flow: Flow<'a>,
    pub(in crate::acquire) scope: &'a str,
    pub(in crate::acquire) correlation_id: &'a str,
    /// Names the kind of the client's credential in a text and a hint: `secret`, `certificate`,
    /// `assertion_file`, `assertion`, `t1`.
    pub(in crate::acquire) credential: &'static str,
    /// What no text of an error may show: [`Leg::withheld`](crate::acquire::request::Leg::withheld).
    pub(in crate::acquire) withheld: &'a [&'a str],
}

/// Which kind of token must come.
#[derive(Clone, Copy, Debug)]
pub(in crate::acquire) enum Flow<'a> {
    /// The client acts as itself.
    App,
    /// The client acts on behalf of the user of this token.
    OnBehalfOf(&'a UserAssertion),
    /// The client acts by its user account, with this object id if it is known.
    AgentUser(Option<ObjectId>),
}

/// What was granted.
#[derive(Debug)]
pub(in crate::acquire) struct Granted {
    pub(in crate::acquire) access_token: Secret,
    pub(in crate::acquire) scopes: String,
    pub(in crate::acquire) expires_in: Duration,
    pub(in crate::acquire) refresh_in: Option<Duration>,
}
