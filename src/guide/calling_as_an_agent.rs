//! Calling as an agent: which of three ways, what it takes in Entra, and what the API called will see.
//!
//! An agent is often an API itself: clients of people call it, and it calls other APIs. With the feature `acquire`,
//! the module [`acquire`](crate::acquire) gets the tokens for that. `cargo run --example agent` shows all three ways
//! without an account. `cargo run --example entra` serves an Entra look-alike with a blueprint, two agents and an
//! agent's user account: a client reaches it with the builder's
//! `authority(Authority::insecure_loopback("http://127.0.0.1:8091"))` and the secret that it prints. The set-up of a
//! tenant is [below](#set-up).
//!
//! # Which of three ways
//!
//! | | as itself | on behalf of the caller | by its user account |
//! |---|---|---|---|
//! | in code | [`agent.itself()`](crate::acquire::AgentIdentity::itself) | [`agent.on_behalf_of(&assertion)`](crate::acquire::AgentIdentity::on_behalf_of) | [`agent.user(..)`](crate::acquire::AgentIdentity::user) |
//! | for | work that no person asked for: a nightly report | what a person asked for, with that person's rights | what only a user can have: a mailbox, a chat, a calendar |
//! | what limits it | the app roles that the agent was assigned | the scopes that were consented to for the agent, **and** the person's own rights | the scopes that were consented to for the agent, and the account's rights |
//! | what it needs | no inbound token | the caller's token, for the blueprint | no inbound token |
//! | requests, the first time | 2 | 2 | 3 |
//! | requests, for the next user | | 1 | 1 |
//! | a second time | 0 | 0 | 0 |
//!
//! Prefer *on behalf of the caller*, then *as itself*; take a user account only for what only a user can have. An
//! agent that acts as itself sees what *it* may see, whatever caller asked: a handler that answers a person with the
//! data of such a call must check the person's rights by itself. On behalf of the person, Entra and the API called do
//! it.
//!
//! # In code
//!
//! One client for each blueprint, made once, at start. It remembers tokens, so a client for each request is
//! a token request for each request.
//!
//! ```
//! # use tower_entra::{ConfigError, acquire::{AcquireError, AccessToken}};
//! use tower_entra::acquire::{
//!     AgentIdentity, AgentUser, ClientCredential, ConfidentialClient, Scopes, UserAssertion,
//! };
//!
//! # const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
//! # const BLUEPRINT: &str = "4d4c6958-d676-49f0-815f-608f5aacfd24";
//! # const AGENT: &str = "facbde84-d22b-4c07-a3e2-66f35c3f4a2e";
//! fn agent(secret: String) -> Result<AgentIdentity, ConfigError> {
//!     let credential = ClientCredential::secret(secret);
//!     let blueprint = ConfidentialClient::builder(TENANT, BLUEPRINT, credential).build()?;
//!     Ok(blueprint.agent(AGENT))
//! }
//!
//! async fn as_itself(agent: &AgentIdentity) -> Result<AccessToken, AcquireError> {
//!     // Who acts as itself asks for `.default`: the app roles that were assigned.
//!     agent.itself().token(&Scopes::default_of("api://orders")?).await
//! }
//!
//! async fn for_the_caller(
//!     agent: &AgentIdentity,
//!     caller: &UserAssertion,
//! ) -> Result<AccessToken, AcquireError> {
//!     let scopes = Scopes::new(["api://orders/Orders.Read"])?;
//!     agent.on_behalf_of(caller).token(&scopes).await
//! }
//!
//! async fn by_its_account(agent: &AgentIdentity) -> Result<AccessToken, AcquireError> {
//!     let account = AgentUser::principal_name("agent1@contoso.com");
//!     let scopes = Scopes::new(["https://graph.microsoft.com/Mail.Read"])?;
//!     agent.user(account).token(&scopes).await
//! }
//! # agent("secret".to_owned()).unwrap();
//! ```
//!
//! [`AccessToken::authorization`](crate::acquire::AccessToken::authorization) is the header of the call.
//!
//! # From the request that came in
//!
//! A [`UserAssertion`](crate::acquire::UserAssertion) is a token that the door has admitted.
//! [`EntraAuthLayer::with_user_assertion`](crate::EntraAuthLayer::with_user_assertion) gives it to handlers. A
//! failed acquisition is an answer: a claims challenge for a client that can answer one, 403 where consent is
//! missing, 503 with `Retry-After` where Entra is out of reach. The caller reads none of the details; the log
//! has them.
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, extract::State, routing::get};
//! use tower_entra::{
//!     EntraAuthLayer, Validator,
//!     acquire::{AcquireError, AgentIdentity, Scopes, UserAssertion},
//! };
//!
//! async fn orders(
//!     State(agent): State<AgentIdentity>,
//!     caller: UserAssertion,
//! ) -> Result<String, AcquireError> {
//!     let scopes = Scopes::new(["api://orders/Orders.Read"])?;
//!     let token = agent.on_behalf_of(&caller).token(&scopes).await?;
//!     // … a call with token.authorization() …
//!     Ok(format!("called with {:?}", token.scopes().collect::<Vec<_>>()))
//! }
//!
//! fn app(validator: Validator, agent: AgentIdentity) -> Router {
//!     Router::new()
//!         .route("/orders", get(orders))
//!         .route_layer(EntraAuthLayer::new(validator).with_user_assertion())
//!         .with_state(agent)
//! }
//! ```
//!
//! An agent exchanges only a token whose audience is its blueprint's client id, of version 2.0: the validator
//! in front of such routes has [`Audiences::client_id`](crate::Audiences::client_id) of the blueprint.
//!
//! # Over tower
//!
//! [`EntraCallLayer`](crate::acquire::EntraCallLayer) puts the token into every request of a client, so no
//! handler does. One layer is for one API: it sends nothing to another scheme, host or port, and takes
//! credentials that came along out of the request.
//!
//! ## hyper-util
//!
//! ```
//! # use tower_entra::{ConfigError, acquire::AgentIdentity};
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use hyper::body::{Bytes, Incoming};
//! use hyper_util::{client::legacy::{Client, Error, connect::HttpConnector}, rt::TokioExecutor};
//! use tower::{Layer, ServiceExt};
//! use tower_entra::acquire::{CallError, CloneBody, EntraCall, EntraCallLayer, Scopes};
//!
//! type Orders = EntraCall<Client<HttpConnector, Empty<Bytes>>, CloneBody>;
//!
//! /// Once, at start.
//! fn orders(agent: AgentIdentity) -> Result<Orders, Box<dyn std::error::Error>> {
//!     let scopes = Scopes::default_of("api://orders")?;
//!     let layer = EntraCallLayer::new("http://127.0.0.1:8081", scopes)?
//!         .acting_as(agent.itself())
//!         .replay(CloneBody);
//!     Ok(layer.layer(Client::builder(TokioExecutor::new()).build_http()))
//! }
//!
//! async fn today(orders: &Orders) -> Result<Response<Incoming>, CallError<Error>> {
//!     let request = Request::get("http://127.0.0.1:8081/today").body(Empty::new());
//!     orders.clone().oneshot(request.expect("a URL")).await
//! }
//! ```
//!
//! Who acts in one request is said by a [`TokenSource`](crate::acquire::TokenSource) in its extensions:
//! `request.extensions_mut().insert(agent.on_behalf_of(&caller))`.
//!
//! ## A reverse proxy in axum
//!
//! The door puts the caller's token into the extensions, and the layer exchanges it there: the API behind gets a
//! token for itself, on behalf of the caller, and never the caller's own.
//!
#![cfg_attr(feature = "axum", doc = "```")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use axum::{Router, body::Body, extract::{Request, State}, response::{IntoResponse, Response}};
//! use http::{Uri, uri::PathAndQuery};
//! use hyper_util::{client::legacy::{Client, Error, connect::HttpConnector}, rt::TokioExecutor};
//! use tower::{Layer, ServiceExt};
//! use tower_entra::{
//!     EntraAuthLayer, Requirement, RequireLayer, Validator,
//!     acquire::{AgentIdentity, CallError, EntraCall, EntraCallLayer, Scopes},
//! };
//!
//! const API: &str = "127.0.0.1:8081";
//!
//! type Orders = EntraCall<Client<HttpConnector, Body>>;
//!
//! async fn forward(
//!     State(orders): State<Orders>,
//!     mut request: Request,
//! ) -> Result<Response, CallError<Error>> {
//!     let path = request.uri().path_and_query().cloned();
//!     let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
//!     let uri = Uri::builder().scheme("http").authority(API).path_and_query(path);
//!     *request.uri_mut() = uri.build().expect("all of its parts are valid");
//!     Ok(orders.oneshot(request).await?.into_response())
//! }
//!
//! fn proxy(
//!     validator: Validator,
//!     agent: AgentIdentity,
//! ) -> Result<Router, Box<dyn std::error::Error>> {
//!     let scopes = Scopes::new(["api://orders/Orders.Read"])?;
//!     let orders = EntraCallLayer::new(format!("http://{API}"), scopes)?
//!         .on_behalf_of_caller(agent)
//!         .layer(Client::builder(TokioExecutor::new()).build_http());
//!     Ok(Router::new()
//!         .fallback(forward)
//!         // A caller without a user is denied here: nothing can be done on its behalf.
//!         .layer(RequireLayer::new(Requirement::delegated()))
//!         .layer(EntraAuthLayer::new(validator).with_user_assertion())
//!         .with_state(orders))
//! }
//! ```
//!
//! [`CallError`](crate::acquire::CallError) is the answer where there is no token: a step-up that the API behind
//! asks for reaches the caller as its own claims challenge, if a [`replay`](crate::acquire::Replay) has the
//! challenge answered. The other headers and the hop-by-hop ones are the proxy's to choose.
//!
//! ## tonic
//!
//! The client names the origin of the API, which the layer compares; without it, tonic's requests name none and
//! are refused. The channel connects to its own endpoint, which is the same.
//!
//! ```
//! # use tower_entra::acquire::AgentIdentity;
//! use tonic::{client::Grpc, transport::{Channel, Endpoint, Uri}};
//! use tower::Layer;
//! use tower_entra::acquire::{EntraCall, EntraCallLayer, Scopes};
//!
//! fn orders(
//!     agent: &AgentIdentity,
//! ) -> Result<Grpc<EntraCall<Channel>>, Box<dyn std::error::Error>> {
//!     let api = "http://127.0.0.1:8082";
//!     let scopes = Scopes::default_of("api://orders")?;
//!     let layer = EntraCallLayer::new(api, scopes)?.acting_as(agent.itself());
//!     let channel = Endpoint::from_static(api).connect_lazy();
//!     // Of generated code: `OrdersClient::with_origin(..)`.
//!     Ok(Grpc::with_origin(layer.layer(channel), Uri::from_static(api)))
//! }
//! ```
//!
//! The layer answers no claims challenge that comes in a gRPC status: it reads the HTTP status, which is 200
//! beside `grpc-status: 16`. Read the claims from the `www-authenticate` of the status's metadata, and ask the
//! same source and scopes for a token with [`TokenOptions::claims`](crate::acquire::TokenOptions::claims) and,
//! for [`refused`](crate::acquire::TokenOptions::refused), the one that was sent. Then call once more: the layer
//! sends the new token.
//!
//! ## reqwest
//!
//! It hides the extensions of a request, so a clone of the service chooses who acts. Redirects are the client's:
//! switch them off. (It drops the token when one leads to another origin.)
//!
#![cfg_attr(feature = "http-client", doc = "```")]
#![cfg_attr(not(feature = "http-client"), doc = "```ignore")]
//! # use tower_entra::acquire::{AgentIdentity, UserAssertion};
//! use reqwest::{Client, Response, redirect::Policy};
//! use tower::{Layer, ServiceExt};
//! use tower_entra::acquire::{CallError, CloneBody, EntraCall, EntraCallLayer, Scopes};
//!
//! struct Orders {
//!     client: Client,
//!     service: EntraCall<Client, CloneBody>,
//! }
//!
//! fn orders() -> Result<Orders, Box<dyn std::error::Error>> {
//!     let client = Client::builder().redirect(Policy::none()).build()?;
//!     let scopes = Scopes::new(["api://orders/Orders.Read"])?;
//!     let layer = EntraCallLayer::new("https://orders.contoso.com", scopes)?.replay(CloneBody);
//!     Ok(Orders { service: layer.layer(client.clone()), client })
//! }
//!
//! async fn of(
//!     orders: &Orders,
//!     agent: &AgentIdentity,
//!     caller: &UserAssertion,
//! ) -> Result<Response, CallError<reqwest::Error>> {
//!     let request = orders.client.get("https://orders.contoso.com/today").build();
//!     let request = request.map_err(CallError::Inner)?;
//!     let service = orders.service.clone().acting_as(agent.on_behalf_of(caller));
//!     service.oneshot(request).await
//! }
//! ```
//!
//! ## Microsoft Graph
//!
//! ```
//! use tower_entra::acquire::{AgentIdentity, CloneBody, EntraCallLayer, Scopes};
//!
//! fn graph(
//!     agent: &AgentIdentity,
//! ) -> Result<EntraCallLayer<CloneBody>, Box<dyn std::error::Error>> {
//!     let scopes = Scopes::default_of("https://graph.microsoft.com")?;
//!     Ok(EntraCallLayer::new("https://graph.microsoft.com", scopes)?
//!         .acting_as(agent.itself())
//!         .replay(CloneBody))
//! }
//! ```
//!
//! - With [`claims_challenges(true)`](crate::acquire::ConfidentialClientBuilder::claims_challenges) on the client,
//!   Graph can revoke a token at any time and answers with a claims challenge. The layer answers it.
//! - Graph throttles with 429 and `Retry-After`. That goes back as it is: put a retry layer outside, which waits
//!   as long as it says and repeats only what may be repeated. The token is not asked for again.
//! - Pages have an absolute `@odata.nextLink`. It goes through the same service: one that leads elsewhere is
//!   refused.
//! - A national cloud has another origin, for the layer and for the scope alike.
//!
//! # What the API called will see
//!
//! | | as itself | on behalf of the caller | by its user account |
//! |---|---|---|---|
//! | [`kind`](crate::AgentPrincipal::kind) | `autonomous_agent` | `agent_on_behalf_of_user` | `agent_user` |
//! | [`client_id`](crate::AgentPrincipal::client_id) | the agent | the agent | the agent |
//! | [`object_id`](crate::AgentPrincipal::object_id) | the agent | **the person** | the account |
//! | [`parent_agent_blueprint`](crate::AgentPrincipal::parent_agent_blueprint) | the blueprint | the blueprint | the blueprint |
//! | grants | roles | scopes | scopes |
//!
//! The facets that tell an agent from an app come only if the registration of *that* API
//! [requests them](super::entra_setup).
//!
//! # The credential
//!
//! | | [`ClientCredential`](crate::acquire::ClientCredential) | |
//! |---|---|---|
//! | workload identity in Kubernetes | `assertion_file(AZURE_FEDERATED_TOKEN_FILE)` | the federated credential of the service account is on the **blueprint itself**; through a managed identity Entra refuses the chain (AADSTS700231) |
//! | managed identity | `assertion(..)`, or with the feature `azure` a `TokenCredential` | of the blueprint's own tenant |
//! | certificate | `certificate_pem(..)`, `certificate_file(..)` | PS256; `with_x5c()` where the registration trusts a subject name |
//! | client secret | `secret(..)` | for a trial: it is a password |
//!
//! Of the credentials, only the blueprint has one. An agent has none: it authenticates with the assertion that
//! its blueprint gets for it.
//!
//! # Set-up
//!
//! These are requests to [Microsoft Graph](https://learn.microsoft.com/en-us/graph/api/resources/agentid-platform-overview),
//! all with `Content-Type: application/json` and `OData-Version: 4.0`. The one who sends them has the role
//! *Agent ID Developer* or *Agent ID Administrator*, and the client the permissions of the second column. A
//! client that also has `Directory.AccessAsUser.All` or `Directory.ReadWrite.All` gets 403, by a known fault.
//!
//! | | permission | request to `https://graph.microsoft.com/v1.0` |
//! |---|---|---|
//! | the blueprint | `AgentIdentityBlueprint.Create` | `POST /applications/microsoft.graph.agentIdentityBlueprint` `{"displayName": "…", "sponsors@odata.bind": ["https://graph.microsoft.com/v1.0/users/{you}"]}`: its `appId` is `{blueprint}` |
//! | its principal | `AgentIdentityBlueprintPrincipal.Create` | `POST /servicePrincipals/microsoft.graph.agentIdentityBlueprintPrincipal` `{"appId": "{blueprint}"}` |
//! | a secret, for a trial | `AgentIdentityBlueprint.AddRemoveCreds.All` | `POST /applications(appId='{blueprint}')/microsoft.graph.agentIdentityBlueprint/addPassword` `{"passwordCredential": {"displayName": "trial"}}` |
//! | or a federated credential | the same | `POST /applications(appId='{blueprint}')/microsoft.graph.agentIdentityBlueprint/federatedIdentityCredentials` `{"name": "pod", "issuer": "…", "subject": "…", "audiences": ["api://AzureADTokenExchange"]}` |
//! | an agent | `AgentIdentity.Create.All` | `POST /servicePrincipals/microsoft.graph.agentIdentity` `{"displayName": "…", "agentIdentityBlueprintId": "{blueprint}", "sponsors@odata.bind": […]}`: its `id` is also its client id |
//! | its user account | `AgentIdUser.ReadWrite.IdentityParentedBy` | `POST /users/microsoft.graph.agentUser` `{"accountEnabled": true, "displayName": "…", "mailNickname": "…", "userPrincipalName": "…", "identityParentId": "{agent}"}` |
//!
//! Then, for each way, what it is granted:
//!
//! | | request |
//! |---|---|
//! | as itself | `POST /servicePrincipals/{object id of the API's principal}/appRoleAssignedTo` `{"principalId": "{agent}", "resourceId": "{object id of the API's principal}", "appRoleId": "…"}` |
//! | on behalf of people | `POST /oauth2PermissionGrants` `{"clientId": "{agent}", "consentType": "AllPrincipals", "resourceId": "{object id of the API's principal}", "scope": "Orders.Read"}`; for one person `"consentType": "Principal", "principalId": "{person}"` |
//! | by its user account | the same, with the account as `principalId`; a licence if it has a mailbox |
//!
//! To act on behalf of people, the blueprint is an API as well: clients ask for `api://{blueprint}/access_agent`,
//! so it needs that identifier URI, a scope, and `requestedAccessTokenVersion` 2, as in
//! [Entra set-up](super::entra_setup#the-registration-of-the-api). New objects need a minute or two until all of
//! Entra knows them.
//!
//! # Several tenants
//!
//! [`ConfidentialClient::in_tenant`](crate::acquire::ConfidentialClient::in_tenant) is the client in the tenant of
//! a caller ([`UserAssertion::tenant_id`](crate::acquire::UserAssertion::tenant_id)): every request of the chain
//! goes to that tenant, and what is remembered is kept apart. A token of one tenant is never exchanged in
//! another.
//!
//! # Claims challenges
//!
//! [`claims_challenges(true)`](crate::acquire::ConfidentialClientBuilder::claims_challenges) tells Entra that this
//! process answers them. Its tokens can then live for a day, and an API such as Microsoft Graph can refuse one
//! at any time. The [layer](#over-tower) answers its challenge. Without the layer, ask for the claims with
//! [`TokenOptions::claims`](crate::acquire::TokenOptions::claims), and call once more with that token. Where Entra
//! then wants something of the person on whose behalf the call is, the challenge is for that person: hand it on.
//!
//! # What is logged
//!
//! The target `tower_entra::acquire` has one event for each acquisition that made requests: `info` for a token,
//! `warn` for a failure, with `flow`, `client`, `agent`, `tenant`, `scopes`, `correlation_id`, the duration, and
//! for a failure `code`, `aadsts`, `reason` and `hint`. A token, a secret, an assertion or a user's name is in
//! none. A remembered token is only counted: see [`metrics`](crate::metrics).
//!
//! # What not to do
//!
//! - **Do not fall back** from one way to another. A call that fails on behalf of a person and then succeeds as
//!   the agent gives the person what they may not see.
//! - Do not build a client for each request, or for each user.
//! - Do not send a token to another origin than the API it is for, and follow no redirect with it.
//! - Do not retry a refusal. What can pass by itself is retried here; the rest has a
//!   [hint](crate::acquire::AcquireError::hint).
//! - Do not branch on [`AcquireError::code`](crate::acquire::AcquireError::code): Entra may change the numbers.
//!   The [kind](crate::acquire::AcquireErrorKind) is stable.
//! - Do not exchange a token that the door has not admitted. Only the door makes a `UserAssertion`.
//! - Do not keep tokens elsewhere. They are remembered here, in memory only, and renewed before they expire.
//!
//! # When there is no token
//!
//! | [kind](crate::acquire::AcquireErrorKind) | what to do |
//! |---|---|
//! | `consent_required` | grant the scopes to the agent; of the blueprint's permissions an agent inherits only those marked inheritable |
//! | `interaction_required` | hand the challenge on to the caller; for an agent's user account, ask an administrator |
//! | `assertion_refused` | the caller sends a new token, for the blueprint |
//! | `not_allowed` | an administrator's policy or assignment |
//! | `credential_refused` | the blueprint's credential: expired, replaced, of another registration |
//! | `misconfigured` | ids, tenant, resource, scopes |
//! | `throttled`, `busy`, `unavailable` | wait as long as [`retry_after`](crate::acquire::AcquireError::retry_after) says |
//! | `identity_mismatch` | the answer was a token of another identity: do not retry; check the authority |
