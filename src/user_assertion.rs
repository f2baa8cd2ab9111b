//! The access token of a caller, kept so that the API can ask for a token on behalf of that caller.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{
    ids::{ObjectId, TenantId},
    secret::Secret,
};

/// An access token that a [`Validator`](crate::Validator) has admitted and that is delegated: what
/// [OAuth 2.0 on-behalf-of](https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-on-behalf-of-flow)
/// takes as its `assertion`.
///
/// Only the door makes one, so an assertion always is a token that was verified. A token of an
/// application that acts as itself gives none. Cheap to clone; `Debug` does not show the token.
#[derive(Clone)]
pub struct UserAssertion(Arc<Admitted>);

struct Admitted {
    token: Secret,
    digest: OnceLock<[u8; 32]>,
    audience: Box<str>,
    tenant_id: TenantId,
    object_id: Option<ObjectId>,
    supports_claims_challenge: bool,
}

impl UserAssertion {
    /// `audience` is that of the token, and `object_id` its user's. `supports_claims_challenge` says whether
    /// `xms_cc` of the token has `cp1`.
    pub(crate) fn new(
        token: &str,
        audience: &str,
        tenant_id: TenantId,
        object_id: Option<ObjectId>,
        supports_claims_challenge: bool,
    ) -> Self {
        Self(Arc::new(Admitted {
            token: Secret::new(token),
            digest: OnceLock::new(),
            audience: audience.into(),
            tenant_id,
            object_id,
            supports_claims_challenge,
        }))
    }

    /// The tenant that issued the token.
    #[must_use]
    pub fn tenant_id(&self) -> TenantId {
        self.0.tenant_id
    }

    /// The object id of the user for whom the caller acts, if the token has one.
    #[must_use]
    pub fn object_id(&self) -> Option<ObjectId> {
        self.0.object_id
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.0.token
    }

    /// The SHA-256 of the token, by which a cache tells assertions apart. Made when it is first asked for: a
    /// request for which no token is exchanged does without.
    pub(crate) fn digest(&self) -> [u8; 32] {
        *self.0.digest.get_or_init(|| {
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(digest(&SHA256, self.0.token.expose().as_bytes()).as_ref());
            sha256
        })
    }

    /// Whether the client that sent the token can answer a claims challenge.
    pub(crate) fn supports_claims_challenge(&self) -> bool {
        self.0.supports_claims_challenge
    }

    pub(crate) fn audience(&self) -> &str {
        &self.0.audience
    }
}

impl fmt::Debug for UserAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserAssertion")
            .field("tenant_id", &self.0.tenant_id)
            .finish_non_exhaustive()
    }
}
