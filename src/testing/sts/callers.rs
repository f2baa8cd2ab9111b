//! The tokens with which callers come to a blueprint's API, and their answers over HTTP.

use std::sync::Arc;

use crate::testing::{
    names::{PERSON, guid_from, object_id_of, principal_name_of, subject_of},
    people::person_through_client,
    response::Reply,
    state::Shared,
    sts::answers::at_api,
    token::TokenBuilder,
};

/// A person's token through the ordinary client.
pub(super) fn user_token(shared: &Arc<Shared>, blueprint: &str, user: &str) -> TokenBuilder {
    let oid = object_id_of(user);
    token(shared, blueprint)
        .claim("sub", subject_of(&oid, blueprint))
        .claim("oid", oid)
        .claim("name", user)
        .claim("preferred_username", principal_name_of(user))
        .scope("access_agent")
}

/// A token of the ordinary client for itself.
pub(super) fn app_token(shared: &Arc<Shared>, blueprint: &str) -> TokenBuilder {
    let oid = guid_from(&shared.settings.client_id);
    token(shared, blueprint)
        .claim("sub", &oid)
        .claim("oid", oid)
        .claim("idtyp", "app")
}

/// A person's token for an API through the ordinary client, with the scopes that are consented to. The person
/// has signed in elsewhere, so there is no token request. `Err` says why there is none.
pub(in crate::testing) fn person_at(
    shared: &Arc<Shared>,
    resource: &str,
) -> Result<TokenBuilder, &'static str> {
    let directory = Arc::clone(&shared.lock().directory);
    let oid = object_id_of(PERSON);
    let api = directory.api(resource).ok_or("there is no such API")?;
    let client = directory.app(&shared.settings.client_id);
    let client = client.ok_or("the client is no longer registered")?;
    if directory.users.get(&oid).is_some_and(|user| user.disabled) {
        return Err("the account of the person is disabled");
    }
    let scopes: Vec<_> = client.scopes_at(api, &oid).collect();
    if scopes.is_empty() {
        return Err("there is no consent to a scope of this API for the client");
    }
    let token = person_through_client(shared, PERSON)
        .claim("sub", subject_of(&oid, &api.audience))
        .scope(&scopes.join(" "));
    Ok(at_api(token, api, &api.resource))
}

/// A person's token for the first blueprint.
pub(in crate::testing) fn person_at_blueprint(shared: &Arc<Shared>) -> TokenBuilder {
    user_token(shared, &shared.settings.blueprint_id, PERSON)
}

/// The answer to a GET for one of the two, if they are served.
pub(in crate::testing) fn over_http(shared: &Arc<Shared>, target: &str) -> Option<Reply> {
    let blueprint = &shared.settings.blueprint_id;
    let token = match target {
        _ if !shared.settings.mints_over_http => return None,
        "/mint/person" => person_at_blueprint(shared),
        "/mint/app" => app_token(shared, blueprint),
        _ => return None,
    };
    Some(Reply {
        status: 200,
        headers: [
            ("Content-Type", "text/plain"),
            ("Cache-Control", "no-store"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec(),
        body: token.mint().into_bytes(),
    })
}

fn token(shared: &Arc<Shared>, blueprint: &str) -> TokenBuilder {
    TokenBuilder::new(shared)
        .audience(blueprint)
        .claim("azp", &shared.settings.client_id)
        .claim("azpacr", "1")
}
