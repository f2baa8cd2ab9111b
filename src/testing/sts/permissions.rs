//! What a client, a person and the policies permit.

use serde_json::{Map, Value, json};

use crate::testing::{
    names::random_guid,
    sts::{
        call::Call,
        issued::Person,
        refusal::{Refusal, quoted},
        registrations::{Api, App, AppKind, Policy},
        scopes::{Asked, read},
    },
};

/// What a token with a person has been granted.
pub(super) struct UserGrant<'c> {
    pub(super) person: Person,
    pub(super) asked: Asked<'c>,
    pub(super) scopes: Vec<&'c str>,
    /// Those that are assigned to the person.
    pub(super) roles: Vec<&'c str>,
    /// The request's scopes as they were written.
    pub(super) scope: String,
    /// The `claims` of the request.
    pub(super) claims: Map<String, Value>,
}

/// What every token with a person demands.
pub(super) fn user_grant<'c>(
    call: &Call<'c>,
    app: &'c App,
    person: Person,
    scope: &str,
    claims: Map<String, Value>,
) -> Result<UserGrant<'c>, Refusal> {
    let asked = read(call, scope)?;
    let account = call.directory.users.get(&person.oid);
    match account {
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
    let roles: Vec<_> = account
        .into_iter()
        .flat_map(|user| user.roles_at(api))
        .collect();
    if api.assignment_required && roles.is_empty() && app.roles_at(api).next().is_none() {
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
        roles,
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

pub(super) fn check_block(app: &App, api: &Api) -> Result<(), Refusal> {
    match app.policy == Policy::Block || api.policy == Policy::Block {
        true => Err(blocked()),
        false => Ok(()),
    }
}

pub(super) fn blocked() -> Refusal {
    Refusal::grant(
        53003,
        "A policy of Conditional Access blocks the issuance of tokens",
    )
    .with_suberror("message_only")
}

pub(super) fn no_account(call: &Call<'_>, user: &str) -> Refusal {
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
