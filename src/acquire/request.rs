//! The form of each request. Pure functions of values.

use crate::{acquire::user::AgentUser, ids::AppId, secret::Secret};

/// How the client proves who it is: exactly one credential.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// `client_secret`.
    Secret(Secret),
    /// `client_assertion`, of the type `jwt-bearer`.
    Assertion(Secret),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Grant<'a> {
    /// T1: the blueprint asks for the assertion of this agent. The scope is that of the exchange.
    AgentAssertion { agent: AppId },
    /// The client as itself: TR, T2, or an ordinary app.
    ClientCredentials,
    /// On behalf of the user of this token.
    OnBehalfOf { assertion: &'a Secret },
    /// By the agent's user account, with T2.
    AgentUser { user: &'a AgentUser, t2: &'a str },
}

/// One request to the token endpoint.
#[derive(Clone, Debug)]
pub(super) struct Leg<'a> {
    pub(super) client_id: AppId,
    pub(super) proof: &'a Proof,
    pub(super) grant: Grant<'a>,
    /// Separated by spaces.
    pub(super) scope: &'a str,
    pub(super) claims: Option<&'a str>,
}

impl Leg<'_> {
    /// The body: `application/x-www-form-urlencoded`, without an empty parameter.
    pub(super) fn form(&self) -> Secret {
        todo!()
    }
}
