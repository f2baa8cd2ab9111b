//! A [tower](https://docs.rs/tower) layer that admits HTTP requests by their Microsoft Entra ID
//! access token, and tells handlers which agent, person or application is calling.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod validator;

mod builder;

mod tenants;

mod authority;

mod principal;

mod ids;

mod error;

mod middleware;

mod policy;

mod token;

mod keys;

mod clock;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "axum")]
pub use self::middleware::MissingPrincipal;
pub use self::{
    authority::Authority,
    builder::ValidatorBuilder,
    error::{ConfigError, Error, ErrorKind},
    ids::{AppId, InvalidGuid, ObjectId, TenantId},
    keys::{HttpClient, KeySettings, KeyStatus},
    middleware::{Denial, EmptyBody, EntraAuth, EntraAuthLayer, RefusalBody, ResponseFuture},
    principal::{
        AgentPrincipal, AgentStatus, ClaimsError, ClientAuthentication, Facet, Facets, Groups,
        IdentityRelationship, IdentityRelationships, IdentityType, PrincipalKind, TokenVersion,
    },
    tenants::Tenants,
    token::SignatureAlgorithm,
    validator::Validator,
};
