//! Who acts, and how to ask for a token.

use std::{fmt, sync::Arc};

use crate::{
    acquire::{
        acting::Acting,
        app::{Registration, Tenant},
        cache::{Place, Source, Wanted},
        claims::Claims,
        error::AcquireError,
        exchange::Flight,
        hints, journal,
        key::Key,
        kind::AcquireErrorKind,
        scopes::Scopes,
        token::AccessToken,
    },
    ids::AppId,
};

/// One identity, which acts in one way: it gives tokens of that identity and of no other. Cheap to clone.
///
/// A token is remembered for each scope that was asked for, renewed before it expires while it is being
/// asked for, and fetched once for all who ask at a time. A caller that goes away ends no acquisition.
#[derive(Clone)]
pub struct TokenSource(Arc<Identity>);

struct Identity {
    client: Registration,
    acting: Result<Acting, AcquireError>,
}

/// What a token is asked for with, besides its scopes.
#[derive(Clone, Default)]
#[must_use]
pub struct TokenOptions {
    claims: Option<String>,
    refused: Option<AccessToken>,
    force_refresh: bool,
    correlation_id: Option<String>,
}

impl TokenOptions {
    /// The claims that an API asks for in a
    /// [claims challenge](https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge), as JSON
    /// text. The token takes the place of the plain one. A thousand requests with the same claims cost one
    /// request to Entra.
    ///
    /// What is no JSON object, has a name twice, or is longer than 8 KiB is refused when the token is
    /// asked for, as [`Misconfigured`](AcquireErrorKind::Misconfigured). `{}` asks for nothing.
    pub fn claims(self, json: impl Into<String>) -> Self {
        Self {
            claims: Some(json.into()),
            ..self
        }
    }

    /// The token that the API refused, if it is known: one that was got for the same claims and is not this
    /// one is then handed out. Without it, one that was got less than 5 s ago is. It makes no difference
    /// without [`claims`](Self::claims).
    pub fn refused(self, token: AccessToken) -> Self {
        Self {
            refused: Some(token),
            ..self
        }
    }

    /// Asks for a token that is fetched after this call. The assertions on the way (T1, T2) still come from
    /// the cache. With claims this makes no difference. Default `false`.
    pub fn force_refresh(self, force: bool) -> Self {
        Self {
            force_refresh: force,
            ..self
        }
    }

    /// The `client-request-id` of every request, a GUID. One that is no GUID is refused when the token is
    /// asked for, as [`Misconfigured`](AcquireErrorKind::Misconfigured). Default: a random one. A token
    /// that is remembered, or fetched for another caller, is got without it.
    pub fn correlation_id(self, guid: impl Into<String>) -> Self {
        Self {
            correlation_id: Some(guid.into()),
            ..self
        }
    }
}

impl TokenSource {
    pub(super) fn new(client: &Registration, acting: Result<Acting, AcquireError>) -> Self {
        Self(Arc::new(Identity {
            client: client.clone(),
            acting,
        }))
    }

    /// A token for these scopes.
    ///
    /// It is remembered, or fetched on a task of the current tokio runtime, within 30 s unless the
    /// [settings](super::AcquireSettings) say otherwise.
    ///
    /// # Errors
    ///
    /// The [kind](AcquireError::kind) says what to answer, the [hint](AcquireError::hint) what to change.
    /// [`Misconfigured`](AcquireErrorKind::Misconfigured) without a request: an app or agent that acts as
    /// itself asks for more or less than one `/.default` scope; an id is no GUID; the token to exchange is
    /// of another tenant than one that the source names; there is no tokio runtime with a timer.
    /// [`AssertionRefused`](AcquireErrorKind::AssertionRefused) without a request: the audience of the token
    /// to exchange is not the blueprint.
    pub async fn token(&self, scopes: &Scopes) -> Result<AccessToken, AcquireError> {
        self.get(scopes, Wanted::Any, None).await
    }

    /// A token for these scopes, with options.
    ///
    /// # Errors
    ///
    /// As [`token`](Self::token), and for options that are refused.
    pub async fn token_with(
        &self,
        scopes: &Scopes,
        options: TokenOptions,
    ) -> Result<AccessToken, AcquireError> {
        let TokenOptions {
            claims,
            refused,
            force_refresh,
            correlation_id,
        } = options;
        let correlation_id = correlation_id.map(|id| guid(&id)).transpose()?;
        let claims = claims.as_deref().map(asked_claims).transpose()?.flatten();
        let wanted = match claims {
            Some(claims) => Wanted::For { claims, refused },
            None if force_refresh => Wanted::Fresh,
            None => Wanted::Any,
        };
        self.get(scopes, wanted, correlation_id).await
    }

    /// A token for these scopes that was got for the claims of a challenge, and is not the one that the API
    /// refused. `claims` are in the form of the wire.
    pub(super) async fn token_for(
        &self,
        scopes: &Scopes,
        claims: Arc<str>,
        refused: AccessToken,
    ) -> Result<AccessToken, AcquireError> {
        let refused = Some(refused);
        self.get(scopes, Wanted::For { claims, refused }, None)
            .await
    }

    async fn get(
        &self,
        scopes: &Scopes,
        wanted: Wanted,
        correlation_id: Option<AppId>,
    ) -> Result<AccessToken, AcquireError> {
        let (tenant, acting) = self.identity(scopes)?;
        let key = key(tenant, acting, scopes);
        let app = &self.0.client.app;
        let got = app
            .cache
            .get(&key, wanted, Place::Own, |claims| {
                self.flight(tenant, acting, scopes, claims, correlation_id)
                    .run()
            })
            .await;
        journal::answered(acting, got.as_ref().map(|(_, source)| *source));
        got.map(|(token, source)| match source {
            Source::Cache => token.remembered(),
            Source::Started | Source::Joined => token,
        })
    }

    /// A token for these scopes that is known without a wait, or the failure that is the answer to a
    /// caller that asks now. `None` if the answer is not known yet: [`token`](Self::token) gets it.
    pub(super) fn at_hand(&self, scopes: &Scopes) -> Option<Result<AccessToken, AcquireError>> {
        let (tenant, acting) = match self.identity(scopes) {
            Ok(identity) => identity,
            Err(error) => return Some(Err(error)),
        };
        let cache = &self.0.client.app.cache;
        let answer = cache.at_hand(&key(tenant, acting, scopes))?;
        journal::answered(acting, answer.as_ref().map(|_| Source::Cache));
        Some(answer.map(AccessToken::remembered))
    }

    /// Who acts in which tenant, if these scopes can be asked for.
    fn identity(&self, scopes: &Scopes) -> Result<(&Tenant, &Acting), AcquireError> {
        let tenant = self.0.client.tenant()?;
        let acting = self.0.acting.as_ref().map_err(Clone::clone)?;
        if acting.is_itself() {
            scopes.check_for_app()?;
        }
        Ok((tenant, acting))
    }

    fn flight(
        &self,
        tenant: &Tenant,
        acting: &Acting,
        scopes: &Scopes,
        claims: Option<Arc<str>>,
        correlation_id: Option<AppId>,
    ) -> Flight {
        Flight::new(
            Arc::clone(&self.0.client.app),
            tenant.clone(),
            acting.clone(),
            scopes.clone(),
            claims,
            correlation_id.map(|id| id.to_string()),
        )
    }
}

fn key(tenant: &Tenant, acting: &Acting, scopes: &Scopes) -> Key {
    Key {
        tenant: tenant.id,
        actor: acting.actor(),
        scopes: scopes.clone(),
    }
}

fn guid(text: &str) -> Result<AppId, AcquireError> {
    text.parse().map_err(|_| {
        AcquireError::before_the_wire(
            AcquireErrorKind::Misconfigured,
            "the correlation id is not a GUID",
            hints::CORRELATION_ID_FORM,
        )
    })
}

/// The claims in the form of the wire; `None` if they ask for nothing.
fn asked_claims(json: &str) -> Result<Option<Arc<str>>, AcquireError> {
    let claims = Claims::parse(json).ok_or_else(|| {
        AcquireError::before_the_wire(
            AcquireErrorKind::Misconfigured,
            "the claims are not a JSON object of at most 8 KiB without a name twice",
            hints::CLAIMS_FORM,
        )
    })?;
    Ok((!claims.is_empty()).then(|| claims.to_json().into()))
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource")
            .field("acting", &self.0.acting)
            .field("client", &self.0.client)
            .finish()
    }
}

/// Without the claims, which belong to one caller.
impl fmt::Debug for TokenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenOptions")
            .field("has_claims", &self.claims.is_some())
            .field("force_refresh", &self.force_refresh)
            .field("correlation_id", &self.correlation_id)
            .finish_non_exhaustive()
    }
}
