//! Tokens for calls that this process makes: as an app, as an agent, on behalf of a caller, or by an agent's
//! user account.

#![allow(dead_code)] // While the parts are built.

mod answer;

mod cache;

mod credential;

mod entry;

mod error;

mod flight;

mod flight_error;

mod key;

mod kind;

mod lifetime;

mod locks;

mod request;

mod scopes;

mod settings;

mod token;

mod user;

mod wanted;

pub use self::{
    credential::{AssertionRequest, ClientCredential},
    error::AcquireError,
    kind::AcquireErrorKind,
    scopes::Scopes,
    settings::AcquireSettings,
    token::AccessToken,
    user::AgentUser,
};
