//! Who is registered, what each may do, and the token requests, as JSON.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::testing::{
    settings::Settings,
    sts::{
        legs::{TokenLog, TokenRequest},
        registrations::{Api, App, AppKind, Consent, Directory, GRAPH, Policy},
    },
};

/// At most 100 of each: the page is for people.
pub(in crate::testing) fn registered(directory: &Directory, settings: &Settings) -> Value {
    let mut apps: Vec<&App> = directory.apps.values().collect();
    let own = [
        &settings.client_id,
        &settings.blueprint_id,
        &settings.agent_id,
    ];
    apps.sort_by_key(|app| {
        let place = match app.kind {
            AppKind::Client => 0,
            AppKind::Blueprint => 1,
            AppKind::Agent { .. } => 2,
        };
        (place, !own.contains(&&app.client_id), &app.client_id)
    });
    let left_out = apps.len().saturating_sub(MOST);
    let apps = apps.into_iter().take(MOST);
    let users = directory.users.iter().take(MOST).map(|(oid, user)| {
        json!({
            "object_id": oid,
            "principal_name": user.principal_name,
            "disabled": user.disabled,
            "agent": user.agent,
            "roles": at_apis(directory, &user.roles),
        })
    });
    json!({
        "apis": directory.apis.iter().take(MOST).map(api).collect::<Vec<_>>(),
        "apps": apps.map(|own| app(directory, own)).collect::<Vec<_>>(),
        "left_out": left_out,
        "users": users.collect::<Vec<_>>(),
    })
}

/// The audiences of tokens for an API or a blueprint. Only Microsoft Graph can verify its own.
pub(in crate::testing) fn audiences(directory: &Directory) -> Vec<String> {
    let apis = directory.apis.iter().filter(|api| api.resource != GRAPH);
    let apis = apis.flat_map(|api| [&api.audience, &api.resource]);
    let blueprints = directory.apps.values().filter(|app| app.is_blueprint());
    let audiences = apis.chain(blueprints.map(|app| &app.client_id));
    let audiences: BTreeSet<_> = audiences.take(MOST).cloned().collect();
    audiences.into_iter().collect()
}

fn api(api: &Api) -> Value {
    json!({
        "resource": api.resource,
        "client_id": api.client_id,
        "audience": api.audience,
        "scopes": api.scopes,
        "roles": api.roles,
        "policy": policy(api.policy),
    })
}

fn app(directory: &Directory, app: &App) -> Value {
    let (kind, blueprint) = match &app.kind {
        AppKind::Client => ("client", None),
        AppKind::Blueprint => ("blueprint", None),
        AppKind::Agent { blueprint, .. } => ("agent", Some(blueprint)),
    };
    let secrets = app
        .secrets
        .iter()
        .take(MOST)
        .map(|secret| json!({"value": secret.value, "expired": secret.expired}));
    json!({
        "client_id": app.client_id,
        "kind": kind,
        "blueprint": blueprint,
        "disabled": app.disabled,
        "policy": policy(app.policy),
        "secrets": secrets.collect::<Vec<_>>(),
        "certificates": app.certificates.len(),
        "federated": app.trusted.len(),
        "roles": at_apis(directory, &app.roles),
        "scopes": consents(directory, &app.consents),
        "withheld": consents(directory, &app.withheld),
    })
}

fn at_apis(directory: &Directory, roles: &BTreeSet<(String, String)>) -> Vec<Value> {
    let roles = roles.iter().take(MOST);
    roles
        .map(|(at, name)| json!({"api": resource_of(directory, at), "name": name}))
        .collect()
}

fn consents(directory: &Directory, consents: &BTreeSet<Consent>) -> Vec<Value> {
    let consents = consents.iter().take(MOST);
    consents
        .map(|Consent { api, scope, user }| {
            json!({"api": resource_of(directory, api), "name": scope, "user": user})
        })
        .collect()
}

fn resource_of<'d>(directory: &'d Directory, client_id: &'d str) -> &'d str {
    let mut apis = directory.apis.iter();
    let api = apis.find(|api| api.client_id == client_id);
    api.map_or(client_id, |api| &api.resource)
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::None => "none",
        Policy::Block => "block",
        Policy::StepUp => "step_up",
    }
}

/// The token requests whose number is greater, newest first, at most 100, and the number of the last one.
pub(in crate::testing) fn requests(log: &TokenLog, after: u64) -> (Vec<Value>, u64) {
    let newer = log.numbered().take_while(|(number, _)| *number > after);
    let requests = newer.take(MOST);
    let requests = requests.map(|(number, asked)| request(number, asked));
    (requests.collect(), log.total())
}

fn request(number: u64, request: &TokenRequest) -> Value {
    let parameters = request.parameters().take(MOST_PARAMETERS);
    let parameters = parameters.map(|(name, value)| [cut(name), cut(value)]);
    json!({
        "number": number,
        "at": request.at,
        "leg": request.leg.as_str(),
        "client": request.parameter("client_id").map(cut),
        "outcome": request.outcome(),
        "status": request.status,
        "code": request.code,
        "reason": request.reason,
        "fault": request.fault,
        "parameters": parameters.collect::<Vec<_>>(),
    })
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARACTERS).collect()
}

const MOST: usize = 100;
const MOST_PARAMETERS: usize = 30;
const MOST_CHARACTERS: usize = 200;
