//! Tokens for calls that this process makes: as an app, as an agent, on behalf of a caller, or by an agent's
//! user account.

#![allow(dead_code, unused_imports)] // While the parts are built.

mod acting;

mod agent;

mod answer;

mod app;

mod assertion;

mod cache;

mod certificate;

mod certificate_file;

mod challenges;

mod claims;

mod client;

mod codes;

mod credential;

mod der;

mod entry;

mod error;

mod exchange;

mod files;

mod flight;

mod flight_error;

mod guid;

mod hints;

mod journal;

mod json;

mod key;

mod kind;

mod lifetime;

mod locks;

mod no_proof;

mod pem;

mod request;

mod scopes;

mod settings;

mod source;

mod token;

mod user;

mod wanted;

pub use self::{
    agent::AgentIdentity,
    client::{ConfidentialClient, ConfidentialClientBuilder},
    credential::{AssertionRequest, ClientCredential},
    error::AcquireError,
    kind::AcquireErrorKind,
    scopes::Scopes,
    settings::AcquireSettings,
    source::{TokenOptions, TokenSource},
    token::AccessToken,
    user::AgentUser,
};
pub use crate::user_assertion::UserAssertion;
