//! The grants for tokens with a person, or with the user account of an agent.

use serde_json::{Map, Value};

use crate::{
    ObjectId,
    testing::sts::{
        call::Call,
        issued::Person,
        jwt::Jwt,
        permissions::{UserGrant, no_account, user_grant},
        refusal::{Refusal, quoted},
        registrations::{App, AppKind, is_exchange},
    },
};

pub(super) fn on_behalf_of<'c>(
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

pub(super) fn user_fic<'c>(
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

pub(super) fn refresh_token<'c>(
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

fn no_fmi_path(call: &Call<'_>) -> Result<(), Refusal> {
    match call.form.count("fmi_path") {
        0 => Ok(()),
        _ => Err(Refusal::malformed(
            "'fmi_path' is for the exchange resource only",
        )),
    }
}
