//! How a client proves who it is.

use std::{fmt, sync::Arc};

use crate::{
    acquire::request::Proof,
    ids::{AppId, TenantId},
    secret::Secret,
};

/// How a client authenticates at the token endpoint: exactly one of a secret, a certificate, a file with
/// an assertion, or a function that gets one. Cheap to clone; `Debug` shows the kind only.
#[derive(Clone)]
pub struct ClientCredential(Arc<Kind>);

enum Kind {
    Secret(Secret),
}

/// What an assertion is for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AssertionRequest {
    /// The client that authenticates.
    pub client_id: AppId,
    /// The tenant of the request.
    pub tenant_id: TenantId,
    /// The URL of the token endpoint: the `aud` of a signed assertion.
    pub token_endpoint: String,
    /// The agent for which a blueprint asks, on the leg that names one (`fmi_path`).
    pub agent: Option<AppId>,
    /// The `client-request-id` of the request.
    pub correlation_id: String,
}

/// Why there is no proof. Nothing in it is a secret.
#[derive(Clone, Debug)]
pub(super) struct NoProof {
    /// One line.
    pub(super) problem: String,
    pub(super) hint: &'static str,
    /// Whether it can pass by itself.
    pub(super) is_transient: bool,
}

impl ClientCredential {
    /// A client secret: its value, not its id.
    pub fn secret(value: impl Into<String>) -> Self {
        Self(Arc::new(Kind::Secret(Secret::new(value))))
    }

    /// The proof for one request, at this time in seconds since 1970.
    pub(super) async fn proof(
        &self,
        _request: &AssertionRequest,
        _now: u64,
    ) -> Result<Proof, NoProof> {
        match &*self.0 {
            Kind::Secret(secret) => Ok(Proof::Secret(secret.clone())),
        }
    }

    /// Has the next proof made of what is in the file now.
    pub(super) fn read_again(&self) {}

    /// `secret`, `certificate`, `assertion_file` or `assertion`.
    pub(super) fn kind(&self) -> &'static str {
        match &*self.0 {
            Kind::Secret(_) => "secret",
        }
    }
}

impl fmt::Debug for ClientCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCredential")
            .field(&self.kind())
            .finish()
    }
}
