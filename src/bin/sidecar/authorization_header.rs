//! `/AuthorizationHeader/{apiName}` and `/AuthorizationHeaderUnauthenticated/{apiName}`.

use axum::{
    body::Body,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    response::Response,
};
use tower_entra::acquire::AccessToken;

use crate::{
    app::App, asked::Asked, inbound::Inbound, json, problem::Problem, route::Route,
    token::Acquisition,
};

/// Answers with the value of an `Authorization` header for the API of this name.
pub(crate) async fn answer(
    State((app, route)): State<(App, Route)>,
    api: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    inbound: Inbound,
) -> Result<Response, Problem> {
    let Path(api) = api.map_err(|_| Problem::bad_request("The name of the API is not UTF-8."))?;
    let asked = Asked::read(query.as_deref(), route, &app.settings)?;
    let acquisition = Acquisition::new(&app, &api, &asked, &inbound)?;
    let token = acquisition.token().await?;
    Ok(json::answer(body(&token)))
}

/// A token has only the characters of [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1), none of
/// which JSON escapes.
fn body(token: &AccessToken) -> Body {
    Body::from(
        [
            r#"{"authorizationHeader":"Bearer "#,
            token.secret(),
            r#""}"#,
        ]
        .concat(),
    )
}
