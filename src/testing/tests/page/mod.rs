//! The page and its paths, seen by clients that are no browser.

mod refused;

mod shown;

use serde_json::json;

use super::{sts::send, *};

fn issuer() -> Issuer {
    Issuer::builder().serves_page().start_blocking()
}

/// A request that is answered, and that a test changes in one thing.
#[derive(Clone)]
struct Ask {
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Ask {
    fn get(issuer: &Issuer, target: &str) -> Self {
        Self {
            method: "GET",
            target: target.to_owned(),
            headers: vec![("Host", host(issuer))],
            body: String::new(),
        }
    }

    fn post(issuer: &Issuer, target: &str, body: &Value) -> Self {
        Self {
            method: "POST",
            body: body.to_string(),
            ..Self::get(issuer, target)
        }
        .set("Content-Type", "application/json")
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    fn and(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn set(self, name: &'static str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    fn by(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn with_body(self, body: &str) -> Self {
        Self {
            body: body.to_owned(),
            ..self
        }
    }

    #[track_caller]
    fn send(&self, issuer: &Issuer) -> (String, Vec<u8>) {
        let Self {
            method,
            target,
            headers,
            body,
        } = self;
        let length = body.len();
        let lines = headers.iter();
        let lines: String = lines
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request =
            format!("{method} {target} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n{body}");
        send(issuer, request.as_bytes())
    }

    #[track_caller]
    fn answered(&self, issuer: &Issuer) -> Value {
        let (head, body) = self.send(issuer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        serde_json::from_slice(&body).unwrap()
    }

    /// Status and `error`.
    #[track_caller]
    fn refused(&self, issuer: &Issuer) -> (u16, String) {
        let (head, body) = self.send(issuer);
        let body: Value = serde_json::from_slice(&body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body["error"].as_str().unwrap().to_owned())
    }
}

fn host(issuer: &Issuer) -> String {
    issuer.url().strip_prefix("http://").unwrap().to_owned()
}

#[track_caller]
fn state(issuer: &Issuer) -> Value {
    Ask::get(issuer, "/page/state").answered(issuer)
}

#[track_caller]
fn switch(issuer: &Issuer, name: &str, on: bool) {
    let body = json!({"switch": name, "on": on});
    Ask::post(issuer, "/page/switch", &body).answered(issuer);
}

#[track_caller]
fn explain(issuer: &Issuer, token: &str) -> Value {
    Ask::post(issuer, "/page/explain", &json!({"token": token})).answered(issuer)
}

/// The claim's value and meaning.
#[track_caller]
fn row<'v>(explained: &'v Value, claim: &str) -> &'v Value {
    let mut rows = explained["claims"].as_array().unwrap().iter();
    rows.find(|row| row[0] == claim).unwrap()
}
