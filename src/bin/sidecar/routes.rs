//! The routes that ask Entra or the door.

use std::convert::Infallible;

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn, map_response},
    response::Response,
    routing::{MethodFilter, MethodRouter, get, on},
};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, Entry, WWW_AUTHENTICATE},
};

use crate::{
    app::App,
    authorization_header, downstream,
    inbound::{guard, look},
    route::Route,
    validate,
};

/// Every route that asks Entra or the door, by its canonical path. A token is needed for those whose names do
/// not end with `Unauthenticated`.
pub(crate) fn router(app: &App) -> Router {
    let header = |route| get(authorization_header::answer).with_state((app.clone(), route));
    let call = |route| on(calls(), downstream::handle).with_state((app.clone(), route));
    let validate = get(validate::answer).with_state(app.clone());
    Router::new()
        .route("/Validate", only(GET, protected(app, validate)))
        .route(
            "/AuthorizationHeader/{apiName}",
            only(GET, protected(app, header(Route::AuthorizationHeader))),
        )
        .route(
            "/AuthorizationHeaderUnauthenticated/{apiName}",
            only(
                GET,
                anonymous(app, header(Route::AuthorizationHeaderUnauthenticated)),
            ),
        )
        .route(
            "/DownstreamApi/{apiName}",
            only(CALLS, protected(app, call(Route::DownstreamApi))),
        )
        .route(
            "/DownstreamApiUnauthenticated/{apiName}",
            only(
                CALLS,
                anonymous(app, call(Route::DownstreamApiUnauthenticated)),
            ),
        )
}

/// Its callers need a token.
fn protected(app: &App, route: MethodRouter) -> MethodRouter {
    let route = route.route_layer(guard(app));
    match app.settings.azure_ad.error_details {
        true => route,
        false => route.route_layer(map_response(without_details)),
    }
}

/// A challenge names the scheme only, as with ASP.NET's `IncludeErrorDetails=false`: a caller does not learn why its
/// token was refused. The status stays.
async fn without_details(mut response: Response) -> Response {
    if let Entry::Occupied(mut challenge) = response.headers_mut().entry(WWW_AUTHENTICATE) {
        challenge.insert(HeaderValue::from_static("Bearer"));
    }
    response
}

/// Its callers may have a token.
fn anonymous(app: &App, route: MethodRouter) -> MethodRouter {
    let guard = guard(app);
    let look = move |request: Request, next: Next| look(guard.clone(), request, next);
    route.route_layer(from_fn(look))
}

/// Every other method is answered by 405 with these, whether or not a token is there; so is `HEAD`.
fn only(methods: HeaderValue, route: MethodRouter) -> MethodRouter<(), Infallible> {
    let refused = move || {
        let allow: [(HeaderName, HeaderValue); 1] = [(ALLOW, methods.clone())];
        std::future::ready((StatusCode::METHOD_NOT_ALLOWED, allow))
    };
    route.head(refused.clone()).fallback(refused)
}

/// Microsoft's sidecar takes POST only. The method of the call is another matter.
fn calls() -> MethodFilter {
    MethodFilter::DELETE
        .or(MethodFilter::GET)
        .or(MethodFilter::PATCH)
        .or(MethodFilter::POST)
        .or(MethodFilter::PUT)
}

const GET: HeaderValue = HeaderValue::from_static("GET");
const CALLS: HeaderValue = HeaderValue::from_static("DELETE, GET, PATCH, POST, PUT");

#[cfg(test)]
#[path = "routes_tests/mod.rs"]
mod tests;
