//! The requests of one flight, from the client's credential to the token that was asked for.
//!
//! | who acts | requests |
//! |---|---|
//! | an app | one, with its credential |
//! | an agent as itself, or on behalf of a user | T1, with the blueprint's credential; the token, with T1 |
//! | an agent by its user account | T1; T2, with T1; the token, with both |
//!
//! T1 and T2 have entries of their own in the cache, so most flights make one request.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue, Request, header};
use tokio::time;

use crate::{
    acquire::{
        acting::Acting,
        answer::{self, Answer, Asked, Flow, MAX_ANSWER},
        app::{App, Tenant},
        cache::{Place, Wanted},
        claims::Claims,
        credential::AssertionRequest,
        error::AcquireError,
        guid::random_guid,
        hints,
        journal::{self, Journal, LegName},
        key::{Actor, Key},
        request::{Grant, Leg, Proof},
        scopes::Scopes,
        token::AccessToken,
    },
    chance::random_fraction,
    clock::unix_now,
    http_client::{NoAnswer, is_encoded, retry_after, with_causes},
    ids::AppId,
    moment::Moment,
    secret::Secret,
    shown::Shown,
};

/// One flight: what is asked for, under one correlation id.
pub(super) struct Flight {
    app: Arc<App>,
    tenant: Tenant,
    acting: Acting,
    scopes: Scopes,
    claims: Option<Arc<str>>,
    /// `None` if the operating system gave no random bytes.
    correlation_id: Option<String>,
}

/// A request of a flight, but for the proof of the client.
struct Asking<'a> {
    name: LegName,
    client: AppId,
    grant: Grant<'a>,
    flow: Flow<'a>,
    scopes: &'a Scopes,
    claims: Option<&'a str>,
}

impl Flight {
    pub(super) fn new(
        app: Arc<App>,
        tenant: Tenant,
        acting: Acting,
        scopes: Scopes,
        claims: Option<Arc<str>>,
        correlation_id: Option<String>,
    ) -> Self {
        Self {
            app,
            tenant,
            acting,
            scopes,
            claims,
            correlation_id: correlation_id.or_else(|| random_guid().ok()),
        }
    }

    /// Makes the requests. Every wait has a limit of its own; the flight as a whole has that of the cache.
    pub(super) async fn run(self) -> Result<AccessToken, AcquireError> {
        let journal = Journal::begin(
            &self.acting,
            self.app.client_id,
            self.tenant.id,
            &self.scopes,
            self.correlation_id.clone(),
        );
        let claims = self.claims_of_the_last_leg();
        let result = match self.acting.agent() {
            None => self.as_client(claims.as_deref()).await,
            Some(agent) => self.as_agent(agent, claims.as_deref()).await,
        };
        journal.ended(&result);
        result
    }

    /// The client's own request.
    async fn as_client(&self, claims: Option<&str>) -> Result<AccessToken, AcquireError> {
        let grant = match &self.acting {
            Acting::OnBehalfOf { assertion, .. } => Grant::OnBehalfOf {
                assertion: assertion.token(),
            },
            _ => Grant::ClientCredentials,
        };
        let asking = Asking {
            name: LegName::Client,
            client: self.app.client_id,
            grant,
            flow: self.acting.flow(),
            scopes: &self.scopes,
            claims,
        };
        self.by_credential(&asking, None).await
    }

    /// The agent's request, with the assertion of the blueprint. If that or T2 was made a while ago and can
    /// be what Entra refuses, they are made anew, once.
    async fn as_agent(
        &self,
        agent: AppId,
        claims: Option<&str>,
    ) -> Result<AccessToken, AcquireError> {
        match self.as_agent_once(agent, claims).await {
            Ok(token) => Ok(token),
            Err(Refused { error, by }) if error.drops_assertions() && self.drop_old(&by) => {
                let again = self.as_agent_once(agent, claims).await;
                again.map_err(|refused| refused.error)
            }
            Err(Refused { error, .. }) => Err(error),
        }
    }

    async fn as_agent_once(
        &self,
        agent: AppId,
        claims: Option<&str>,
    ) -> Result<AccessToken, Refused> {
        let mut t1 = self.t1(agent).await?;
        let mut t2 = None;
        if let Acting::AgentUser { .. } = &self.acting {
            t2 = Some(self.t2(agent).await?);
            // If Entra has refused T1 to T2's flight, another has taken its place.
            t1 = self.t1(agent).await?;
        }
        let grant = match (&self.acting, &t2) {
            (Acting::AgentUser { user, .. }, Some(t2)) => Grant::AgentUser {
                user,
                t2: t2.secret(),
            },
            (Acting::OnBehalfOf { assertion, .. }, _) => Grant::OnBehalfOf {
                assertion: assertion.token(),
            },
            _ => Grant::ClientCredentials,
        };
        let name = match self.scopes == self.app.exchange {
            true => LegName::AgentExchange,
            false => LegName::Agent,
        };
        let asking = Asking {
            name,
            client: agent,
            grant,
            flow: self.acting.flow(),
            scopes: &self.scopes,
            claims,
        };
        let proof = Proof::Assertion(Secret::new(t1.secret()));
        let answered = self.ask(&asking, &proof, hints::T1).await;
        answered.map_err(|error| {
            let of = |actor| self.key(actor, &self.app.exchange);
            let mut by = vec![(of(Actor::AgentAssertion(agent)), t1)];
            by.extend(t2.map(|t2| (of(Actor::Agent(agent)), t2)));
            Refused { error, by }
        })
    }

    /// T1: the assertion by which the blueprint lets the agent authenticate.
    async fn t1(&self, agent: AppId) -> Result<AccessToken, AcquireError> {
        let key = self.key(Actor::AgentAssertion(agent), &self.app.exchange);
        let leg = self.leg(Acting::Agent(agent));
        let got = self
            .app
            .cache
            .get(&key, Wanted::Any, Place::OfItsFlight, |_| async move {
                let asking = Asking {
                    name: LegName::AgentAssertion,
                    client: leg.app.client_id,
                    grant: Grant::AgentAssertion { agent },
                    flow: Flow::App,
                    scopes: &leg.app.exchange,
                    claims: None,
                };
                leg.by_credential(&asking, Some(agent)).await
            });
        Ok(got.await?.0)
    }

    /// T2: the agent's own token for the exchange.
    ///
    /// Boxed, because the future of a flight would contain itself.
    fn t2(&self, agent: AppId) -> Boxed<'_> {
        let key = self.key(Actor::Agent(agent), &self.app.exchange);
        let leg = self.leg(Acting::Agent(agent));
        Box::pin(async move {
            let fetch = |_| async move { leg.as_agent(agent, None).await };
            let got = self
                .app
                .cache
                .get(&key, Wanted::Any, Place::OfItsFlight, fetch);
            Ok(got.await?.0)
        })
    }

    /// A flight for an assertion on the way of this one, with its correlation id.
    fn leg(&self, acting: Acting) -> Self {
        Self {
            app: Arc::clone(&self.app),
            tenant: self.tenant.clone(),
            acting,
            scopes: self.app.exchange.clone(),
            claims: None,
            correlation_id: self.correlation_id.clone(),
        }
    }

    fn key(&self, actor: Actor, scopes: &Scopes) -> Key {
        Key {
            tenant: self.tenant.id,
            actor,
            scopes: scopes.clone(),
        }
    }

    /// Forgets the assertions that were made a while ago. Whether there was one.
    fn drop_old(&self, assertions: &[(Key, AccessToken)]) -> bool {
        let now = Moment::now();
        let mut dropped = false;
        for (key, token) in assertions {
            if now.since(token.asked()) > NEW {
                self.app.cache.forget(key, token);
                dropped = true;
            }
        }
        dropped
    }

    /// A request that the client's own credential proves. One that can have been replaced is read again,
    /// once.
    async fn by_credential(
        &self,
        asking: &Asking<'_>,
        agent: Option<AppId>,
    ) -> Result<AccessToken, AcquireError> {
        match self.by_credential_once(asking, agent).await {
            Err(error) if error.rereads_credential() && self.app.credential.read_again() => {
                self.by_credential_once(asking, agent).await
            }
            other => other,
        }
    }

    async fn by_credential_once(
        &self,
        asking: &Asking<'_>,
        agent: Option<AppId>,
    ) -> Result<AccessToken, AcquireError> {
        let request = AssertionRequest {
            client_id: self.app.client_id,
            tenant_id: self.tenant.id,
            token_endpoint: self.tenant.endpoint.to_string(),
            exchange_audience: self.app.exchange_audience.clone(),
            agent,
            correlation_id: self.correlation_id.clone().unwrap_or_default(),
        };
        let credential = &self.app.credential;
        let proof = credential.proof(&request, unix_now()).await;
        let proof = proof.map_err(|missing| {
            AcquireError::no_proof(&self.what(asking), &missing, &request.correlation_id)
        })?;
        self.ask(asking, &proof, credential.kind()).await
    }

    /// One request, and one more a second later if there was no answer or the server failed.
    async fn ask(
        &self,
        asking: &Asking<'_>,
        proof: &Proof,
        credential: &'static str,
    ) -> Result<AccessToken, AcquireError> {
        let leg = Leg {
            client_id: asking.client,
            proof,
            grant: asking.grant.clone(),
            scope: asking.scopes.as_str(),
            claims: asking.claims,
        };
        let (what, withheld, form) = (self.what(asking), leg.withheld(), leg.form());
        let asked = Asked {
            what: &what,
            client: asking.client,
            tenant: self.tenant.id,
            flow: asking.flow,
            scope: asking.scopes.as_str(),
            correlation_id: self.correlation_id.as_deref().unwrap_or_default(),
            credential,
            withheld: &withheld,
        };
        let first = self.send(asking.name, &form, &asked).await;
        match first {
            Err(error) if error.retry_in_line() => {
                time::sleep(RETRY_AFTER + JITTER.mul_f64(random_fraction())).await;
                self.send(asking.name, &form, &asked).await
            }
            other => other,
        }
    }

    async fn send(
        &self,
        name: LegName,
        form: &Secret,
        asked: &Asked<'_>,
    ) -> Result<AccessToken, AcquireError> {
        let began = Moment::now();
        let limit = self.app.settings.request_timeout;
        let answer = self.app.http.send(self.request(form), MAX_ANSWER);
        let result = match time::timeout(limit, answer).await {
            Err(_) => Err(AcquireError::timed_out(
                asked.what,
                limit,
                asked.correlation_id,
            )),
            Ok(Err(error)) => Err(AcquireError::no_answer(
                asked.what,
                Shown::within(MAX_CAUSE, &with_causes(error.as_ref())).as_str(),
                NoAnswer::of(error.as_ref()),
                asked.correlation_id,
            )),
            Ok(Ok(answer)) => {
                let read = answer::read(
                    &Answer {
                        status: answer.status().as_u16(),
                        retry_after: retry_after(answer.headers(), SystemTime::now()),
                        is_encoded: is_encoded(answer.headers()),
                        body: answer.body(),
                    },
                    asked,
                );
                read.and_then(|granted| {
                    let none = |problem, why| {
                        AcquireError::no_answer(asked.what, problem, why, asked.correlation_id)
                    };
                    if granted.expires_in <= Moment::now().since(began) {
                        let problem = "it came after its access_token had expired";
                        return Err(none(problem, NoAnswer::TimedOut));
                    }
                    AccessToken::new(
                        granted.access_token,
                        &granted.scopes,
                        began,
                        granted.expires_in,
                        granted.refresh_in,
                    )
                    .ok_or_else(|| {
                        let problem = "its access_token does not fit into a header";
                        none(problem, NoAnswer::Other)
                    })
                })
            }
        };
        journal::requested(name, began, result.as_ref().err());
        result
    }

    fn request(&self, form: &Secret) -> Request<Vec<u8>> {
        let mut request = Request::new(form.expose().as_bytes().to_vec());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.tenant.endpoint.clone();
        let headers = request.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let id = self.correlation_id.as_deref().map(HeaderValue::try_from);
        if let Some(Ok(id)) = id {
            headers.insert(CLIENT_REQUEST_ID, id);
            headers.insert(RETURN_CLIENT_REQUEST_ID, HeaderValue::from_static("true"));
        }
        request
    }

    /// For an error: what is asked for, without the name of a user.
    fn what(&self, asking: &Asking<'_>) -> String {
        let tenant = self.tenant.id;
        match asking.name {
            LegName::AgentAssertion => {
                let agent = self.acting.agent();
                let agent = agent.map(|agent| agent.to_string()).unwrap_or_default();
                let blueprint = self.app.client_id;
                format!(
                    "the assertion of agent {agent} for blueprint {blueprint} in tenant {tenant}"
                )
            }
            _ => format!(
                "a token of {} in tenant {tenant} for {}",
                self.acting.in_words(self.app.client_id),
                Shown::within(MAX_SHOWN_SCOPES, asking.scopes.as_str()),
            ),
        }
    }

    /// Claims are for the last request of a flight alone, and so is what the client can do.
    fn claims_of_the_last_leg(&self) -> Option<String> {
        let asked = self.claims.as_deref().and_then(Claims::parse);
        let claims = match (self.app.claims_challenges, asked) {
            (true, Some(asked)) => Claims::of_capabilities().merged_with(asked),
            (true, None) => Claims::of_capabilities(),
            (false, Some(asked)) => asked,
            (false, None) => return None,
        };
        Some(claims.to_json())
    }
}

type Boxed<'a> = Pin<Box<dyn Future<Output = Result<AccessToken, AcquireError>> + Send + 'a>>;

/// A refusal, and the assertions that were in the request.
struct Refused {
    error: AcquireError,
    by: Vec<(Key, AccessToken)>,
}

impl From<AcquireError> for Refused {
    fn from(error: AcquireError) -> Self {
        Self {
            error,
            by: Vec::new(),
        }
    }
}

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const RETURN_CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("return-client-request-id");

/// An assertion that is younger than this is not what Entra refuses.
const NEW: Duration = Duration::from_secs(60);

const RETRY_AFTER: Duration = Duration::from_secs(1);
const JITTER: Duration = Duration::from_millis(500);

/// The longest text of an HTTP client's error that is shown, in characters.
const MAX_CAUSE: usize = 300;

/// A program can ask for 8 KiB of scopes.
const MAX_SHOWN_SCOPES: usize = 300;
