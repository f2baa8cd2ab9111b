//! The token endpoint seen from outside.

/// Each request differs in one thing from one that is granted.
macro_rules! prove {
    ($issuer:expr, $good:expr; $($name:literal: $ask:expr => $error:ident $code:literal;)*) => {
        $good.granted($issuer);
        for (name, ask, error, code) in [$(($name, $ask, stringify!($error), $code)),*] {
            let status = if error == "invalid_client" { 401 } else { 400 };
            assert_eq!(ask.refused($issuer), (status, error.to_owned(), code), "{name}");
        }
    };
}

mod grants;

mod refusals;

mod users;

mod assertions;

mod answers;

mod endpoint;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use super::{OTHER_TENANT, parts, verify};
use crate::testing::{Issuer, Leg};

/// Sends these bytes and reads the whole answer: head and body.
#[track_caller]
pub(super) fn send(issuer: &Issuer, request: &[u8]) -> (String, Vec<u8>) {
    let address = issuer.url().strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let limit = Some(Duration::from_secs(10));
    stream.set_read_timeout(limit).unwrap();
    stream.write_all(request).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    (head, bytes[end..].to_vec())
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Sends a body to the token endpoint of a tenant: head and body of the answer.
#[track_caller]
fn post_body(issuer: &Issuer, path: &str, headers: &str, body: &str) -> (String, Value) {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: evil.example\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    let (head, body) = send(issuer, request.as_bytes());
    let body = serde_json::from_slice(&body);
    (
        head,
        body.unwrap_or_else(|error| panic!("no JSON: {error}")),
    )
}

fn path(tenant: &str) -> String {
    format!("/{tenant}/oauth2/v2.0/token")
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn status_of(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A request that a test sends, and changes in one thing.
#[derive(Clone)]
pub(super) struct Ask {
    tenant: String,
    form: Vec<(String, String)>,
}

impl Ask {
    fn new(issuer: &Issuer, form: &[(&str, &str)]) -> Self {
        let form = form
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            tenant: issuer.tenant_id().to_owned(),
            form: form.collect(),
        }
    }

    fn at(mut self, tenant: &str) -> Self {
        self.tenant = tenant.to_owned();
        self
    }

    /// Replaces the value of a parameter, or adds the parameter.
    pub(super) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.form.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.form.retain(|(other, _)| other != name);
        self
    }

    fn body(&self) -> String {
        let pairs = self.form.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        pairs.join("&")
    }

    #[track_caller]
    fn post(&self, issuer: &Issuer) -> (u16, Value) {
        let headers = format!("Content-Type: {FORM};charset=utf-8\r\n");
        let (head, body) = post_body(issuer, &path(&self.tenant), &headers, &self.body());
        (status_of(&head), body)
    }

    /// The answer that grants it.
    #[track_caller]
    pub(super) fn granted(&self, issuer: &Issuer) -> Value {
        let (status, body) = self.post(issuer);
        assert_eq!(status, 200, "{body:#}");
        body
    }

    #[track_caller]
    fn token(&self, issuer: &Issuer) -> String {
        self.granted(issuer)["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    #[track_caller]
    fn claims(&self, issuer: &Issuer) -> Value {
        let token = self.token(issuer);
        verify(issuer, &token).expect("the issuer's own signature");
        parts(&token).1
    }

    /// Status, `error` and code of the refusal.
    #[track_caller]
    pub(super) fn refused(&self, issuer: &Issuer) -> (u16, String, u64) {
        let (status, body) = self.post(issuer);
        assert!(
            body.get("access_token").is_none(),
            "granted: {:?}",
            self.body()
        );
        let codes = body["error_codes"].as_array().unwrap();
        assert_eq!(codes.len(), 1, "{body:#}");
        let code = codes[0].as_u64().unwrap();
        let description = body["error_description"].as_str().unwrap();
        assert!(
            description.starts_with(&format!("AADSTS{code}: ")),
            "{description}"
        );
        (status, body["error"].as_str().unwrap().to_owned(), code)
    }
}

const JWT_ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE: &str = "api://AzureADTokenExchange/.default";

fn default_of(issuer: &Issuer) -> String {
    format!("{}/.default", issuer.audience())
}

pub(super) fn app(issuer: &Issuer) -> Ask {
    let client = issuer.client();
    Ask::new(
        issuer,
        &[
            ("client_id", client.client_id()),
            ("client_secret", &client.secret()),
            ("grant_type", "client_credentials"),
            ("scope", &default_of(issuer)),
        ],
    )
}

fn t1(issuer: &Issuer) -> Ask {
    let blueprint = issuer.blueprint();
    Ask::new(
        issuer,
        &[
            ("client_id", blueprint.client_id()),
            ("client_secret", &blueprint.secret()),
            ("grant_type", "client_credentials"),
            ("scope", EXCHANGE),
            ("fmi_path", issuer.agent_id()),
        ],
    )
}

/// A request of the agent, with a T1.
#[track_caller]
fn as_agent(issuer: &Issuer, form: &[(&str, &str)]) -> Ask {
    form.iter().fold(
        Ask::new(
            issuer,
            &[
                ("client_id", issuer.agent_id()),
                ("client_assertion_type", JWT_ASSERTION),
                ("client_assertion", &t1(issuer).token(issuer)),
            ],
        ),
        |ask, (name, value)| ask.and(name, value),
    )
}

#[track_caller]
fn autonomous(issuer: &Issuer) -> Ask {
    let scope = default_of(issuer);
    as_agent(
        issuer,
        &[("grant_type", "client_credentials"), ("scope", &scope)],
    )
}

#[track_caller]
fn t2(issuer: &Issuer) -> Ask {
    as_agent(
        issuer,
        &[("grant_type", "client_credentials"), ("scope", EXCHANGE)],
    )
}

#[track_caller]
fn obo(issuer: &Issuer) -> Ask {
    as_agent(
        issuer,
        &[
            ("grant_type", JWT_BEARER),
            ("requested_token_use", "on_behalf_of"),
            ("assertion", &issuer.blueprint().user_token("alice").mint()),
            ("scope", &format!("{}/Orders.Read", issuer.audience())),
        ],
    )
}

#[track_caller]
fn user_fic(issuer: &Issuer) -> Ask {
    as_agent(
        issuer,
        &[
            ("grant_type", "user_fic"),
            (
                "user_federated_identity_credential",
                &t2(issuer).token(issuer),
            ),
            ("user_id", &issuer.agent_user_id()),
            ("scope", &format!("{}/Orders.Read", issuer.audience())),
        ],
    )
}

/// Without the agent's credential.
fn bare(ask: &Ask) -> Ask {
    ask.clone()
        .without("client_assertion")
        .without("client_assertion_type")
}

const GUID: &str = "5d3b2a10-0000-4000-8000-000000000001";
