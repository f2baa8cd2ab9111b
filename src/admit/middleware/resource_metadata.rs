//! The protected-resource metadata, from which clients learn where to get a token for this API.

use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE,
    },
};
use serde::Serialize;
use tower::Service;

use crate::{
    admit::validator::Validator,
    characters::{is_scope_token, is_uri_character},
    config_error::ConfigError,
    origin::Origin,
    shown::url_problem,
};

/// The protected-resource metadata of
/// [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728#section-2): a description of the API for clients
/// that have no token yet. Clients of the Model Context Protocol depend on it.
///
/// The [`service`](Self::service) sends it and demands no token. Route it beside the layer and not
/// behind it, and name its URL in challenges:
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use tower_entra::{ConfigError, EntraAuthLayer, ProtectedResourceMetadata, Validator};
///
/// fn app(validator: Validator) -> Result<Router, ConfigError> {
///     let metadata = ProtectedResourceMetadata::new("https://api.example/orders", &validator)?
///         .with_scopes(["https://api.example/orders/Orders.Read"])?;
///     let layer = EntraAuthLayer::new(validator)
///         .with_resource_metadata(metadata.well_known_url()?)?;
///     Ok(Router::new()
///         .route("/orders", get(|| async { "orders" }).layer(layer))
///         .route_service(&metadata.well_known_path(), metadata.service::<Body>()))
/// }
/// ```
///
/// # What to call the resource
///
/// Clients compare `resource` with the URL that they called, and send it to the authorization
/// server ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)), where Entra compares it with the
/// requested scopes. One name satisfies both: an `https` URL under which clients reach the API, and
/// which is also an *identifier URI* of its app registration. Entra accepts one in a verified domain
/// of the tenant. Scopes are then that URL, a slash, and the name of the scope.
///
/// An audience of the validator, `api://…` or a client id, is accepted too: Entra knows it, and many
/// of its clients need nothing else. Clients that follow RFC 9728 will not accept it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProtectedResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_documentation: Option<String>,
}

impl ProtectedResourceMetadata {
    /// Describes the API whose tokens `validator` checks. Its authorization servers are the issuers
    /// of version 2.0 tokens: `{authority}/{tid}/v2.0` for each tenant that is listed; where any
    /// tenant is accepted, one with `organizations` or `common` in the place of `{tid}`.
    ///
    /// A resource that is none of the validator's audiences is logged once, with the audiences. It is
    /// correct if it is an identifier URI of the registration, which this crate cannot find out; if
    /// not, Entra refuses requests for a token for it with `AADSTS9010010`. The level is `warn`, or
    /// `info` where all audiences are client ids, as is usual when tokens are of version 2.0. Once it
    /// is an identifier URI, list it as an audience as well: that ends the message.
    ///
    /// # Errors
    ///
    /// Fails if the resource is neither an `https` URL without a fragment (`http` is accepted for a
    /// loopback address or `localhost`), nor one of the validator's audiences. Fails too if a segment of
    /// the URL's path begins with `:` or `*`: axum panics on such a
    /// [`well_known_path`](Self::well_known_path), and other routers take it for a pattern.
    pub fn new(resource: impl Into<String>, validator: &Validator) -> Result<Self, ConfigError> {
        let resource = resource.into();
        if !is_secure_url(&resource) && !validator.audiences().contains(&resource) {
            let problem = url_problem(
                &resource,
                "is neither an https URL nor one of the audiences",
            );
            return Err(ConfigError::new("resource", problem));
        }
        if is_secure_url(&resource) && has_a_pattern(&resource) {
            let problem = format!(
                "{resource:?} has a path segment that begins with ':' or '*', which routers take for \
                 a pattern"
            );
            return Err(ConfigError::new("resource", problem));
        }
        warn_of_unknown_resource(&resource, validator.audiences());
        Ok(Self {
            resource,
            authorization_servers: validator.authorization_servers(),
            scopes_supported: Vec::new(),
            bearer_methods_supported: ["header"],
            resource_name: None,
            resource_documentation: None,
        })
    }

    /// Names other authorization servers than the validator's: to keep a list of tenants, which may
    /// be customers, private, or where another authorization server is in front of Entra.
    ///
    /// # Errors
    ///
    /// Fails if the list is empty, or if one of them is no `https` URL (`http` is accepted for this
    /// machine) or has a query or a fragment.
    pub fn with_authorization_servers<I>(mut self, issuers: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let issuers: Vec<String> = issuers.into_iter().map(Into::into).collect();
        let is_issuer = |issuer: &String| is_secure_url(issuer) && !issuer.contains('?');
        let problem = match issuers.iter().find(|issuer| !is_issuer(issuer)) {
            Some(issuer) => url_problem(issuer, "is not an https URL without a query"),
            None if issuers.is_empty() => "the list is empty".to_owned(),
            None => {
                self.authorization_servers = issuers;
                return Ok(self);
            }
        };
        Err(ConfigError::new("authorization_servers", problem))
    }

    /// Lists scopes that clients may ask for, in full, as Entra expects them: `api://…/Orders.Read`,
    /// although tokens contain only `Orders.Read`. Default: none, and the member is absent from the
    /// document.
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
        self.scopes_supported = scopes.into_iter().map(Into::into).collect();
        match self
            .scopes_supported
            .iter()
            .find(|scope| !is_scope_token(scope))
        {
            Some(scope) => Err(ConfigError::new(
                "scopes",
                format!("{scope:?} is not one scope"),
            )),
            None => Ok(self),
        }
    }

    /// Names the API for people. Default: none.
    ///
    /// # Errors
    ///
    /// Fails if the name is blank or has a control character.
    pub fn with_resource_name(mut self, name: impl Into<String>) -> Result<Self, ConfigError> {
        let name = name.into();
        if name.trim().is_empty() || name.contains(char::is_control) {
            return Err(ConfigError::new(
                "resource_name",
                format!("{name:?} is no name"),
            ));
        }
        self.resource_name = Some(name);
        Ok(self)
    }

    /// Names a page for developers. Default: none.
    ///
    /// # Errors
    ///
    /// Fails if this is not an `http` or `https` URL.
    pub fn with_resource_documentation(
        mut self,
        url: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let url = url.into();
        if !url.bytes().all(is_uri_character) || Origin::of(&url).is_none() {
            let problem = url_problem(&url, "is not an http or https URL");
            return Err(ConfigError::new("resource_documentation", problem));
        }
        self.resource_documentation = Some(url);
        Ok(self)
    }

    /// The name of the API.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The document, as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts and lists of texts can be written as JSON")
    }

    /// Where clients look for the document:
    /// [RFC 9728, section 3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1). The well-known
    /// path is inserted between the host and the path of the resource: the document of
    /// `https://api.example/mcp` is at `https://api.example/.well-known/oauth-protected-resource/mcp`.
    ///
    /// # Errors
    ///
    /// Fails if the resource is no URL but an audience such as `api://…`, from which no location of a
    /// document follows.
    pub fn well_known_url(&self) -> Result<String, ConfigError> {
        if !is_secure_url(&self.resource) {
            let problem = format!(
                "{:?} is no URL, so its document has no location",
                self.resource
            );
            return Err(ConfigError::new("resource", problem));
        }
        let (origin, tail) = self.resource.split_at(self.end_of_host());
        Ok(format!("{origin}{WELL_KNOWN}{}", without_lone_slash(tail)))
    }

    /// The path of that URL, for a router. Where the resource is no URL, or one without a path, it
    /// is `/.well-known/oauth-protected-resource`.
    #[must_use]
    pub fn well_known_path(&self) -> String {
        if !is_secure_url(&self.resource) {
            return WELL_KNOWN.to_owned();
        }
        let (_, tail) = self.resource.split_at(self.end_of_host());
        let path = tail.split('?').next().unwrap_or_default();
        format!("{WELL_KNOWN}{}", without_lone_slash(path))
    }

    /// A service that answers every `GET` and `HEAD` with the document, whatever the path.
    ///
    /// `B` is the body of its answers: `axum::body::Body`, `http_body_util::Full<Bytes>`, or any
    /// other type that a [`String`] converts into.
    #[must_use]
    pub fn service<B>(&self) -> ResourceMetadataService<B> {
        ResourceMetadataService {
            document: self.to_json().into(),
            body: PhantomData,
        }
    }

    /// Where the path or the query of a resource that is a URL begins.
    fn end_of_host(&self) -> usize {
        let host = self.resource.find("://").map_or(0, |at| at + 3);
        let rest = self.resource.get(host..).unwrap_or_default();
        rest.find(['/', '?'])
            .map_or(self.resource.len(), |at| host + at)
    }
}

/// Answers with the metadata of a protected resource: see [`ProtectedResourceMetadata::service`].
///
/// It demands no token and never fails. A `GET` is answered with `application/json` that may be
/// cached for an hour, and a `HEAD` with its headers; any other method with 405.
///
/// Every answer has `Access-Control-Allow-Origin: *`, and `OPTIONS` is answered as the preflight of a
/// `GET`: clients that run in a browser must read the document before they have a token, and it is
/// public and the same for every client. A CORS layer outside replaces these headers.
pub struct ResourceMetadataService<B> {
    document: Arc<str>,
    body: PhantomData<fn() -> B>,
}

impl<B: From<String>> ResourceMetadataService<B> {
    fn answer(&self, method: &Method) -> Response<B> {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE);
        let (status, body) = match *method {
            Method::GET => {
                self.describe(&mut headers);
                (StatusCode::OK, (*self.document).to_owned())
            }
            Method::HEAD => {
                self.describe(&mut headers);
                (StatusCode::OK, String::new())
            }
            Method::OPTIONS => {
                headers.insert(ALLOW, METHODS);
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ANYONE);
                headers.insert(ACCESS_CONTROL_MAX_AGE, AN_HOUR);
                (StatusCode::NO_CONTENT, String::new())
            }
            _ => {
                headers.insert(ALLOW, METHODS);
                (StatusCode::METHOD_NOT_ALLOWED, String::new())
            }
        };
        let mut response = Response::new(B::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    fn describe(&self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, self.document.len().into());
        let for_an_hour = HeaderValue::from_static("public, max-age=3600");
        headers.insert(CACHE_CONTROL, for_an_hour);
    }
}

impl<B: From<String>, ReqBody> Service<Request<ReqBody>> for ResourceMetadataService<B> {
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Ready<Result<Response<B>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        ready(Ok(self.answer(request.method())))
    }
}

// Not derived, because a body need not be `Clone` or `Debug`.
impl<B> Clone for ResourceMetadataService<B> {
    fn clone(&self) -> Self {
        Self {
            document: Arc::clone(&self.document),
            body: PhantomData,
        }
    }
}

impl<B> fmt::Debug for ResourceMetadataService<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceMetadataService")
            .field("document", &self.document)
            .finish()
    }
}

/// Entra issues tokens only for the identifier URIs of a registration. The only sign here that the
/// resource is one is that it is among the audiences.
fn warn_of_unknown_resource(resource: &str, audiences: &[String]) {
    if audiences.iter().any(|audience| audience == resource) {
        return;
    }
    let names_identifier_uri = audiences.iter().any(|audience| audience.contains("://"));
    if names_identifier_uri {
        tracing::warn!(target: TARGET, resource, ?audiences, hint = REGISTER, "{UNKNOWN_RESOURCE}");
    } else {
        tracing::info!(target: TARGET, resource, ?audiences, hint = REGISTER, "{UNKNOWN_RESOURCE}");
    }
}

/// Whether this is an `https` URL without a fragment, or an `http` one on this machine.
fn is_secure_url(url: &str) -> bool {
    let is_local = |origin: &Origin| {
        let uri: Option<Uri> = url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host);
        origin.is_loopback_address() || host.is_some_and(|host| host == "localhost")
    };
    !url.contains('#')
        && url.bytes().all(is_uri_character)
        && Origin::of(url).is_some_and(|origin| origin.is_https() || is_local(&origin))
}

/// Whether a router would take a segment of the path for a pattern. The braces of others are no
/// characters of a URL.
fn has_a_pattern(url: &str) -> bool {
    let path = url.split('?').next().unwrap_or_default();
    path.contains("/:") || path.contains("/*")
}

/// RFC 9728, section 3.1: a slash that only terminates the host is removed.
fn without_lone_slash(tail: &str) -> &str {
    match tail.strip_prefix('/') {
        Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
        _ => tail,
    }
}

const TARGET: &str = "tower_entra";
const UNKNOWN_RESOURCE: &str = "the resource of the metadata is none of the configured audiences";
const REGISTER: &str = "Make the resource an identifier URI of the API's registration (AADSTS9010010 is \
    what Entra answers to clients if it is none), and list it as an audience as well, which ends this \
    message.";
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
const ANYONE: HeaderValue = HeaderValue::from_static("*");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const AN_HOUR: HeaderValue = HeaderValue::from_static("3600");
