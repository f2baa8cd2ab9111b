//! The routes that ask Entra or the door.

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn, map_response},
    response::Response,
    routing::{MethodRouter, any},
};
use http::{
    HeaderValue,
    header::{Entry, WWW_AUTHENTICATE},
};

use crate::{
    app::App,
    authorization_header, downstream,
    inbound::{guard, look},
    route::Route,
    validate,
};

/// Every route that asks Entra or the door, by its canonical path. A token is needed for those whose names do
/// not end with `Unauthenticated`. [`Frame`](crate::frame::Frame) refuses other verbs than those of the route.
pub(crate) fn router(app: &App) -> Router {
    let header = |route| any(authorization_header::answer).with_state((app.clone(), route));
    let call = |route| any(downstream::handle).with_state((app.clone(), route));
    let validate = any(validate::answer).with_state(app.clone());
    Router::new()
        .route("/Validate", protected(app, validate))
        .route(
            "/AuthorizationHeader/{apiName}",
            protected(app, header(Route::AuthorizationHeader)),
        )
        .route(
            "/AuthorizationHeaderUnauthenticated/{apiName}",
            anonymous(app, header(Route::AuthorizationHeaderUnauthenticated)),
        )
        .route(
            "/DownstreamApi/{apiName}",
            protected(app, call(Route::DownstreamApi)),
        )
        .route(
            "/DownstreamApiUnauthenticated/{apiName}",
            anonymous(app, call(Route::DownstreamApiUnauthenticated)),
        )
}

/// Its callers need a token.
fn protected(app: &App, route: MethodRouter) -> MethodRouter {
    let route = route.layer(guard(app));
    match app.settings.azure_ad.error_details {
        true => route,
        false => route.layer(map_response(without_details)),
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
    route.layer(from_fn(look))
}

#[cfg(test)]
#[path = "routes_tests/mod.rs"]
mod tests;
