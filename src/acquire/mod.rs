//! Tokens for calls that this process makes: as an app, as an agent, on behalf of a caller, or by an agent's
//! user account.
//!
//! | to | use |
//! |---|---|
//! | say which app authenticates, and how | [`ConfidentialClient`], [`ClientCredential`] |
//! | act as an app | [`ConfidentialClient::itself`], [`ConfidentialClient::on_behalf_of`] |
//! | act as an agent of a blueprint | [`ConfidentialClient::agent`], [`AgentIdentity`], [`AgentUser`] |
//! | take the caller's token for that | [`UserAssertion`] |
//! | ask for a token | [`TokenSource::token`], [`Scopes`], [`TokenOptions`] |
//! | send it | [`EntraCallLayer`] around any tower client, or [`AccessToken::authorization`] |
//! | learn why there is none | [`AcquireError`], [`AcquireErrorKind`] |
//!
//! The guide [calling as an agent](crate::guide::calling_as_an_agent) says which way to choose, and what it
//! takes in Entra.
//!
//! # Example
//!
//! ```
//! # use tower_entra::testing::Issuer;
//! use tower_entra::acquire::{ClientCredential, ConfidentialClient, Scopes};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let issuer = Issuer::start().await;
//! # let (tenant, blueprint, agent_id) = (issuer.tenant_id(), issuer.blueprint_id(), issuer.agent_id());
//! # let secret = issuer.blueprint().secret();
//! # let resource = issuer.api().resource().to_owned();
//! let blueprint = ConfidentialClient::builder(tenant, blueprint, ClientCredential::secret(secret))
//! #     .authority(issuer.authority())
//!     .build()?;
//! let agent = blueprint.agent(agent_id);
//!
//! let token = agent.itself().token(&Scopes::default_of(&resource)?).await?;
//! assert!(token.authorization().is_sensitive());
//!
//! // Two requests were made. The next one who asks gets the same token.
//! agent.itself().token(&Scopes::default_of(&resource)?).await?;
//! # assert_eq!(issuer.token_requests(), 2);
//! # Ok(())
//! # }
//! ```
//!
//! # What is kept
//!
//! - **One identity.** What comes back is read, and a token of another client, tenant or user than the one
//!   asked for is an error ([`IdentityMismatch`](AcquireErrorKind::IdentityMismatch)). There is no fallback.
//! - **One request.** Tokens are remembered by identity and scopes. All who ask for one at a time wait for one
//!   acquisition, which goes on if they go away. A token is renewed in the background from ten minutes before
//!   its end, while it is being asked for, and is handed out until five minutes before it.
//! - **Failures** are remembered for the identity that they concern: as long as `Retry-After` says, or 5 s.
//! - **Limits.** A request takes at most 10 s, an acquisition 30 s, an answer 256 KiB; 256 acquisitions at a
//!   time, 10,000 tokens remembered. [`AcquireSettings`] has them all.
//! - **No refresh tokens.** They are neither asked for nor kept. Tokens are held in memory only.

mod acting;

mod agent;

mod answer;

mod app;

mod assertion;

#[cfg(feature = "azure")]
mod azure;

mod cache;

mod call;

mod certificate;

mod certificate_file;

mod challenge;

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

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

mod request;

mod scopes;

mod settings;

mod source;

mod token;

mod user;

mod wanted;

pub use self::{
    agent::AgentIdentity,
    call::{
        ActsOnBehalf, CallError, CallFuture, CallRequest, CallResponse, CloneBody, EntraCall,
        EntraCallLayer, NoReplay, Replay,
    },
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
