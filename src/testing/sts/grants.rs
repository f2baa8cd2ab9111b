//! The grants: what each demands, and what it gives.

use serde_json::{Map, Value};

use crate::testing::sts::{
    assertions::{Authentication, authenticate, client},
    call::Call,
    fmi,
    legs::JWT_BEARER,
    permissions::{UserGrant, blocked, check_block},
    refusal::{Refusal, quoted},
    registrations::{Api, App, AppKind, GRAPH, Policy},
    scopes::{asks_for_exchange, check_default, read},
    users::{on_behalf_of, refresh_token, user_fic},
};

/// What a request has been granted.
pub(super) struct Grant<'c> {
    pub(super) app: &'c App,
    pub(super) authentication: Authentication,
    pub(super) token: Granted<'c>,
}

pub(super) enum Granted<'c> {
    /// T1, with its FMI path, or T2.
    Exchange {
        subject: Option<String>,
    },
    App {
        api: &'c Api,
    },
    User(Box<UserGrant<'c>>),
}

pub(super) fn decide<'c>(call: &Call<'c>) -> Result<Grant<'c>, Refusal> {
    check_form(call)?;
    let claims = claims_of(call)?;
    let grant_type = call.required("grant_type")?;
    let app = client(call)?;
    if !GRANTS.contains(&grant_type) {
        return Err(unsupported(app, grant_type));
    }
    let authentication = authenticate(call, app)?;
    let token = match grant_type {
        "client_credentials" => client_credentials(call, app)?,
        JWT_BEARER => Granted::User(Box::new(on_behalf_of(call, app, claims)?)),
        "user_fic" => Granted::User(Box::new(user_fic(call, app, claims)?)),
        _ => Granted::User(Box::new(refresh_token(call, app, claims)?)),
    };
    Ok(Grant {
        app,
        authentication,
        token,
    })
}

fn unsupported(app: &App, grant_type: &str) -> Refusal {
    match grant_type {
        TOKEN_EXCHANGE if !matches!(app.kind, AppKind::Client) => Refusal::unauthorized(
            82001,
            "Agentic applications cannot use the token exchange of RFC 8693",
        ),
        _ => Refusal::new(
            400,
            "unsupported_grant_type",
            70003,
            format!("The grant type {} is not supported", quoted(grant_type)),
        ),
    }
}

fn check_form(call: &Call<'_>) -> Result<(), Refusal> {
    for name in PARAMETERS {
        match call.form.count(name) {
            0 => {}
            1 if call.form.get(name).is_none() => return Err(Refusal::missing(name)),
            1 => {}
            _ => {
                return Err(Refusal::request(
                    9000411,
                    format!(
                        "The request is not properly formatted. The parameter '{name}' is duplicated"
                    ),
                ));
            }
        }
    }
    match call.form.count("resource") {
        0 => Ok(()),
        _ => Err(Refusal::request(
            901002,
            "The parameter 'resource' is not supported: send 'scope'",
        )),
    }
}

fn claims_of(call: &Call<'_>) -> Result<Map<String, Value>, Refusal> {
    let Some(claims) = call.form.get("claims") else {
        return Ok(Map::new());
    };
    serde_json::from_str(claims).map_err(|_| Refusal::malformed("'claims' is no JSON object"))
}

/// T1, T2, and the tokens of a client for itself.
fn client_credentials<'c>(call: &Call<'c>, app: &'c App) -> Result<Granted<'c>, Refusal> {
    let scope = call.required("scope")?;
    check_default(scope)?;
    if asks_for_exchange(scope) {
        return exchange(call, app, scope);
    }
    if call.form.count("fmi_path") > 0 && !app.is_blueprint() {
        return Err(Refusal::malformed(
            "'fmi_path' is for the exchange resource only",
        ));
    }
    let asked = read(call, scope)?;
    let api = asked.api;
    if app.is_blueprint() && (api.resource != GRAPH || call.form.count("fmi_path") > 0) {
        let text = format!(
            "The agentic application {} may not get app-only tokens for the resource {}: get one \
             as its agent",
            quoted(&app.client_id),
            quoted(&api.resource)
        );
        return Err(Refusal::unauthorized(82001, text));
    }
    check_block(app, api)?;
    if api.assignment_required && app.roles_at(api).next().is_none() {
        let text = format!(
            "The application {} is not assigned to a role of the application {}",
            quoted(&app.client_id),
            quoted(&api.resource)
        );
        return Err(Refusal::grant(501051, text));
    }
    Ok(Granted::App { api })
}

fn exchange<'c>(call: &Call<'c>, app: &'c App, scope: &str) -> Result<Granted<'c>, Refusal> {
    let is_other = |scope: &&str| !asks_for_exchange(scope) && scope.contains('/');
    if scope.split_ascii_whitespace().any(|scope| is_other(&scope)) {
        return Err(Refusal::scope(
            700022,
            "The scopes of the request are of more than one resource",
        ));
    }
    let path = call.form.get("fmi_path");
    let subject = match (&app.kind, path) {
        (AppKind::Agent { .. }, None) => None,
        (AppKind::Blueprint, Some(path)) => {
            let agent = call.directory.app(path).filter(|agent| match &agent.kind {
                AppKind::Agent { blueprint, tenant } => {
                    blueprint.eq_ignore_ascii_case(&app.client_id) && tenant == call.tenant
                }
                _ => false,
            });
            let Some(agent) = agent else {
                let text = format!(
                    "The blueprint has no agent identity {} in the tenant {}",
                    quoted(path),
                    quoted(call.tenant)
                );
                return Err(Refusal::client(7000229, text));
            };
            Some(fmi::subject(call.tenant, &app.client_id, &agent.client_id))
        }
        (AppKind::Blueprint, None) => {
            return Err(Refusal::request(
                82008,
                "Agentic applications that request an exchange token must send 'fmi_path'",
            ));
        }
        _ => {
            return Err(Refusal::malformed(
                "only a blueprint gets an exchange token with 'fmi_path', and only an agent one \
                 without",
            ));
        }
    };
    match app.policy {
        Policy::Block => Err(blocked()),
        _ => Ok(Granted::Exchange { subject }),
    }
}

const GRANTS: [&str; 4] = [
    "client_credentials",
    JWT_BEARER,
    "user_fic",
    "refresh_token",
];

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The parameters that may be neither empty nor repeated. Others, such as those of telemetry, are ignored.
const PARAMETERS: [&str; 14] = [
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "scope",
    "fmi_path",
    "assertion",
    "requested_token_use",
    "user_federated_identity_credential",
    "user_id",
    "username",
    "refresh_token",
    "claims",
];
