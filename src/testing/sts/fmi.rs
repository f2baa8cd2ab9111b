//! The FMI path that is the subject of an exchange token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// The subject of the token that a blueprint gets for an agent.
pub(super) fn subject(tenant: &str, blueprint: &str, agent: &str) -> String {
    let (tenant, blueprint) = (little_endian(tenant), little_endian(blueprint));
    format!("{PREFIX}{tenant}/a/{blueprint}/{agent}")
}

/// The agent that a subject names.
pub(super) fn agent_of(subject: &str) -> Option<&str> {
    let rest = subject.strip_prefix(PREFIX)?;
    let (_, agent) = rest.rsplit_once('/')?;
    Some(agent)
}

/// The bytes of a GUID as base64url, the first three groups from their least significant byte. A text that
/// is no GUID, as only tests have, is taken as it is.
fn little_endian(guid: &str) -> String {
    let digits: String = guid.chars().filter(|c| *c != '-').collect();
    let Ok(number) = u128::from_str_radix(&digits, 16) else {
        return guid.to_owned();
    };
    let mut bytes = number.to_be_bytes();
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    URL_SAFE_NO_PAD.encode(bytes)
}

const PREFIX: &str = "/eid1/c/pub/t/";
