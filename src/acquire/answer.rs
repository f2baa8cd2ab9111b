//! What the token endpoint said. Pure functions of values.

use std::time::Duration;

use crate::{
    acquire::error::AcquireError,
    ids::{AppId, ObjectId, TenantId},
    secret::Secret,
};

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    /// As the header names it, unclamped.
    pub(super) retry_after: Option<Duration>,
    /// Whether the body has a content encoding.
    pub(super) is_encoded: bool,
    pub(super) body: &'a [u8],
}

/// Whose token was asked for, and what for: the answer must be that identity's.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    /// For the text of an error: `a token for agent … on behalf of …`, without a personal name.
    pub(super) what: &'a str,
    pub(super) client: AppId,
    pub(super) tenant: TenantId,
    pub(super) flow: Flow,
    pub(super) scope: &'a str,
    pub(super) correlation_id: &'a str,
    /// Names the kind of the client's credential in a hint: `secret`, `certificate`, `federated`, `t1`.
    pub(super) credential: &'static str,
}

/// Which kind of token must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The client acts as itself.
    App,
    /// The client acts for a user, with this object id if it is known.
    User(Option<ObjectId>),
}

/// What was granted.
#[derive(Debug)]
pub(super) struct Granted {
    pub(super) access_token: Secret,
    pub(super) scopes: String,
    pub(super) expires_in: Duration,
    pub(super) refresh_in: Option<Duration>,
}

/// Reads an answer.
pub(super) fn read(_answer: &Answer<'_>, _asked: &Asked<'_>) -> Result<Granted, AcquireError> {
    todo!()
}
