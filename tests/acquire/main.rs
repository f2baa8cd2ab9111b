//! Tokens for calls of this process: the flows, and what goes wrong in them.

#![allow(clippy::unwrap_used)]

mod answer_tables;
mod answers;
mod assertions;
#[cfg(feature = "azure")]
mod azure;
mod bad_answers;
mod before_the_wire;
mod call;
mod codes;
mod counts;
mod credentials;
mod endpoint;
mod every_request;
mod flows;
mod handover;
mod hostile_clients;
mod identities;
mod interest;
mod leaks;
mod leg_tables;
mod legs;
#[cfg(feature = "metrics")]
mod metrics;
#[path = "../support/plain_line.rs"]
mod plain_line;
#[cfg(feature = "metrics")]
#[path = "../support/recorder.rs"]
#[expect(dead_code, reason = "no gauge is of acquisitions")]
mod recorder;
mod refusals;
mod refused_clients;
mod requests;
mod revoked;
mod rows;
mod scripted;
mod settings;
mod simulation;
mod sockets;
mod tokens_of_others;
mod wire;
mod words;
mod world;

use tower_entra::{
    acquire::{AcquireError, AgentIdentity, ClientCredential, ConfidentialClient, Scopes},
    testing::Issuer,
};

/// The blueprint of an issuer, with its secret.
pub(crate) fn blueprint(issuer: &Issuer) -> ConfidentialClient {
    let blueprint = issuer.blueprint();
    let credential = ClientCredential::secret(blueprint.secret());
    ConfidentialClient::builder(issuer.tenant_id(), blueprint.client_id(), credential)
        .authority(issuer.authority())
        .build()
        .unwrap()
}

/// The first agent of the blueprint.
pub(crate) fn agent(issuer: &Issuer) -> AgentIdentity {
    blueprint(issuer).agent(issuer.agent_id())
}

/// What the API of the issuer has granted.
pub(crate) fn default_scope(issuer: &Issuer) -> Scopes {
    Scopes::default_of(issuer.api().resource()).unwrap()
}

pub(crate) fn scope(issuer: &Issuer, name: &str) -> Scopes {
    Scopes::new([format!("{}/{name}", issuer.api().resource())]).unwrap()
}

/// The kind of an error, and its text and hint, for the message of a failed test.
pub(crate) fn told(error: &AcquireError) -> String {
    format!("{}: {error} [{:?}]", error.kind(), error.hint())
}
