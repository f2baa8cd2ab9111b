//! The grants: what each demands, and what it gives.

use serde_json::{Map, Value, json};

use crate::{
    ObjectId,
    testing::{
        names::random_guid,
        sts::{
            assertions::{Authentication, authenticate, client},
            call::Call,
            fmi,
            issued::Person,
            jwt::Jwt,
            legs::JWT_BEARER,
            refusal::{Refusal, quoted},
            registrations::{Api, App, AppKind, GRAPH, Policy, is_exchange},
            scopes::{Asked, asks_for_exchange, check_default, read},
        },
    },
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
    User(UserGrant<'c>),
}

pub(super) struct UserGrant<'c> {
    pub(super) person: Person,
    pub(super) asked: Asked<'c>,
    pub(super) scopes: Vec<&'c str>,
    /// The request's scopes as they were written.
    pub(super) scope: String,
    /// The `claims` of the request.
    pub(super) claims: Map<String, Value>,
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
        JWT_BEARER => Granted::User(on_behalf_of(call, app, claims)?),
        "user_fic" => Granted::User(user_fic(call, app, claims)?),
        _ => Granted::User(refresh_token(call, app, claims)?),
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

fn on_behalf_of<'c>(
    call: &Call<'c>,
    app: &'c App,
    claims: Map<String, Value>,
) -> Result<UserGrant<'c>, Refusal> {
    let assertion = call.required("assertion")?;
    if call.required("requested_token_use")? != "on_behalf_of" {
        return Err(Refusal::malformed(
            "'requested_token_use' is not 'on_behalf_of'",
        ));
    }
    let scope = call.required("scope")?;
    no_fmi_path(call)?;
    let not_allowed = || {
        let text = format!(
            "The application {} is not allowed to make application on-behalf-of calls",
            quoted(&app.client_id)
        );
        Refusal::grant(7000114, text)
    };
    if app.is_blueprint() {
        return Err(not_allowed());
    }
    let Some(token) = Jwt::parse(assertion) else {
        return Err(Refusal::grant(
            50027,
            "The assertion is no signed JWT in compact form",
        ));
    };
    let invalid = |reason: &str| {
        let text = format!("The assertion failed validation. [Reason - {reason}]");
        Refusal::grant(50013, text)
    };
    if !call.is_own(&token) {
        return Err(invalid("The key was not found, or does not match."));
    }
    let own_issuer = match token.claim("ver") {
        "1.0" => call.shared.v1_issuer(call.tenant),
        _ => call.shared.v2_issuer(call.tenant),
    };
    if token.claim("iss") != own_issuer {
        return Err(invalid("The issuer is not this tenant's."));
    }
    // An agent redeems tokens for its blueprint.
    let api = match &app.kind {
        AppKind::Agent { blueprint, .. } => blueprint,
        _ => &app.client_id,
    };
    let is_id = |audience: &str| audience.eq_ignore_ascii_case(api);
    let is_uri = |audience: &str| audience.strip_prefix("api://").is_some_and(is_id);
    if !token.is_for(|audience| is_id(audience) || is_uri(audience)) {
        return Err(Refusal::grant(
            500131,
            "The audience of the assertion is not the application that presents it",
        ));
    }
    if app.is_agent() && (token.is_for(is_uri) || token.claim("ver") != "2.0") {
        return Err(invalid("It is not of version 2.0 for the blueprint's id."));
    }
    if !call.is_in_force(&token) {
        return Err(Refusal::grant(
            500133,
            "The assertion is not within its valid time range: the caller must get a new one",
        ));
    }
    if token.is_app_only() {
        return Err(not_allowed());
    }
    if token.claim("scp").is_empty() {
        return Err(Refusal::grant(
            240002,
            "An ID token is no assertion of this grant",
        ));
    }
    let multifactor = token.claims.get("amr").and_then(Value::as_array);
    let person = Person {
        oid: token.claim("oid").to_owned(),
        name: token.claim("name").to_owned(),
        principal_name: match token.claim("ver") {
            "1.0" => token.claim("unique_name"),
            _ => token.claim("preferred_username"),
        }
        .to_owned(),
        is_agent_user: false,
        multifactor: multifactor.is_some_and(|methods| methods.iter().any(|m| m == "mfa")),
    };
    user_grant(call, app, person, scope, claims)
}

fn user_fic<'c>(
    call: &Call<'c>,
    app: &'c App,
    claims: Map<String, Value>,
) -> Result<UserGrant<'c>, Refusal> {
    let exchange_token = call.required("user_federated_identity_credential")?;
    let scope = call.required("scope")?;
    no_fmi_path(call)?;
    let (oid, principal_name) = match (call.form.get("user_id"), call.form.get("username")) {
        (Some(oid), None) => (Some(oid), None),
        (None, Some(name)) => (None, Some(name)),
        (None, None) => return Err(Refusal::missing("user_id")),
        (Some(_), Some(_)) => {
            return Err(Refusal::malformed("it has both 'user_id' and 'username'"));
        }
    };
    if !app.is_agent() {
        let text = format!(
            "The application {} is no agent identity and has no user account",
            quoted(&app.client_id)
        );
        return Err(Refusal::unauthorized(82001, text));
    }
    check_user_credential(call, app, exchange_token)?;
    if oid.is_some_and(|oid| oid.parse::<ObjectId>().is_err()) {
        // What Entra answers to a sign-in name in the place of an object id.
        return Err(Refusal::new(
            400,
            "server_error",
            50000,
            "There was an error issuing a token or an issue with the sign-in service",
        ));
    }
    let user = call.directory.users.iter().find(|(other, user)| {
        oid.is_some_and(|oid| oid.eq_ignore_ascii_case(other))
            || principal_name.is_some_and(|name| name.eq_ignore_ascii_case(&user.principal_name))
    });
    let Some((oid, user)) = user else {
        return Err(no_account(call, oid.or(principal_name).unwrap_or_default()));
    };
    let is_of_agent = |agent: &String| agent.eq_ignore_ascii_case(&app.client_id);
    if !user.agent.as_ref().is_some_and(is_of_agent) {
        return Err(Refusal::grant(
            50020,
            "The user account is not that of this agent identity",
        ));
    }
    let name = user.principal_name.split('@').next().unwrap_or_default();
    let person = Person {
        oid: oid.clone(),
        name: name.to_owned(),
        principal_name: user.principal_name.clone(),
        is_agent_user: true,
        multifactor: false,
    };
    user_grant(call, app, person, scope, claims)
}

/// The credential of the user account is a T2 of this agent.
fn check_user_credential(call: &Call<'_>, app: &App, token: &str) -> Result<(), Refusal> {
    let Some(token) = Jwt::parse(token) else {
        return Err(Refusal::grant(
            50027,
            "'user_federated_identity_credential' is no signed JWT in compact form",
        ));
    };
    if !call.is_own(&token) || token.claim("iss") != call.shared.v2_issuer(call.tenant) {
        return Err(Refusal::grant(
            50013,
            "The user's credential failed validation. [Reason - The key or the issuer is not this \
             tenant's.]",
        ));
    }
    if !token.is_for(is_exchange) {
        return Err(Refusal::grant(
            7002206,
            "The audience of the user's credential is not that of exchange tokens",
        ));
    }
    if !call.is_in_force(&token) {
        return Err(Refusal::grant(
            500133,
            "The user's credential is not within its valid time range",
        ));
    }
    let is_own = token.claim("azp").eq_ignore_ascii_case(&app.client_id);
    match is_own && token.is_app_only() {
        true => Ok(()),
        false => Err(Refusal::grant(
            500131,
            "The user's credential is not an exchange token of this agent identity",
        )),
    }
}

fn refresh_token<'c>(
    call: &Call<'c>,
    app: &'c App,
    claims: Map<String, Value>,
) -> Result<UserGrant<'c>, Refusal> {
    let text = call.required("refresh_token")?;
    no_fmi_path(call)?;
    let token = call.shared.lock().tokens.refresh_token(text).cloned();
    let token = token.filter(|token| {
        token.client_id.eq_ignore_ascii_case(&app.client_id) && token.tenant == call.tenant
    });
    let Some(token) = token else {
        return Err(Refusal::grant(
            70000,
            "The refresh token is malformed, or not of this client and tenant",
        ));
    };
    if token.revoked {
        return Err(Refusal::grant(
            50173,
            "The refresh token has been revoked: a fresh one is needed",
        ));
    }
    let scope = call.form.get("scope").unwrap_or(&token.scope);
    user_grant(call, app, token.user, scope, claims)
}

/// What every token with a person demands.
fn user_grant<'c>(
    call: &Call<'c>,
    app: &'c App,
    person: Person,
    scope: &str,
    claims: Map<String, Value>,
) -> Result<UserGrant<'c>, Refusal> {
    let asked = read(call, scope)?;
    match call.directory.users.get(&person.oid) {
        Some(user) if user.disabled => {
            return Err(Refusal::grant(50057, "The user account is disabled"));
        }
        None if person.is_agent_user => return Err(no_account(call, &person.oid)),
        _ => {}
    }
    let api = asked.api;
    let mut consented = consented(call, app, api, &person.oid);
    if asked
        .names
        .iter()
        .any(|name| !consented.contains(&name.as_str()))
        || consented.is_empty()
    {
        let text = format!(
            "Neither the user nor an administrator has consented to use the application {} for \
             the resource {}",
            quoted(&app.client_id),
            quoted(&api.resource)
        );
        return Err(Refusal::grant(65001, text)
            .with_suberror("consent_required")
            .with_claims(capolids()));
    }
    if !asked.names.is_empty() {
        consented.retain(|scope| asked.names.iter().any(|name| name == scope));
    }
    if api.assignment_required && app.roles_at(api).next().is_none() {
        return Err(Refusal::grant(
            50105,
            "The user is not assigned to a role of the application",
        ));
    }
    check_block(app, api)?;
    let steps_up = app.policy == Policy::StepUp || api.policy == Policy::StepUp;
    if steps_up && !person.multifactor {
        let text = "A change of the configuration, or a new location, demands multifactor \
                    authentication to access the resource";
        return Err(Refusal::new(400, "interaction_required", 50076, text)
            .with_suberror("basic_action")
            .with_claims(capolids()));
    }
    Ok(UserGrant {
        person,
        asked,
        scopes: consented,
        scope: scope.to_owned(),
        claims,
    })
}

/// What the person has consented to for the app, in the order of the API's scopes. An agent has its
/// blueprint's consents too.
fn consented<'c>(call: &Call<'c>, app: &'c App, api: &'c Api, oid: &str) -> Vec<&'c str> {
    let parent = match &app.kind {
        AppKind::Agent { blueprint, .. } => call.directory.app(blueprint),
        _ => None,
    };
    let granted = |name: &str| {
        let apps = [Some(app), parent];
        let mut apps = apps.into_iter().flatten();
        apps.any(|app| app.scopes_at(api, oid).any(|scope| scope == name))
    };
    let names = api.scopes.iter().map(String::as_str);
    names.filter(|name| granted(name)).collect()
}

fn check_block(app: &App, api: &Api) -> Result<(), Refusal> {
    match app.policy == Policy::Block || api.policy == Policy::Block {
        true => Err(blocked()),
        false => Ok(()),
    }
}

fn blocked() -> Refusal {
    Refusal::grant(
        53003,
        "A policy of Conditional Access blocks the issuance of tokens",
    )
    .with_suberror("message_only")
}

fn no_fmi_path(call: &Call<'_>) -> Result<(), Refusal> {
    match call.form.count("fmi_path") {
        0 => Ok(()),
        _ => Err(Refusal::malformed(
            "'fmi_path' is for the exchange resource only",
        )),
    }
}

fn no_account(call: &Call<'_>, user: &str) -> Refusal {
    let text = format!(
        "The user account {} does not exist in the directory {}",
        quoted(user),
        quoted(call.tenant)
    );
    Refusal::grant(50034, text)
}

fn capolids() -> Value {
    json!({"access_token": {"capolids": {"essential": true, "values": [random_guid()]}}})
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
