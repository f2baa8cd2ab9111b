//! A requirement for each route, in one list. A route that is not on it is closed.

use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, request::Parts};
use tower::{Layer, Service};

use super::{
    caller::caller,
    deny::deny,
    refusal_body::{EmptyBody, RefusalBody},
    require::RequireFuture,
};
use crate::{
    admit::{
        principal::AgentPrincipal,
        requirement::{Demand, Denial, Requirement},
    },
    config_error::ConfigError,
    shown::Shown,
};

/// A [`Layer`] with a requirement for each route, which refuses a request of any other route: deny by
/// default.
///
/// A route for which nothing is stated is closed to every caller, and its handler does not run. So a route
/// that is added and forgotten fails at its first call, and is not open to every caller with a token. The
/// closure names the route of a request; in axum that is its `MatchedPath`, in full where routers are nested:
///
/// ```
/// use axum::{Router, extract::MatchedPath, routing::{get, post}};
/// use http::Method;
/// use tower_entra::{ConfigError, EntraAuthLayer, RequireRoutesLayer, Requirement, Validator};
///
/// fn app(validator: Validator) -> Result<Router, ConfigError> {
///     let may_read = Requirement::static_scope_or_role("Orders.Read", "Orders.Read.All");
///     let may_approve = Requirement::people().and(Requirement::scope("Orders.Approve")?)?;
///
///     let routes = RequireRoutesLayer::new(|request| {
///         request.extensions.get::<MatchedPath>().map(MatchedPath::as_str)
///     })
///     .require("/orders", may_read)?
///     .require_method(Method::POST, "/orders/{id}/approval", may_approve)?
///     .any_caller("/whoami")?;
///
///     Ok(Router::new()
///         .route("/orders", get(|| async { "orders" }))
///         .route("/orders/{id}/approval", post(|| async { "approved" }))
///         .route("/whoami", get(|| async { "you" }))
///         // Refused, with an error in the log, until something is stated for it.
///         .route("/orders/export", get(|| async { "everything" }))
///         // After all routes: it does not cover one that is added later.
///         .route_layer(routes)
///         .route_layer(EntraAuthLayer::new(validator)))
/// }
/// # let tenant = tower_entra::Tenants::single("7090e106-1ad3-4313-9b7a-75cc3e576d40");
/// # app(Validator::builder(tenant, ["api"]).build().unwrap()).unwrap();
/// ```
///
/// Without axum, and for the methods of a gRPC service, [`by_path`](Self::by_path) names a route by the
/// path of the request.
///
/// Put it inside of an [`EntraAuthLayer`](crate::EntraAuthLayer). Refusals are those of a
/// [`RequireLayer`](crate::RequireLayer):
///
/// | situation | status |
/// |---|---|
/// | the caller satisfies what is stated for the route | that of the service inside |
/// | it does not | that of the denial: 403, or 401 with a challenge to step up |
/// | nothing is stated for the route | 403 with the reason [`UnstatedRoute`](crate::DenialReason::UnstatedRoute), and an error in the log that names the route |
/// | something is stated for the route, but not for the method | the same, without an error in the log |
/// | the closure names no route | the same |
/// | there was no token, and the layer outside is [optional](crate::EntraAuthLayer::optional) | 401, but for an [open](Self::open) route |
/// | no `EntraAuthLayer` is outside | 500, and an error in the log, but for an open route |
///
/// What it does not protect from: a route that is added after it, or to another router; a layer inside
/// that rewrites the path, where the path names the route; and what a requirement does not say.
#[derive(Clone)]
pub struct RequireRoutesLayer<B = EmptyBody> {
    routes: Routes,
    body: B,
}

/// What is stated, and for which route.
#[derive(Clone)]
struct Routes {
    route_of: RouteOf,
    stated: Arc<HashMap<String, Stated>>,
}

type RouteOf = Arc<dyn for<'r> Fn(&'r Parts) -> Option<&'r str> + Send + Sync>;

/// What is stated for a route.
#[derive(Clone, Default)]
struct Stated {
    every_method: Option<Access>,
    methods: Vec<(Method, Access)>,
}

#[derive(Clone)]
enum Access {
    Open,
    AnyCaller,
    Satisfying(Requirement),
}

impl RequireRoutesLayer {
    /// Names the route of a request with `route_of`, and so far refuses every request.
    ///
    /// The closure must name a route as the router inside does. `None` is refused.
    #[must_use]
    pub fn new<F>(route_of: F) -> Self
    where
        F: for<'r> Fn(&'r Parts) -> Option<&'r str> + Send + Sync + 'static,
    {
        Self {
            routes: Routes {
                route_of: Arc::new(route_of),
                stated: Arc::default(),
            },
            body: EmptyBody,
        }
    }

    /// Names the route of a request by its path, compared exactly: for gRPC, where it is the service and
    /// the method, such as `/orders.Orders/Approve`, and for a service without a router.
    ///
    /// Every caller chooses the path, and can have errors logged by it.
    #[must_use]
    pub fn by_path() -> Self {
        Self::new(|request| Some(request.uri.path()))
    }
}

impl<B> RequireRoutesLayer<B> {
    /// States the requirement of a route, for every method that has none of its own.
    ///
    /// # Errors
    ///
    /// Fails if something is stated for the route already, or if it is empty.
    pub fn require(
        self,
        route: impl Into<String>,
        requirement: Requirement,
    ) -> Result<Self, ConfigError> {
        self.state(None, &route.into(), Access::Satisfying(requirement))
    }

    /// States the requirement of one method of a route. `HEAD` has that of `GET` unless it has its own.
    ///
    /// # Errors
    ///
    /// Fails if something is stated for this method of the route already, or if the route is empty.
    pub fn require_method(
        self,
        method: Method,
        route: impl Into<String>,
        requirement: Requirement,
    ) -> Result<Self, ConfigError> {
        self.state(Some(method), &route.into(), Access::Satisfying(requirement))
    }

    /// States that a route is for every caller with a token that was admitted, and for every method that
    /// has no requirement of its own.
    ///
    /// # Errors
    ///
    /// Fails as [`require`](Self::require) does.
    pub fn any_caller(self, route: impl Into<String>) -> Result<Self, ConfigError> {
        self.state(None, &route.into(), Access::AnyCaller)
    }

    /// States that a route is open: for every request that gets as far as this layer, with or without a
    /// token, by every method that has no requirement of its own.
    ///
    /// # Errors
    ///
    /// Fails as [`require`](Self::require) does.
    pub fn open(self, route: impl Into<String>) -> Result<Self, ConfigError> {
        self.state(None, &route.into(), Access::Open)
    }

    /// Builds the bodies of refusals with `body`, as
    /// [`RequireLayer::refusal_body`](crate::RequireLayer::refusal_body) does. Default: that of the
    /// layer outside.
    #[must_use]
    pub fn refusal_body<F>(self, body: F) -> RequireRoutesLayer<F> {
        RequireRoutesLayer {
            routes: self.routes,
            body,
        }
    }

    fn state(
        mut self,
        method: Option<Method>,
        route: &str,
        access: Access,
    ) -> Result<Self, ConfigError> {
        let wrong = |problem| Err(ConfigError::new("routes", problem));
        if route.is_empty() {
            return wrong("a route is empty".to_owned());
        }
        let stated = Arc::make_mut(&mut self.routes.stated);
        let of_route = stated.entry(route.to_owned()).or_default();
        match method {
            None if of_route.every_method.is_some() => {
                return wrong(format!("{route:?} is stated twice"));
            }
            None => of_route.every_method = Some(access),
            Some(method) if of_route.methods.iter().any(|(had, _)| *had == method) => {
                return wrong(format!("{method} of {route:?} is stated twice"));
            }
            Some(method) => of_route.methods.push((method, access)),
        }
        Ok(self)
    }
}

impl Stated {
    fn of(&self, method: &Method) -> Option<&Access> {
        let own = |wanted: &Method| {
            let mut methods = self.methods.iter();
            methods.find_map(|(had, access)| (had == wanted).then_some(access))
        };
        let of_get = || own(&Method::GET).filter(|_| method == Method::HEAD);
        own(method).or_else(of_get).or(self.every_method.as_ref())
    }
}

/// The caller. That no layer has determined one is logged.
fn caller_of<'r>(request: &'r Parts, route: Option<&str>) -> Result<&'r AgentPrincipal, Denial> {
    caller(&request.extensions).inspect_err(|denial| {
        if *denial.demand() == Demand::Layer {
            let route = route.map(Shown::of);
            let route = route.as_ref().map(Shown::as_str);
            tracing::error!(target: "tower_entra", route, "{denial}");
        }
    })
}

impl Routes {
    fn judge(&self, request: &Parts) -> Result<(), Denial> {
        let route = (self.route_of)(request);
        let stated = route.and_then(|route| self.stated.get(route));
        match stated.and_then(|stated| stated.of(&request.method)) {
            Some(Access::Open) => Ok(()),
            Some(Access::AnyCaller) => caller_of(request, route).map(drop),
            Some(Access::Satisfying(requirement)) => requirement.check(caller_of(request, route)?),
            None => {
                // Without a token the answer does not tell which routes are stated.
                caller_of(request, route)?;
                let denial = Denial::unstated_route();
                if let (Some(route), None) = (route, stated) {
                    let route = Shown::of(route);
                    let method = Shown::of(request.method.as_str());
                    tracing::error!(
                        target: "tower_entra",
                        route = route.as_str(),
                        method = method.as_str(),
                        "{denial}: every request of it is refused",
                    );
                }
                Err(denial)
            }
        }
    }
}

impl<S, B: Clone> Layer<S> for RequireRoutesLayer<B> {
    type Service = RequireRoutes<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        RequireRoutes {
            inner,
            routes: self.routes.clone(),
            body: self.body.clone(),
        }
    }
}

/// The [`Service`] of a [`RequireRoutesLayer`].
///
/// Every request is decided within `call`.
#[derive(Clone)]
pub struct RequireRoutes<S, B = EmptyBody> {
    inner: S,
    routes: Routes,
    body: B,
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for RequireRoutes<S, B>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    B: RefusalBody<ResBody>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RequireFuture<S::Future, ResBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (parts, body) = request.into_parts();
        match self.routes.judge(&parts) {
            Ok(()) => {
                let request = Request::from_parts(parts, body);
                RequireFuture::calling(self.inner.call(request))
            }
            Err(denial) => RequireFuture::refused(deny(denial, &self.body)),
        }
    }
}

/// Shows the routes.
impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.stated.keys()).finish()
    }
}

impl<B> fmt::Debug for RequireRoutesLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireRoutesLayer")
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}

impl<S: fmt::Debug, B> fmt::Debug for RequireRoutes<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequireRoutes")
            .field("inner", &self.inner)
            .field("routes", &self.routes)
            .finish_non_exhaustive()
    }
}
