//! The door: who may come in, and as whom.
//!
//! Read `checks/mod.rs` first: the thirteen checks in order, with the file of each and of its reasons.
//! `error/` holds the facts and words of a refusal; `keys/` fetches the keys; `gate.rs` brings checks,
//! keys and cache together; `middleware/` is the edge to HTTP. A file imports its own floor and those
//! below only, which `.ci/check_floors.py` holds.

mod algorithm;

mod audiences;

mod builder;

mod cache;

mod checks;

mod config;

mod error;

mod facets;

mod findings;

mod gate;

mod issuers;

pub(crate) mod keys;

pub(crate) mod middleware;

pub(crate) mod principal;

mod requirement;

mod tenants;

pub(crate) mod token;

mod token_header;

#[cfg(feature = "acquire")]
mod user_assertion;

mod validator;

mod values;

#[cfg(feature = "metrics")]
mod verdict_series;

#[cfg(all(feature = "acquire", feature = "axum"))]
pub use self::middleware::MissingUserAssertion;
#[cfg(feature = "axum")]
pub use self::middleware::{MissingPrincipal, Problem};
#[cfg(feature = "acquire")]
pub(crate) use self::requirement::Demand;
pub use self::{
    algorithm::SignatureAlgorithm,
    audiences::{Audiences, IntoAudiences},
    builder::ValidatorBuilder,
    config::EntraConfig,
    error::{Error, ErrorKind},
    facets::{Facet, Facets, IdentityRelationship, IdentityRelationships},
    keys::{KeyError, KeySettings, KeyStatus, NotReady},
    middleware::{
        EmptyBody, EntraAuth, EntraAuthLayer, ExpiringBody, ExpiringStreams, ExpiringStreamsFuture,
        ExpiringStreamsLayer, ProblemJson, ProtectedResourceMetadata, RefusalBody, Require,
        RequireFuture, RequireLayer, RequireRoutes, RequireRoutesLayer, ResourceMetadataService,
        ResponseFuture, StreamExpired,
    },
    principal::{AgentPrincipal, AgentStatus, AuditRecord, Groups, PrincipalKind},
    requirement::{Denial, DenialReason, Requirement},
    tenants::Tenants,
    validator::Validator,
    values::{ClaimsError, ClientAuthentication, IdentityType, TokenVersion},
};
