//! `/Validate`.

use axum::{body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::value::RawValue;
use tower_entra::AgentPrincipal;

use crate::{app::App, json, problem::Problem};

/// Answers with the claims of the token that came in, as they are in it.
///
/// `AzureAd:Scopes` admits a caller that has one of them. A caller that acts as itself has none.
pub(crate) async fn answer(
    State(app): State<App>,
    caller: AgentPrincipal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scopes = &app.settings.azure_ad.scopes;
    if !scopes.is_empty() && !scopes.iter().any(|scope| caller.has_scope(scope)) {
        return Ok(lacks_scopes(scopes));
    }
    let claims: Box<RawValue> = caller
        .claims()
        .map_err(|_| Problem::bad_request("Invalid JSON in token payload"))?;
    let token = token(&headers).ok_or_else(|| Problem::bad_request("No token found"))?;
    let parts = [
        r#"{"protocol":"Bearer","token":""#,
        token,
        r#"","claims":"#,
        claims.get(),
        "}",
    ];
    Ok(json::answer(Body::from(parts.concat())))
}

/// The token of a header that the layer around this route has admitted: one `Bearer`, and one token of the
/// characters of RFC 6750, none of which JSON escapes.
fn token(headers: &HeaderMap) -> Option<&str> {
    let admitted = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    admitted.rsplit(' ').next()
}

/// The text of Microsoft.Identity.Web, without a content type.
fn lacks_scopes(scopes: &[String]) -> Response {
    let mut response = Response::new(Body::from(format!(
        "IDW10203: The 'scope' or 'scp' claim does not contain scopes '{}' or was not found. ",
        scopes.join(",")
    )));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
