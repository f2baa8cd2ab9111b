//! Names of what is registered from the start, GUIDs and pseudonyms that follow from a name, and random
//! GUIDs.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{AppId, ObjectId};

/// A GUID in the form of a random one, always the same for the same name.
pub(super) fn guid_from(name: &str) -> String {
    let hash = digest(&SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    guid_of(bytes)
}

pub(super) fn random_guid() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the system has randomness");
    guid_of(bytes)
}

/// The object id of the person of this name. A GUID is its own object id.
pub(super) fn object_id_of(user: &str) -> String {
    match user.parse::<ObjectId>() {
        Ok(guid) => guid.to_string(),
        Err(_) => guid_from(user),
    }
}

/// The sign-in name of the person of this name.
pub(super) fn principal_name_of(user: &str) -> String {
    format!("{user}@example.com")
}

/// The client id of the API with this App ID URI.
pub(super) fn api_client_id(resource: &str) -> String {
    let id = resource.strip_prefix("api://").unwrap_or(resource);
    match id.parse::<AppId>() {
        Ok(guid) => guid.to_string(),
        Err(_) => guid_from(resource),
    }
}

/// The pseudonym of a person at this API, different at every other: 43 characters.
pub(super) fn subject_of(oid: &str, audience: &str) -> String {
    let pair = format!("{oid} at {audience}");
    URL_SAFE_NO_PAD.encode(digest(&SHA256, pair.as_bytes()))
}

fn guid_of(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// The name of a person of whom nothing else is said.
pub(super) const PERSON: &str = "alice";
/// The name of the default agent's own user account.
pub(super) const AGENT_USER: &str = "orders-agent";
pub(super) const SCOPE: &str = "Orders.Read";
pub(super) const ROLE: &str = "Orders.Read.All";
