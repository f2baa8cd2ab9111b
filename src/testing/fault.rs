//! Faults: everything that can be wrong with an answer, as the bytes and pauses it is made of.

use std::time::Duration;

use crate::testing::{
    documents::Endpoint,
    response::{CACHE, Header, JSON, gzip_bomb, head, response},
};

/// Something that goes wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Answers with this status. The body is the right document all the same, so that nothing but
    /// the status tells.
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
    /// Answers rightly after this long, at most ten minutes.
    Slow(Duration),
    /// Answers rightly, but the body comes at one byte each 100 ms.
    Drip,
    /// Promises the whole document and closes after half of it.
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
    /// Answers 200 with a body that begins well and does not end until the client closes or has
    /// taken 64 MiB.
    Endless,
    /// Answers 200 with `Content-Encoding: gzip` and 100 KiB that inflate to 16 MiB of white space.
    GzipBomb,
    /// Answers with bytes that are not HTTP.
    Garbage,
    /// Closes the connection without an answer.
    Close,
    /// Answers 200 with the right document and then something that is not JSON.
    TrailingGarbage,
}

/// Which of the issuer's two documents a [`Fault`] strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// The discovery document and the key set.
    #[default]
    Both,
    /// The discovery document alone.
    Discovery,
    /// The key set alone.
    Keys,
}

/// The faults still to come, no two for the same document.
#[derive(Default)]
pub(super) struct Faults(Vec<Plan>);

struct Plan {
    target: Target,
    fault: Fault,
    times: Option<u32>,
}

impl Faults {
    /// Plans a fault for the next `times` answers, or for all of them, in the place of those before.
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

    /// The fault of the next answer from this endpoint, which counts as struck.
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

    /// What is left of this target when another fault takes `taken`.
    fn without(self, taken: Self) -> Option<Self> {
        match (self, taken) {
            (Self::Both, Self::Discovery) => Some(Self::Keys),
            (Self::Both, Self::Keys) => Some(Self::Discovery),
            (_, Self::Both) => None,
            (kept, taken) => (kept != taken).then_some(kept),
        }
    }
}

/// One thing that the server does on a connection. After the last it closes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes one by one, a pause before each.
    Drip(Vec<u8>),
    /// Sends spaces until the client closes or has taken a great many.
    Pour,
    Pause(Duration),
    /// Waits until the client closes.
    Hold,
}

impl Step {
    /// The answer of an issuer in good order.
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
