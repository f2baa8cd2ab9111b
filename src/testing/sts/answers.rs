//! The answer to a request that is granted, and its tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::testing::{
    documents::edit,
    keys::random_text,
    names::{guid_from, subject_of},
    sts::{
        call::{Call, SKEW},
        grants::{Grant, Granted},
        issued::{Person, RefreshToken, new_refresh_token, seconds},
        permissions::UserGrant,
        registrations::{Api, App, AppKind, EXCHANGE_ID},
        scopes::DEFAULT,
    },
    token::TokenBuilder,
};

pub(super) fn answer(call: &Call<'_>, grant: &Grant<'_>) -> Value {
    let leg = call.leg;
    let (lifetime, refresh_in, edits) = {
        let tokens = &call.shared.lock().tokens;
        (
            tokens.lifetime(leg),
            tokens.refresh_in.get(&leg).copied(),
            tokens.edits.get(&leg).cloned().unwrap_or_default(),
        )
    };
    let token = match &grant.token {
        Granted::Exchange { subject } => exchange_token(call, grant, subject.as_deref()),
        Granted::App { api } => app_token(call, grant, api),
        Granted::User(user) => user_token(call, grant, user),
    };
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| members.insert(name.to_owned(), value);
    add("token_type", json!("Bearer"));
    if let Granted::User(user) = &grant.token {
        add("scope", json!(scope_of(user)));
    }
    add("expires_in", json!(lifetime));
    add("ext_expires_in", json!(lifetime));
    if let Some(refresh_in) = refresh_in {
        add("refresh_in", json!(seconds(refresh_in)));
    }
    add("access_token", json!(mint(call, token, lifetime)));
    if let Granted::User(user) = &grant.token {
        if user.asked.offline_access {
            add("refresh_token", json!(remember(call, grant.app, user)));
        }
        if user.asked.openid {
            let id_token = id_token(call, grant.app, &user.person);
            add("id_token", json!(mint(call, id_token, lifetime)));
        }
        if user.asked.openid || call.form.get("client_info").is_some() {
            let info = json!({"uid": user.person.oid, "utid": call.tenant}).to_string();
            add("client_info", json!(URL_SAFE_NO_PAD.encode(info)));
        }
    }
    edit(&mut members, &edits);
    Value::Object(members)
}

/// As Entra does, `iat` and `nbf` are five minutes back. The token ends a second after `expires_in`, which
/// was rounded down.
fn mint(call: &Call<'_>, token: TokenBuilder, lifetime: i64) -> String {
    let uti = random_text(16);
    call.shared.lock().tokens.issue(call.leg, &uti);
    token
        .issued_at(call.now - SKEW)
        .expires_at(call.now.saturating_add(lifetime).saturating_add(1))
        .claim("uti", uti)
        .mint()
}

/// The token of an actor, without a subject.
fn actor(call: &Call<'_>, grant: &Grant<'_>) -> TokenBuilder {
    let token = TokenBuilder::new(call.shared)
        .tenant(call.tenant)
        .claim("azp", &grant.app.client_id)
        .claim("azpacr", grant.authentication.as_str());
    match &grant.app.kind {
        AppKind::Agent { blueprint, .. } => token
            .claim("xms_act_fct", "3 9 11")
            .claim("xms_par_app_azp", blueprint),
        _ => token.claim("xms_act_fct", "3 9"),
    }
}

/// The token of an actor that is its own subject.
fn itself(call: &Call<'_>, grant: &Grant<'_>) -> TokenBuilder {
    let (oid, facets) = match grant.app.is_agent() {
        // The client id of an agent identity is its object id too.
        true => (grant.app.client_id.clone(), "3 9 11"),
        false => (guid_from(&grant.app.client_id), "3 9"),
    };
    actor(call, grant)
        .claim("sub", &oid)
        .claim("oid", oid)
        .claim("idtyp", "app")
        .claim("xms_sub_fct", facets)
        .claim("xms_idrel", "7")
}

fn exchange_token(call: &Call<'_>, grant: &Grant<'_>, subject: Option<&str>) -> TokenBuilder {
    let token = itself(call, grant).audience(EXCHANGE_ID);
    match subject {
        Some(subject) => token.claim("sub", subject).claim("xms_ficinfo", T1_INFO),
        None => token.claim("xms_ficinfo", T2_INFO),
    }
}

fn app_token(call: &Call<'_>, grant: &Grant<'_>, api: &Api) -> TokenBuilder {
    let roles: Vec<_> = grant.app.roles_at(api).collect();
    let token = itself(call, grant);
    let token = match roles.is_empty() {
        true => token,
        false => token.roles(roles),
    };
    at_api(token, api, &api.resource)
}

fn user_token(call: &Call<'_>, grant: &Grant<'_>, user: &UserGrant<'_>) -> TokenBuilder {
    let UserGrant { person, asked, .. } = user;
    let facets = match person.is_agent_user {
        true => "3 13",
        false => "3",
    };
    let mut token = named(actor(call, grant), person)
        .claim("sub", subject_of(&person.oid, &asked.api.audience))
        .claim("idtyp", "user")
        .claim("xms_sub_fct", facets)
        .claim("xms_idrel", "1")
        .scope(&user.scopes.join(" "));
    if !user.roles.is_empty() {
        token = token.roles(user.roles.iter().copied());
    }
    // The authentication contexts and the capabilities that the client has asked for.
    let wanted = user.claims.get("access_token").and_then(Value::as_object);
    for name in ["acrs", "xms_cc"] {
        let Some(wanted) = wanted.and_then(|wanted| wanted.get(name)) else {
            continue;
        };
        let values = match (wanted.get("value"), wanted.get("values")) {
            (Some(value), _) => json!([value]),
            (None, Some(values)) => values.clone(),
            (None, None) => continue,
        };
        token = token.claim(name, values);
    }
    at_api(token, asked.api, &asked.resource)
}

/// The token as this API has it: its audience, version and optional claims.
pub(super) fn at_api(token: TokenBuilder, api: &Api, resource: &str) -> TokenBuilder {
    let token = token.claim("xms_tnt_fct", "3");
    let token = match api.facets {
        true => token,
        false => token.without_facets(),
    };
    match api.v1_tokens {
        true => token.v1().audience(resource),
        false => token.audience(&api.audience),
    }
}

fn id_token(call: &Call<'_>, app: &App, person: &Person) -> TokenBuilder {
    named(TokenBuilder::new(call.shared), person)
        .tenant(call.tenant)
        .audience(&app.client_id)
        .claim("sub", subject_of(&person.oid, &app.client_id))
}

fn named(token: TokenBuilder, person: &Person) -> TokenBuilder {
    token
        .claim("oid", &person.oid)
        .claim("name", &person.name)
        .claim("preferred_username", &person.principal_name)
}

/// The granted scopes in the form in which they were asked for.
fn scope_of(user: &UserGrant<'_>) -> String {
    let is_default = user.asked.names.is_empty();
    let names = user.scopes.iter().copied();
    let names = names.chain(is_default.then_some(DEFAULT));
    let resource = &user.asked.resource;
    let scopes: Vec<_> = names.map(|name| format!("{resource}/{name}")).collect();
    scopes.join(" ")
}

fn remember(call: &Call<'_>, app: &App, user: &UserGrant<'_>) -> String {
    let text = new_refresh_token();
    call.shared.lock().tokens.add_refresh_token(RefreshToken {
        text: text.clone(),
        tenant: call.tenant.to_owned(),
        client_id: app.client_id.clone(),
        user: user.person.clone(),
        scope: user.scope.clone(),
        revoked: false,
    });
    text
}

const T1_INFO: &str = "CAAQABgAIAAoAjAA";
const T2_INFO: &str = "CAAQABgAIAAoAzAAOAE";
