//! The layer, which a user configures.

use std::{fmt, sync::Arc};

use http::header::HeaderName;
use tower::Layer;

use super::{
    audit_log::Audit,
    challenge::Challenge,
    refusal_body::EmptyBody,
    responder::{Responder, Shared},
    service::EntraAuth,
    validators::Validators,
};
use crate::{
    admit::{token_header::TokenHeader, validator::Validator},
    config_error::ConfigError,
};

/// A [`Layer`] that lets requests through to the service inside only with a valid access token, and
/// then puts an [`AgentPrincipal`](crate::AgentPrincipal) into their extensions.
///
/// Every other request is answered here; the service inside is not called. A refusal is a response,
/// never an error of the service. It carries `Cache-Control: no-store`, the challenge that
/// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3) asks for, an empty body, and the
/// typed [`Error`](crate::Error) in its extensions:
///
/// | situation | status |
/// |---|---|
/// | no `Authorization`, another scheme than `Bearer`, or `Bearer` with nothing behind it | 401 |
/// | two `Authorization` headers, or a malformed one, or one with credentials of two schemes | 400 |
/// | the token does not pass a check | 401 |
/// | the token grants nothing | 403 |
/// | the keys to check it with are unavailable | 503 with `Retry-After` |
///
/// An admitted request keeps its `Authorization` header, marked as sensitive. A principal that is
/// already in a request's extensions is taken out first.
///
/// With axum, add it by `route_layer`: by `layer` it would answer unknown paths too, with 401 in place
/// of 404. Routes that are added to the router behind `route_layer` are open.
///
/// # The audit log
///
/// Each request makes one [`tracing`](https://docs.rs/tracing) event at the level `info`, unless
/// [`without_audit_log`](Self::without_audit_log) says otherwise. One that was admitted and then refused
/// by a [`Denial`](crate::Denial) makes two, in the order of the table. One that is admitted after a wait
/// for a key makes its event when the service inside is ready for it, and none if it goes away until
/// then.
///
/// | message | target | fields |
/// |---|---|---|
/// | `request admitted` | `tower_entra::audit::admitted` | those of [`AuditRecord`](crate::AuditRecord); those of the next table that apply; `hint`, for the first caller of the layer and its clones that is [`Unattested`](crate::AgentStatus::Unattested) |
/// | `request refused` | `tower_entra::audit::refused` | `code`, `reason` and `hint` of the [`Error`](crate::Error); if a handler refused by a [`Denial`](crate::Denial), `denial`, the code of its [`reason`](crate::Denial::reason), and those of `AuditRecord` and of the next table too |
///
/// A filter on `tower_entra::audit` is one on both targets; `tower_entra::audit::refused=info` leaves out
/// the events of requests that are served. The guide [observability](crate::guide::observability) has a
/// span that adds method, path and request id.
///
/// These fields are present only if they apply:
///
/// | field | |
/// |---|---|
/// | `no_client_id` | why there is no `client_id`: version 2.0 tokens name it in `azp`, version 1.0 tokens in `appid`, and the claim of the other version does not count |
/// | `groups_overage` | `true` if the subject is in more groups than the token could hold: see [`Groups::has_overage`](crate::Groups::has_overage) |
/// | `malformed_claims` | the names of claims that count as absent because of their form |
///
/// It holds no names, no addresses and no token. Values of a token that is not verified appear only in
/// `reason`, escaped, short, and in one line, which a plain format puts in quotes. A request that
/// [`optional`](Self::optional) lets through without a token makes an event of the first target at the
/// level `debug`.
///
/// Put tracing layers outside of this one. The header is marked as sensitive only further inside: one
/// that shows headers of requests shows the token, unless tower-http's
/// `SetSensitiveRequestHeadersLayer` for `Authorization`, or for the header of
/// [`token_from_header`](Self::token_from_header), is outside of both.
///
/// # Browsers
///
/// A [CORS](https://fetch.spec.whatwg.org/#http-cors-protocol) layer belongs outside too: a
/// preflight carries no token and would be refused here, and to a page a refusal without CORS headers
/// is only a network error. Let it allow `Authorization`, and expose `WWW-Authenticate`, or scripts
/// cannot read the challenge:
///
/// ```
/// # use http::{HeaderValue, header::{AUTHORIZATION, WWW_AUTHENTICATE}};
/// # use tower_entra::{EntraAuthLayer, Validator};
/// # fn layers(validator: Validator) {
/// use tower::ServiceBuilder;
/// use tower_http::cors::CorsLayer;
///
/// let cors = CorsLayer::new()
///     .allow_origin(HeaderValue::from_static("https://app.example"))
///     .allow_headers([AUTHORIZATION])
///     .expose_headers([WWW_AUTHENTICATE]);
/// let layers = ServiceBuilder::new().layer(cors).layer(EntraAuthLayer::new(validator));
/// # }
/// ```
///
/// # gRPC
///
/// The layer works around a gRPC service unchanged. With [`answers_grpc`](Self::answers_grpc) its
/// refusals have a `grpc-status`. Without, clients go
/// [by the HTTP status](https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md):
/// 401 is `UNAUTHENTICATED`, 403 `PERMISSION_DENIED`, 503 `UNAVAILABLE`, and 400, a malformed
/// `Authorization`, `INTERNAL`. Few of them show the challenge. A handler refuses by
/// [`Denial::grpc_status`](crate::Denial::grpc_status).
#[derive(Clone)]
pub struct EntraAuthLayer<B = EmptyBody> {
    validators: Validators,
    is_optional: bool,
    responder: Responder<B>,
}

impl EntraAuthLayer {
    /// Refuses what `validator` does not admit; [`or`](Self::or) adds others. The `realm` of its challenges
    /// is the validator's first audience.
    #[must_use]
    pub fn new(validator: Validator) -> Self {
        let realm = validator.audiences().first().map_or("", String::as_str);
        let shared = Arc::new(Shared {
            challenge: Challenge::new(validator.authority(), realm),
            audit: Audit::on(),
        });
        let responder = Responder {
            shared,
            body: EmptyBody,
            #[cfg(feature = "acquire")]
            gives_assertion: false,
            gives_principal: false,
            ends_streams: false,
            answers_grpc: false,
        };
        Self {
            validators: Validators::new(validator),
            is_optional: false,
            responder,
        }
    }
}

impl<B> EntraAuthLayer<B> {
    /// Adds the validator of another authority: one API for a workforce tenant and for an external tenant,
    /// say. May be called again.
    ///
    /// The `iss` of a token, which nothing vouches for yet, picks one validator: the first that is for this
    /// issuer and for the tenant in it. That one makes every check and decides alone. What it refuses is
    /// refused; no other is tried. A token that names an issuer of none, or whose `iss` cannot be read, is
    /// refused by the first validator of the layer, with its reason. Of two validators for the same issuer
    /// and tenant, with other audiences say, only the earlier gets tokens: name the one with a list of
    /// tenants before one for any organization. The public cloud and that of the US Government have the same
    /// issuer of version 1.0 tokens.
    ///
    /// ```
    /// # use tower_entra::{Authority, ConfigError, EntraAuthLayer, Tenants, Validator};
    /// # fn layer() -> Result<EntraAuthLayer, ConfigError> {
    /// let workforce = Validator::builder(
    ///     Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40"),
    ///     ["3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a"],
    /// );
    /// let customers = Validator::builder(
    ///     Tenants::single("dd0f374e-74a5-4996-af69-500cda64057a"),
    ///     ["001458b4-6bef-4de5-acde-bf9b2edaf9fb"],
    /// )
    /// .authority(Authority::custom("https://{tid}.ciamlogin.com"));
    ///
    /// let layer = EntraAuthLayer::new(workforce.build()?).or(customers.build()?);
    /// # Ok(layer)
    /// # }
    /// ```
    ///
    /// Each validator keeps its own keys, limits and cache, and its own answer to whether a token must
    /// [grant something](Validator::with_authorization_by_acl). All of them fetch keys from the first
    /// request on; a readiness probe asks each for its [`status`](Validator::status). Challenges are those
    /// of the first, with its `realm` and the endpoint of
    /// [`with_authorization_uri`](Self::with_authorization_uri). Only the claims challenge to a caller that
    /// another validator has admitted names the authority of that one. To name the other authority in
    /// [`ProtectedResourceMetadata`](crate::ProtectedResourceMetadata), use
    /// [`with_authorization_servers`](crate::ProtectedResourceMetadata::with_authorization_servers).
    ///
    /// Name the keys of each by [`with_name`](crate::KeySettings::with_name), or their metrics share one
    /// series.
    ///
    /// With one validator this costs nothing. With several, the claims of each token are decoded, and read up
    /// to their first `iss`, before any check, of a remembered token too.
    ///
    /// What it does not protect from:
    ///
    /// - Callers of all these authorities reach the same handlers. Tell them apart by
    ///   [`tenant_id`](crate::AgentPrincipal::tenant_id), never by an object id or a role only: the
    ///   administrators of each tenant choose what its tokens say.
    /// - A client chooses the validator that answers it, and so which one may have to fetch keys.
    #[must_use]
    pub fn or(mut self, other: Validator) -> Self {
        let challenge = self.responder.challenge_mut();
        challenge.push_authority(other.authority());
        self.validators.push(other);
        self
    }

    /// Lets a request *without* a token through, without a principal. A bad token is still refused, and
    /// so are the schemes `DPoP` and `PoP`, the word `Bearer` with nothing behind it, and a header of
    /// another scheme with `Bearer` behind a comma. The default is to refuse them all.
    ///
    /// A [`RequireLayer`](crate::RequireLayer) inside, and with feature `axum` a handler that extracts
    /// an [`AgentPrincipal`](crate::AgentPrincipal), answer such a request with 401 all the same.
    #[must_use]
    pub fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }

    /// Reads the token from this header and from no other, with the same grammar: `Bearer`, a space, one
    /// token, and one such header. Default: `Authorization`.
    ///
    /// For an API behind a platform or a proxy that keeps `Authorization` for itself, as Azure Static Web
    /// Apps does. `Authorization` is then not read. A request whose only token is there has none: 401, and
    /// anonymous in [`optional`](Self::optional) mode. The answers are those of the
    /// [type](Self) with this header in the place of `Authorization`: two are 400, the challenge comes in
    /// `WWW-Authenticate`, and texts name the header, but for the `Display` of an
    /// [`ErrorKind`](crate::ErrorKind). An admitted request keeps the header, marked as sensitive.
    ///
    /// ```
    /// # use http::HeaderName;
    /// # use tower_entra::{ConfigError, EntraAuthLayer, Validator};
    /// # fn layer(validator: Validator) -> Result<EntraAuthLayer, ConfigError> {
    /// let header = HeaderName::from_static("x-forwarded-authorization");
    /// EntraAuthLayer::new(validator).token_from_header(header)
    /// # }
    /// ```
    ///
    /// A shared cache that sees no `Authorization` takes an answer for one that everyone may have. So every
    /// response of the service inside names the header in `Vary`, and that to a caller is
    /// `Cache-Control: private`, unless the service has set it. Refusals are `no-store`, as always.
    ///
    /// What it does not protect from:
    ///
    /// - A cache that ignores both, or a `Cache-Control` of the service that allows sharing.
    /// - A proxy that adds this header must remove it from the requests that it gets. Otherwise a client
    ///   chooses which token the proxy vouches for, or has its requests refused as holding two.
    /// - The platform's own `Authorization` is not checked, neither here nor anywhere else in this crate.
    ///   It stays in the request, and is not marked as sensitive.
    /// - A cross-origin page may send this header only if a CORS layer allows it, instead of
    ///   `Authorization`. Clients by RFC 9728 know no other header than `Authorization`, whatever
    ///   [`ProtectedResourceMetadata`](crate::ProtectedResourceMetadata) says.
    ///
    /// # Errors
    ///
    /// Fails for a header that a browser, a proxy or the connection writes: the
    /// [forbidden request-headers](https://fetch.spec.whatwg.org/#forbidden-request-header) of Fetch, among
    /// them `Cookie`, `Host` and all that begin with `Proxy-` or `Sec-`. A browser would send a token in
    /// `Cookie` with requests that other sites make.
    pub fn token_from_header(mut self, name: HeaderName) -> Result<Self, ConfigError> {
        let header = TokenHeader::of(name)?;
        self.responder.challenge_mut().set_token_header(header);
        Ok(self)
    }

    /// Sets the `realm` of challenges. Default: the validator's first audience.
    ///
    /// # Errors
    ///
    /// Fails if the realm has a quote, a backslash, or a character that is not printable ASCII.
    pub fn with_realm(mut self, realm: impl Into<String>) -> Result<Self, ConfigError> {
        self.responder.challenge_mut().set_realm(realm.into())?;
        Ok(self)
    }

    /// Leaves `realm` out of challenges, but for a claims challenge: Entra's own has it empty. Default: it is
    /// the validator's first audience.
    ///
    /// A request without a token is then answered by the word `Bearer` only, as ASP.NET Core does.
    /// [RFC 6750, section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3) asks for a parameter behind
    /// it, and some clients do not read a challenge without one. A later [`with_realm`](Self::with_realm)
    /// puts it back.
    #[must_use]
    pub fn without_realm(mut self) -> Self {
        self.responder.challenge_mut().remove_realm();
        self
    }

    /// Names the URL of the API's protected-resource metadata in challenges:
    /// [RFC 9728, section 5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1). Default: none.
    /// [`ProtectedResourceMetadata`](crate::ProtectedResourceMetadata) has the URL and the document.
    ///
    /// # Errors
    ///
    /// Fails if this is not an `http` or `https` URL, or one with a fragment or a user.
    pub fn with_resource_metadata(mut self, url: impl Into<String>) -> Result<Self, ConfigError> {
        self.responder
            .challenge_mut()
            .set_resource_metadata(url.into())?;
        Ok(self)
    }

    /// Names Entra's authorize endpoint as `authorization_uri` in every 401:
    /// `{authority}/{tenant}/oauth2/v2.0/authorize`, with the tenant's GUID if there is only one, and
    /// otherwise `organizations` or `common`. Default: only in a claims challenge.
    ///
    /// Clients such as Excel and Power Query send `Authorization: Bearer` without a token to find out
    /// where to sign in. It tells every client which authority, and which single tenant, this API
    /// trusts.
    #[must_use]
    pub fn with_authorization_uri(mut self) -> Self {
        let uri = self.validators.first().authorization_uri();
        self.responder.challenge_mut().set_authorization_uri(uri);
        self
    }

    /// Puts the [`AgentPrincipal`](crate::AgentPrincipal) of an admitted request into the extensions of
    /// its response as well, for layers outside of this one: an access log that names who called.
    /// Default: only into the request's.
    ///
    /// It proves nothing about other responses: a layer between may drop the extensions, and a service
    /// inside may have put another principal there, which this one replaces.
    #[must_use]
    pub fn with_principal_in_response(mut self) -> Self {
        self.responder.gives_principal = true;
        self
    }

    /// Puts a [`UserAssertion`](crate::acquire::UserAssertion) into the extensions of an admitted request
    /// whose token is delegated: what the API needs to ask for a token of another API on behalf of its
    /// caller. Default: the token stays in its header only.
    ///
    /// ```
    /// use tower_entra::{EntraAuthLayer, Validator, acquire::UserAssertion};
    ///
    /// # fn layer(validator: Validator) {
    /// let layer = EntraAuthLayer::new(validator).with_user_assertion();
    /// # }
    /// # fn handle(request: http::Request<()>) {
    /// // In the service inside. With the feature `axum`, a handler extracts it.
    /// let user: Option<&UserAssertion> = request.extensions().get();
    /// # }
    /// ```
    ///
    /// The token of an app or an agent that acts as itself gives none, and nor does a request that
    /// [`optional`](Self::optional) lets through without a token. With [several validators](Self::or) it is
    /// the token that one of them has admitted. An assertion that an outer layer has put there is taken out
    /// first, whether or not this setting is on: it belongs to another principal.
    ///
    /// It costs a copy of each such token, and a SHA-256 where a token is asked for on behalf of its user.
    /// Without it, a request costs no more than before.
    #[cfg(feature = "acquire")]
    #[must_use]
    pub fn with_user_assertion(mut self) -> Self {
        self.responder.gives_assertion = true;
        self
    }

    /// Answers a refused gRPC call as gRPC does, with `grpc-status` and `grpc-message`: `Trailers-Only`
    /// of [gRPC over HTTP/2](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses).
    /// Default: by the HTTP status, like every request.
    ///
    /// | answer to other requests | to a gRPC call |
    /// |---|---|
    /// | 400, 401 | 16, `UNAUTHENTICATED` |
    /// | 403 | 7, `PERMISSION_DENIED` |
    /// | 503 | 14, `UNAVAILABLE` |
    ///
    /// **The HTTP status is then 200.** A gRPC call is a `POST` with the content type
    /// `application/grpc`, with or without `+` and a format; not gRPC-Web. A client chooses that. So
    /// do not set it where something outside reads the HTTP status as the verdict: a proxy that asks this
    /// server whether to let a request through (`auth_request`, forward authentication) would let it
    /// through.
    ///
    /// The message is one of a closed list of texts. Challenge, `Retry-After` and `Cache-Control` stay,
    /// and are metadata to the client. The body is empty: a [`refusal_body`](Self::refusal_body) that has
    /// no [`empty_body`](crate::RefusalBody::empty_body), such as a closure, leaves such calls to the HTTP
    /// status. A [`RequireLayer`](crate::RequireLayer) inside is answered for in the same way, and
    /// [`Denial::grpc_status`](crate::Denial::grpc_status) is for handlers.
    #[must_use]
    pub fn answers_grpc(mut self) -> Self {
        self.responder.answers_grpc = true;
        self
    }

    /// Names the scopes to ask for in the challenge to a request without a token. Default: none.
    /// Entra expects them in full, `api://…/Orders.Read`, although tokens contain only `Orders.Read`.
    ///
    /// # Errors
    ///
    /// Fails if one of them is no scope token of
    /// [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
    pub fn with_scopes<I>(mut self, scopes: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        self.responder.challenge_mut().set_scopes(&scopes)?;
        Ok(self)
    }

    /// Keeps no audit log. Refusals are then logged at the level `debug`, with the target `tower_entra`.
    ///
    /// By default each request that is decided makes an event below the target `tower_entra::audit`, at
    /// the level `info`, and a second one if it is denied after that: see the [type](Self#the-audit-log).
    /// To log only refusals, filter by their target instead.
    #[must_use]
    pub fn without_audit_log(mut self) -> Self {
        Arc::make_mut(&mut self.responder.shared).audit = Audit::Off;
        self
    }

    /// Puts this before the scopes that a [`Denial`](crate::Denial) or a
    /// [`Requirement`](crate::Requirement) names, only in challenges: `api://<client id>/`, with the
    /// slash. Default: nothing.
    ///
    /// Tokens and requirements have scopes in their short form. A client has to ask for them in full;
    /// Entra takes a scope without a prefix for one of Microsoft Graph. A scope with `://` in it stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// Fails if this is empty or has a character that no scope has, such as a space or a quote.
    pub fn with_scope_prefix(mut self, prefix: impl Into<String>) -> Result<Self, ConfigError> {
        self.responder
            .challenge_mut()
            .set_scope_prefix(prefix.into())?;
        Ok(self)
    }

    /// Has the response future say when the body ends: it is for the layer around this one to end it.
    pub(super) fn telling_ends(mut self) -> Self {
        self.responder.ends_streams = true;
        self
    }

    /// Builds the bodies of refusals with `body`, which may add headers that describe them. Default:
    /// an empty body. Status, challenge and `Retry-After` stay as they are.
    ///
    /// Once, for the whole API: it builds the bodies of denials inside of this layer as well, where they
    /// were left empty. Those are the denials of a [`RequireLayer`](crate::RequireLayer) without a
    /// `refusal_body` of its own, of an axum handler that returns a [`Denial`](crate::Denial), and of
    /// [`Denial::response`](crate::Denial::response). A response with a `Content-Type` keeps its
    /// body. A body that a handler has put into such a response without one is replaced.
    ///
    /// ```
    /// # use tower_entra::{EntraAuthLayer, Error, Validator};
    /// # use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
    /// # fn layer(validator: Validator) {
    /// let layer = EntraAuthLayer::new(validator).refusal_body(
    ///     |error: &Error, headers: &mut HeaderMap| {
    ///         headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    ///         format!(r#"{{"title":"{}"}}"#, error.kind())
    ///     },
    /// );
    /// # }
    /// ```
    ///
    /// Send the client at most the `Display` of the [kind](crate::Error::kind). Its
    /// [`as_str`](crate::ErrorKind::as_str) distinguishes an unknown key from a bad signature, which
    /// reveals the keys that are in force. The error itself shows values of the token, which may be
    /// forged, and of the configuration: both are for the log.
    #[doc(alias("problem+json", "with_problem_json"))]
    #[must_use]
    pub fn refusal_body<F>(self, body: F) -> EntraAuthLayer<F> {
        EntraAuthLayer {
            validators: self.validators,
            is_optional: self.is_optional,
            responder: Responder {
                shared: self.responder.shared,
                body,
                #[cfg(feature = "acquire")]
                gives_assertion: self.responder.gives_assertion,
                gives_principal: self.responder.gives_principal,
                ends_streams: self.responder.ends_streams,
                answers_grpc: self.responder.answers_grpc,
            },
        }
    }
}

impl<S, B: Clone> Layer<S> for EntraAuthLayer<B> {
    type Service = EntraAuth<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        EntraAuth::new(
            inner,
            self.validators.clone(),
            self.is_optional,
            self.responder.clone(),
        )
    }
}

impl<B> fmt::Debug for EntraAuthLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraAuthLayer")
            .field("validators", &self.validators)
            .field("is_optional", &self.is_optional)
            .finish_non_exhaustive()
    }
}
