//! The tokens with which callers come to a blueprint's API, and their answers over HTTP.

use std::sync::Arc;

use crate::testing::{
    names::{PERSON, guid_from, object_id_of, principal_name_of, subject_of},
    response::Reply,
    state::Shared,
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

/// The answer to a GET for one of the two, if they are served.
pub(in crate::testing) fn over_http(shared: &Arc<Shared>, target: &str) -> Option<Reply> {
    let blueprint = &shared.settings.blueprint_id;
    let token = match target {
        _ if !shared.settings.mints_over_http => return None,
        "/mint/person" => user_token(shared, blueprint, PERSON),
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
