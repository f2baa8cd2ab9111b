//! The token endpoint: who is registered, what each request must prove, and what it gets.

mod apps;

mod accounts;

mod apis;

mod federated;

mod requests;

pub(super) mod registrations;

pub(super) mod legs;

pub(super) mod endpoint;

pub(super) mod callers;

mod grants;

mod users;

mod permissions;

mod scopes;

mod assertions;

mod answers;

mod fmi;

mod call;

pub(super) mod issued;

mod certificate;

mod jwt;

mod form;

pub(super) mod overview;

pub(super) mod switches;

mod refusal;

pub use self::{
    accounts::AgentAccount,
    apis::Api,
    apps::{Agent, Blueprint, Client},
    legs::{Leg, TokenRequest},
    registrations::{FederatedCredential, Policy},
};
