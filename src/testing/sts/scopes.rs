//! The scopes of a request, as one resource and the names at it.

use crate::testing::sts::{
    call::Call,
    refusal::{Refusal, quoted},
    registrations::{Api, GRAPH, is_exchange},
};

/// The scopes of a request that is not for the exchange resource.
pub(super) struct Asked<'c> {
    pub(super) api: &'c Api,
    /// The resource in the form in which it was asked for.
    pub(super) resource: String,
    /// Empty for `/.default`.
    pub(super) names: Vec<String>,
    pub(super) openid: bool,
    pub(super) offline_access: bool,
}

/// Whether the request asks for the exchange resource, whatever else.
pub(super) fn asks_for_exchange(scope: &str) -> bool {
    let mut scopes = scope.split_ascii_whitespace();
    scopes.any(|scope| resource_and_name(scope).is_some_and(|(resource, _)| is_exchange(resource)))
}

/// A client that acts for itself asks for exactly one `/.default`.
pub(super) fn check_default(scope: &str) -> Result<(), Refusal> {
    for scope in scope.split_ascii_whitespace().filter(|s| !is_oidc(s)) {
        if resource_and_name(scope).is_none_or(|(_, name)| name != DEFAULT) {
            return Err(Refusal::scope(
                1002012,
                format!(
                    "The scope {} does not end with '/.default', which a client that acts for \
                     itself must ask for",
                    quoted(scope)
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn read<'c>(call: &Call<'c>, scope: &str) -> Result<Asked<'c>, Refusal> {
    let all: Vec<_> = scope.split_ascii_whitespace().collect();
    let mut found: Option<(&'c Api, &str)> = None;
    let mut names = Vec::new();
    let mut default = false;
    for scope in all.iter().copied().filter(|scope| !is_oidc(scope)) {
        // A name without a resource is one of Microsoft Graph.
        let (resource, name) = resource_and_name(scope).unwrap_or((GRAPH, scope));
        let Some(api) = call.directory.api(resource) else {
            return Err(Refusal::new(
                400,
                "invalid_resource",
                500011,
                format!(
                    "The resource principal named {} was not found in the tenant {}",
                    quoted(resource),
                    quoted(call.tenant)
                ),
            ));
        };
        if found.is_some_and(|(other, _)| other.client_id != api.client_id) {
            return Err(Refusal::scope(
                700022,
                "The scopes of the request are of more than one resource",
            ));
        }
        found.get_or_insert((api, resource));
        match name == DEFAULT {
            true => default = true,
            false => names.push(name),
        }
    }
    let Some((api, resource)) = found else {
        return Err(Refusal::scope(
            700023,
            "The scopes of the request name no resource",
        ));
    };
    if default && !names.is_empty() {
        return Err(Refusal::scope(
            70011,
            "'/.default' and other scopes of the resource do not go together",
        ));
    }
    if let Some(unknown) = names
        .iter()
        .find(|name| !api.scopes.iter().any(|scope| scope == *name))
    {
        return Err(Refusal::scope(
            650053,
            format!(
                "The scope {} does not exist on the resource {}",
                quoted(unknown),
                quoted(&api.resource)
            ),
        ));
    }
    Ok(Asked {
        api,
        resource: resource.to_owned(),
        names: names.into_iter().map(str::to_owned).collect(),
        openid: all.contains(&"openid"),
        offline_access: all.contains(&"offline_access"),
    })
}

fn resource_and_name(scope: &str) -> Option<(&str, &str)> {
    let (resource, name) = scope.rsplit_once('/')?;
    // `https://resource//.default` is right for a resource with a slash at its end.
    Some((resource.strip_suffix('/').unwrap_or(resource), name))
}

fn is_oidc(scope: &str) -> bool {
    ["openid", "profile", "offline_access", "email"].contains(&scope)
}

pub(super) const DEFAULT: &str = ".default";
