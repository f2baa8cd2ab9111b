//! A token taken apart: its members with their meaning, and who would be calling.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{
    AgentPrincipal, AgentStatus, PrincipalKind, Tenants, Validator,
    testing::{
        page::meanings::{CLAIMS, HEADER, Meaning, meaning},
        principal::validate,
        state::Shared,
        sts::overview,
    },
};

pub(super) fn explain(shared: &Arc<Shared>, token: &str) -> Value {
    let mut segments = token.split('.');
    let mut next = |known| {
        segments
            .next()
            .and_then(decode)
            .map(|members| rows(&members, known))
    };
    let (header, claims) = (next(HEADER), next(CLAIMS));
    json!({"header": header, "claims": claims, "verdict": verdict(shared, token)})
}

fn decode(segment: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(segment).ok()?).ok()
}

/// Name, value and meaning: the known members in the order of the table, then the others.
fn rows(members: &Map<String, Value>, known: &[Meaning]) -> Vec<Value> {
    let row = |name: &str, value: &Value, meaning: String| json!([name, value, meaning]);
    let named = known.iter().filter_map(|known| {
        let value = members.get(known.name)?;
        Some(row(known.name, value, meaning(known, value)))
    });
    let is_known = |name: &str| known.iter().any(|known| known.name == name);
    let others = members.iter().filter(|(name, _)| !is_known(name));
    let others = others.map(|(name, value)| row(name, value, String::new()));
    named.chain(others).take(MOST_MEMBERS).collect()
}

/// What a validator for every registered API and blueprint says.
fn verdict(shared: &Arc<Shared>, token: &str) -> Value {
    let settings = &shared.settings;
    let tenants = match settings.multi_tenant {
        true => Tenants::any_organization(),
        false => Tenants::single(&settings.tenant_id),
    };
    let audiences = overview::audiences(&shared.lock().directory);
    let validator = Validator::builder(tenants, audiences).authority(shared.authority());
    match validate(shared, validator, WAIT, token) {
        Ok(Ok(caller)) => json!({
            "sentence": sentence(&caller),
            "caller": caller_rows(&caller),
        }),
        Ok(Err(error)) => json!({"refused": {
            "code": error.kind().as_str(),
            "reason": error.to_string(),
            "hint": error.hint(),
        }}),
        Err(error) => json!({"refused": {
            "code": "configuration",
            "reason": error.to_string(),
            "hint": "",
        }}),
    }
}

fn sentence(caller: &AgentPrincipal) -> String {
    let client = caller.client_id();
    let client = client.map_or_else(|| "of no name".to_owned(), |client| client.to_string());
    let object = caller.object_id();
    let object = object.map_or_else(|| "of no object id".to_owned(), |object| object.to_string());
    match caller.kind() {
        PrincipalKind::AutonomousAgent => format!("The agent {client} acts as itself."),
        PrincipalKind::AgentOnBehalfOfUser => {
            format!("The agent {client} acts on behalf of the person {object}.")
        }
        PrincipalKind::AgentUser => {
            format!("The agent {client} acts through its own user account {object}.")
        }
        PrincipalKind::User => {
            format!("The person {object} acts through the client {client}.")
        }
        PrincipalKind::Application => format!("The app {client} acts as itself."),
        _ => format!("The kind of this caller is unknown: the client is {client}."),
    }
}

fn caller_rows(caller: &AgentPrincipal) -> Vec<[String; 2]> {
    let id = |id: Option<String>| id.unwrap_or_default();
    let list = |mut names: Vec<&str>| {
        names.truncate(MOST_NAMES);
        names.join(", ")
    };
    let status = match caller.agent_status() {
        AgentStatus::Attested => "attested: a facet of the token says so",
        AgentStatus::Declared => "declared: the API's own list says so",
        AgentStatus::NotAgent => "no agent: the facets of the token say so",
        _ => "unknown: the token has no facets",
    };
    let (is_app, object) = (
        caller.is_app_only(),
        caller.object_id().map(|id| id.to_string()),
    );
    let rows = [
        ("kind", caller.kind().to_string()),
        ("client", id(caller.client_id().map(|id| id.to_string()))),
        (if is_app { "object" } else { "user" }, id(object)),
        (
            "blueprint",
            id(caller.parent_agent_blueprint().map(|id| id.to_string())),
        ),
        ("agent status", status.to_owned()),
        ("scopes", list(caller.scopes().collect())),
        ("roles", list(caller.roles().collect())),
        ("audience", caller.audience().to_owned()),
    ];
    let rows = rows.into_iter().filter(|(_, value)| !value.is_empty());
    rows.map(|(name, value)| [name.to_owned(), value]).collect()
}

/// How long a key may take: the keys are in this process.
const WAIT: Duration = Duration::from_secs(2);
const MOST_MEMBERS: usize = 200;
const MOST_NAMES: usize = 50;
