//! Faults of an answer, as the bytes and pauses of which it consists.

use std::time::Duration;

use crate::testing::{
    documents::Endpoint,
    response::{Header, JSON, Reply, gzip_bomb, head, response},
    sts::legs::Leg,
};

/// A fault of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status. The body is the right document, so that only the status shows the
    /// fault. At the token endpoint a status from 400 on has the body of an Entra that is out of order:
    /// `temporarily_unavailable`.
    Status(u16),
    /// The same, with a `Retry-After` header.
    StatusWithRetryAfter {
        /// The status.
        status: u16,
        /// The value of `Retry-After`.
        seconds: u64,
    },
    /// Accepts the connection and never answers.
    Hang,
    /// Sends the right answer after this time, at most ten minutes.
    Slow(Duration),
    /// Sends the right answer, but of the body one byte each 100 ms.
    Drip,
    /// Declares the length of the whole document and closes after half of it.
    Truncated,
    /// Answers 200 with a sign-in page.
    Html,
    /// Answers 200 without a body.
    Empty,
    /// Answers 200 with `{}`.
    EmptyObject,
    /// Answers 200 with `{"keys":[]}`.
    NoKeys,
    /// Answers 302 with this `Location`.
    Redirect(String),
    /// Answers 200 with a body that begins well and ends only when the client closes or has read
    /// 64 MiB.
    Endless,
    /// Answers 200 with `Content-Encoding: gzip` and 100 KiB that decompress to 16 MiB of spaces.
    GzipBomb,
    /// Answers with bytes that are not HTTP.
    Garbage,
    /// Closes the connection without an answer.
    Close,
    /// Answers 200 with the right document, followed by text that is not JSON.
    TrailingGarbage,
    /// Answers with exactly this.
    Answer {
        /// The status.
        status: u16,
        /// Names and values of headers; `Content-Length` and `Connection` are added.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
}

/// The endpoints whose answers have a [`Fault`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The discovery document and the key set.
    #[default]
    Both,
    /// Only the discovery document.
    Discovery,
    /// Only the key set.
    Keys,
    /// The token endpoint.
    Token,
    /// Only these requests to the token endpoint. A fault of the whole endpoint continues for the others.
    Leg(Leg),
}

/// The planned faults, at most one for each document and each leg.
#[derive(Default)]
pub(super) struct Faults(Vec<Plan>);

struct Plan {
    target: Target,
    fault: Fault,
    times: Option<u32>,
}

impl Faults {
    /// Plans a fault for the next `times` answers, or for all. It replaces earlier faults of `target`.
    pub(super) fn plan(&mut self, target: Target, times: Option<u32>, fault: Fault) {
        self.0.retain_mut(|old| match old.target.without(target) {
            Some(rest) => {
                old.target = rest;
                true
            }
            None => false,
        });
        let plan = Plan {
            target,
            fault,
            times,
        };
        // That of one leg comes before that of the whole token endpoint.
        match target {
            Target::Leg(_) => self.0.insert(0, plan),
            _ => self.0.push(plan),
        }
    }

    /// The faults in force, that of the next answer first.
    pub(super) fn planned(&self) -> impl Iterator<Item = (Target, &Fault, Option<u32>)> {
        let plans = self.0.iter().filter(|plan| plan.times != Some(0));
        plans.map(|plan| (plan.target, &plan.fault, plan.times))
    }

    /// The fault of the next answer from this endpoint, which is counted.
    pub(super) fn next(&mut self, endpoint: Endpoint, leg: Option<Leg>) -> Option<Fault> {
        let plan = self
            .0
            .iter_mut()
            .filter(|plan| plan.times != Some(0))
            .find(|plan| plan.target.covers(endpoint, leg))?;
        if let Some(times) = &mut plan.times {
            *times -= 1;
        }
        Some(plan.fault.clone())
    }
}

impl Target {
    pub(super) fn in_words(self) -> String {
        match self {
            Self::Both => "discovery and keys".to_owned(),
            Self::Discovery => "discovery".to_owned(),
            Self::Keys => "keys".to_owned(),
            Self::Token => "token requests".to_owned(),
            Self::Leg(leg) => format!("token requests of the leg {}", leg.as_str()),
        }
    }

    fn covers(self, endpoint: Endpoint, leg: Option<Leg>) -> bool {
        match self {
            Self::Both => matches!(endpoint, Endpoint::Discovery | Endpoint::Keys),
            Self::Discovery => endpoint == Endpoint::Discovery,
            Self::Keys => endpoint == Endpoint::Keys,
            Self::Token => endpoint == Endpoint::Token,
            Self::Leg(own) => endpoint == Endpoint::Token && leg == Some(own),
        }
    }

    /// The rest of this target when another fault takes `taken`.
    fn without(self, taken: Self) -> Option<Self> {
        match (self, taken) {
            (Self::Both, Self::Discovery) => Some(Self::Keys),
            (Self::Both, Self::Keys) => Some(Self::Discovery),
            (Self::Discovery | Self::Keys | Self::Both, Self::Both)
            | (Self::Leg(_), Self::Token) => None,
            (kept, taken) => (kept != taken).then_some(kept),
        }
    }
}

/// One action of the server on a connection. After the last it closes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, with a pause before each.
    Drip(Vec<u8>),
    /// Sends spaces until the client closes or has read 64 MiB.
    Pour,
    Pause(Duration),
    /// Waits until the client closes.
    Hold,
}

impl Step {
    /// The answer without a fault.
    pub(super) fn reply(reply: &Reply) -> Self {
        Self::Send(reply.bytes())
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Send(response(status, &[], b""))
    }
}

impl Fault {
    /// Whether the answer has the status of an error, so that its body is an error too.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Status(status) | Self::StatusWithRetryAfter { status, .. } => *status >= 400,
            _ => false,
        }
    }

    /// What the client gets.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::Status(status) => format!("the status {status}"),
            Self::StatusWithRetryAfter { status, seconds } => {
                format!("the status {status} with Retry-After: {seconds}")
            }
            Self::Hang => "no answer".to_owned(),
            Self::Slow(delay) => format!("the answer after {} s", delay.as_secs_f32()),
            Self::Drip => "the answer one byte each 100 ms".to_owned(),
            Self::Truncated => "half of the answer".to_owned(),
            Self::Html => "a sign-in page in HTML".to_owned(),
            Self::Empty => "an answer without a body".to_owned(),
            Self::EmptyObject => "{}".to_owned(),
            Self::NoKeys => "no keys".to_owned(),
            Self::Redirect(_) => "a redirect".to_owned(),
            Self::Endless => "a body without an end".to_owned(),
            Self::GzipBomb => "a body that decompresses to 16 MiB".to_owned(),
            Self::Garbage => "bytes that are not HTTP".to_owned(),
            Self::Close => "a closed connection".to_owned(),
            Self::TrailingGarbage => "the answer, followed by text".to_owned(),
            Self::Answer { status, .. } => format!("a planned answer with the status {status}"),
        }
    }

    /// The steps of an answer that should have been this one.
    pub(super) fn steps(&self, reply: &Reply) -> Vec<Step> {
        let document = reply.body.as_slice();
        let ok =
            |headers: &[Header<'_>], body: &[u8]| vec![Step::Send(response(200, headers, body))];
        match self {
            Self::Status(status) => vec![Step::Send(response(*status, &[JSON], document))],
            Self::StatusWithRetryAfter { status, seconds } => {
                let headers = [JSON, ("Retry-After", &seconds.to_string())];
                vec![Step::Send(response(*status, &headers, document))]
            }
            Self::Hang => vec![Step::Hold],
            Self::Slow(delay) => vec![Step::Pause(*delay), Step::reply(reply)],
            Self::Drip => {
                let head = head(reply.status, &reply.headers(), Some(document.len()));
                vec![Step::Send(head), Step::Drip(document.to_vec())]
            }
            Self::Truncated => {
                let mut bytes = head(reply.status, &reply.headers(), Some(document.len()));
                bytes.extend_from_slice(&document[..document.len() / 2]);
                vec![Step::Send(bytes)]
            }
            Self::Html => ok(
                &[("Content-Type", "text/html; charset=utf-8")],
                SIGN_IN_PAGE,
            ),
            Self::Empty => ok(&[JSON], b""),
            Self::EmptyObject => ok(&[JSON], b"{}"),
            Self::NoKeys => ok(&[JSON], br#"{"keys":[]}"#),
            Self::Redirect(location) => {
                vec![Step::Send(response(302, &[("Location", location)], b""))]
            }
            Self::Endless => {
                let mut bytes = head(200, &[JSON], None);
                bytes.extend_from_slice(br#"{"keys":["#);
                vec![Step::Send(bytes), Step::Pour]
            }
            Self::GzipBomb => ok(&[JSON, ("Content-Encoding", "gzip")], &gzip_bomb()),
            Self::Garbage => {
                vec![Step::Send(
                    b"\x15\x03\x01\x00\x02\x02\x46 nonsense\r\n\r\n".to_vec(),
                )]
            }
            Self::Close => Vec::new(),
            Self::Answer {
                status,
                headers,
                body,
            } => {
                let headers: Vec<Header<'_>> = headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                vec![Step::Send(response(*status, &headers, body))]
            }
            Self::TrailingGarbage => ok(
                &[JSON],
                &[document, b"\n<!-- served by node 7 -->"].concat(),
            ),
        }
    }
}

const SIGN_IN_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Sign in to your account</title>\
    </head><body><form action=\"/login\" method=\"post\"><input name=\"user\"></form></body></html>\n";
