//! Faults of an answer, as the bytes and pauses of which it consists.

use std::time::Duration;

use crate::testing::{
    documents::Endpoint,
    response::{CACHE, Header, JSON, gzip_bomb, head, response},
};

/// A fault of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status. The body is the right document, so that only the status shows the
    /// fault.
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
}

/// The documents whose answers have a [`Fault`].
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
}

/// The planned faults, at most one for each document.
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
        self.0.push(Plan {
            target,
            fault,
            times,
        });
    }

    /// The fault of the next answer from this endpoint, which is counted.
    pub(super) fn next(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let plan = self
            .0
            .iter_mut()
            .find(|plan| plan.target.covers(endpoint))?;
        if let Some(times) = &mut plan.times {
            *times = times.checked_sub(1)?;
        }
        Some(plan.fault.clone())
    }
}

impl Target {
    fn covers(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Both => true,
            Self::Discovery => endpoint == Endpoint::Discovery,
            Self::Keys => endpoint == Endpoint::Keys,
        }
    }

    /// The rest of this target when another fault takes `taken`.
    fn without(self, taken: Self) -> Option<Self> {
        match (self, taken) {
            (Self::Both, Self::Discovery) => Some(Self::Keys),
            (Self::Both, Self::Keys) => Some(Self::Discovery),
            (_, Self::Both) => None,
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
    pub(super) fn document(document: &[u8]) -> Self {
        Self::Send(response(200, &[JSON, CACHE], document))
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Send(response(status, &[], b""))
    }
}

impl Fault {
    /// The steps of an answer that should have been this document.
    pub(super) fn steps(&self, document: &[u8]) -> Vec<Step> {
        let ok =
            |headers: &[Header<'_>], body: &[u8]| vec![Step::Send(response(200, headers, body))];
        match self {
            Self::Status(status) => vec![Step::Send(response(*status, &[JSON], document))],
            Self::StatusWithRetryAfter { status, seconds } => {
                let headers = [JSON, ("Retry-After", &seconds.to_string())];
                vec![Step::Send(response(*status, &headers, document))]
            }
            Self::Hang => vec![Step::Hold],
            Self::Slow(delay) => vec![Step::Pause(*delay), Step::document(document)],
            Self::Drip => {
                let head = head(200, &[JSON, CACHE], Some(document.len()));
                vec![Step::Send(head), Step::Drip(document.to_vec())]
            }
            Self::Truncated => {
                let mut bytes = head(200, &[JSON, CACHE], Some(document.len()));
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
            Self::TrailingGarbage => ok(
                &[JSON],
                &[document, b"\n<!-- served by node 7 -->"].concat(),
            ),
        }
    }
}

const SIGN_IN_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>Sign in to your account</title>\
    </head><body><form action=\"/login\" method=\"post\"><input name=\"user\"></form></body></html>\n";
