//! The claims of people, and of the ordinary client through which they come.

use std::sync::Arc;

use crate::testing::{
    names::{SCOPE, object_id_of, principal_name_of, subject_of},
    state::Shared,
    token::TokenBuilder,
};

/// The person of this name through the ordinary client.
pub(super) fn person_through_client(shared: &Arc<Shared>, user: &str) -> TokenBuilder {
    person(client_token(shared), user).claim("xms_sub_fct", "3")
}

pub(super) fn client_token(shared: &Arc<Shared>) -> TokenBuilder {
    TokenBuilder::new(shared)
        .claim("azp", &shared.settings.client_id)
        .claim("azpacr", "1")
        .claim("xms_act_fct", "3 9")
        .claim("xms_tnt_fct", "3")
}

pub(super) fn person(token: TokenBuilder, user: &str) -> TokenBuilder {
    named(token, user)
        .claim("idtyp", "user")
        .claim("xms_idrel", "1")
        .scope(SCOPE)
}

pub(super) fn named(token: TokenBuilder, user: &str) -> TokenBuilder {
    let oid = object_id_of(user);
    let subject = subject_of(&oid, &token.shared.settings.audience);
    token
        .claim("sub", subject)
        .claim("oid", oid)
        .claim("name", user)
        .claim("preferred_username", principal_name_of(user))
}
