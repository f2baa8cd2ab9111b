//! The paths of the page: one document, its state, and what a button does.

use std::sync::Arc;

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::testing::{
    documents::target_of,
    fault::{Faults, Target},
    names::{PERSON, object_id_of},
    page::{
        document::document,
        explain::explain,
        guard::{check, check_json},
        plans::{Plan, in_force},
    },
    response::{JSON, Reply},
    state::Shared,
    sts::{callers, endpoint::Body, overview, switches::Switch},
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Document,
    State,
    Mint,
    Explain,
    Switch,
    Fault,
    Rotate,
    Restore,
}

impl Route {
    fn parse(target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        Some(match path {
            "/" => Self::Document,
            "/page/state" => Self::State,
            "/page/mint" => Self::Mint,
            "/page/explain" => Self::Explain,
            "/page/switch" => Self::Switch,
            "/page/fault" => Self::Fault,
            "/page/rotate" => Self::Rotate,
            "/page/restore" => Self::Restore,
            _ => return None,
        })
    }

    fn method(self) -> &'static str {
        match self {
            Self::Document | Self::State => "GET",
            _ => "POST",
        }
    }
}

/// Whether the request is one for the page, which is then not logged and has no fault.
pub(in crate::testing) fn serves(shared: &Shared, head: &str) -> bool {
    shared.settings.serves_page && Route::parse(target_of(head)).is_some()
}

pub(in crate::testing) fn answer(shared: &Arc<Shared>, head: &str, body: &Body) -> Reply {
    let mut reply = decide(shared, head, body).unwrap_or_else(|refusal| refusal);
    let headers = HEADERS.map(|(name, value)| (name, value.to_owned()));
    reply.headers.extend(headers);
    reply
}

fn decide(shared: &Arc<Shared>, head: &str, body: &Body) -> Result<Reply, Reply> {
    let target = target_of(head);
    let not_found = || Reply::error(404, "not_found", "there is no such path");
    let route = Route::parse(target).ok_or_else(not_found)?;
    check(shared, head)?;
    if head.split(' ').next() != Some(route.method()) {
        let text = format!("the path accepts only {} requests", route.method());
        let mut refusal = Reply::error(405, "invalid_request", &text);
        refusal.headers.push(("Allow", route.method().to_owned()));
        return Err(refusal);
    }
    if route.method() == "POST" {
        check_json(head)?;
    }
    Ok(match route {
        Route::Document => document(),
        Route::State => json_reply(&state(shared, after(target)?)),
        Route::Mint => json_reply(&mint(shared, &read(body)?)?),
        Route::Explain => {
            let Explain { token } = read(body)?;
            json_reply(&explain(shared, token.trim()))
        }
        Route::Switch => {
            let SetSwitch { switch, on } = read(body)?;
            shared.edit(|directory| switch.set(directory, &shared.settings, on));
            done()
        }
        Route::Fault => {
            let SetFault { fault, times } = read(body)?;
            if times.is_some_and(|times| times == 0 || times > MOST_TIMES) {
                return Err(bad_request("'times' is not between 1 and 1,000"));
            }
            let mut state = shared.lock();
            state.faults.plan(Target::Token, times, fault.fault());
            done()
        }
        Route::Rotate => {
            let Nothing {} = read(body)?;
            if shared.lock().keys.published().count() >= MOST_KEYS {
                let text = "there are 20 keys already: start again for more";
                return Err(Reply::error(409, "too_many_keys", text));
            }
            shared.rotate();
            done()
        }
        Route::Restore => {
            let Nothing {} = read(body)?;
            shared.lock().faults = Faults::default();
            shared.edit(|directory| {
                for switch in Switch::ALL {
                    switch.set(directory, &shared.settings, false);
                }
            });
            done()
        }
    })
}

/// A token without a token request: a person signs in where there is a sign-in page.
#[derive(Deserialize)]
#[serde(tag = "caller", rename_all = "snake_case", deny_unknown_fields)]
enum Mint {
    Person { api: String },
    PersonForBlueprint,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explain {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSwitch {
    switch: Switch,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFault {
    fault: Plan,
    /// How many token requests. Every one without it.
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn mint(shared: &Arc<Shared>, wanted: &Mint) -> Result<Value, Reply> {
    let token = match wanted {
        Mint::Person { api } => callers::person_at(shared, api)
            .map_err(|reason| Reply::error(400, "invalid_grant", reason))?,
        Mint::PersonForBlueprint => callers::person_at_blueprint(shared),
    };
    Ok(json!({"access_token": token.mint()}))
}

fn state(shared: &Shared, after: u64) -> Value {
    let settings = &shared.settings;
    let state = shared.lock();
    let (requests, last) = overview::requests(&state.token_log, after);
    let switches = Switch::ALL.map(|switch| {
        let [title, effect] = switch.in_words();
        json!({
            "switch": switch.as_str(),
            "title": title,
            "effect": effect,
            "on": switch.is_on(&state.directory, settings),
        })
    });
    json!({
        "url": shared.base(),
        "issuer": shared.v2_issuer(&settings.tenant_id),
        "tenant": settings.tenant_id,
        "person": {"name": PERSON, "object_id": object_id_of(PERSON)},
        "registered": overview::registered(&state.directory, settings),
        "switches": switches,
        "faults": {"offered": Plan::offered(), "in_force": in_force(&state.faults)},
        "keys": state.keys.published().count(),
        "requests": requests,
        "last": last,
    })
}

/// The number in `?after=`, without which it is 0.
fn after(target: &str) -> Result<u64, Reply> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let after = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("after="));
    after.map_or(Ok(0), |number| {
        number
            .parse()
            .map_err(|_| bad_request("'after' is not a number"))
    })
}

fn read<T: DeserializeOwned>(body: &Body) -> Result<T, Reply> {
    match body {
        Body::Read(body) if body.len() <= MOST_BYTES => serde_json::from_slice(body)
            .map_err(|error| bad_request(&format!("the body cannot be read: {error}"))),
        Body::Read(_) | Body::TooLong => {
            let text = "the body of the request is too long";
            Err(Reply::error(413, "invalid_request", text))
        }
        Body::NoLength => {
            let text = "the request has no Content-Length";
            Err(Reply::error(411, "invalid_request", text))
        }
    }
}

fn bad_request(text: &str) -> Reply {
    Reply::error(400, "invalid_request", text)
}

fn json_reply(value: &Value) -> Reply {
    Reply {
        status: 200,
        headers: vec![(JSON.0, JSON.1.to_owned())],
        body: value.to_string().into_bytes(),
    }
}

fn done() -> Reply {
    json_reply(&json!({}))
}

/// Of every answer.
const HEADERS: [(&str, &str); 5] = [
    ("Cache-Control", "no-store"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
];

/// A token of the greatest size that any API admits, and more.
const MOST_BYTES: usize = 32 * 1024;
const MOST_TIMES: u32 = 1_000;
const MOST_KEYS: usize = 20;
