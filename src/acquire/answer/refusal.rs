//! Why an answer has no token.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{
    values::{Answer, Asked, Flow},
    words,
};
use crate::{
    acquire::{
        claims::Claims,
        codes::{Row, is_of_rotation},
        error::{AcquireError, Failure, Next},
        hints,
        json::{Object, text_of},
        kind::AcquireErrorKind,
    },
    ids::ObjectId,
};

/// An answer that is neither a token nor an error of OAuth.
pub(super) fn no_answer(answer: &Answer<'_>, asked: &Asked<'_>, problem: &str) -> AcquireError {
    let Answer { status, .. } = *answer;
    let kind = of_status(status).unwrap_or(AcquireErrorKind::Unavailable);
    let hint = match of_status(status) {
        Some(kind) => hints::of_kind(kind, asked.credential),
        None => hints::NOT_AN_ANSWER,
    };
    let problem = match status {
        300..=399 => "redirects are not followed",
        _ => problem,
    };
    let what = asked.what;
    let text = format!("{what}: the token endpoint answered {status}, and {problem}");
    AcquireError::new(Failure {
        correlation_id: Some(asked.correlation_id.into()),
        retry_after: answer.retry_after,
        is_transient: true,
        next: Next {
            retries_in_line: is_worth_a_retry(answer),
            ..Next::default()
        },
        ..Failure::new(kind, text, hint)
    })
}

/// An answer with a member `error`:
/// [RFC 6749, section 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
pub(super) fn refused(object: &Object<'_>, answer: &Answer<'_>, asked: &Asked<'_>) -> AcquireError {
    let refusal = Refusal::read(object);
    let is_callers = matches!(asked.flow, Flow::OnBehalfOf(_));
    let kind = refusal.kind(answer.status, is_callers);
    let is_transient = matches!(
        kind,
        AcquireErrorKind::Throttled | AcquireErrorKind::Unavailable
    );
    let is_unclear = refusal.row() == Some(Row::Unclear);
    let hint = refusal.hint(kind, asked.credential);
    let claims = refusal.claims.as_deref().and_then(challenge);
    let claims = claims.filter(|_| kind == AcquireErrorKind::InteractionRequired);
    let (text, answer_at) = refusal.text(kind, answer.status, asked);
    AcquireError::new(Failure {
        answer_at: Some(answer_at),
        code: refusal.codes.first().copied(),
        correlation_id: Some(asked.correlation_id.into()),
        trace_id: object.text("trace_id").and_then(id),
        retry_after: answer.retry_after,
        answerable_in: match asked.flow {
            Flow::OnBehalfOf(assertion) if assertion.supports_claims_challenge() => {
                claims.is_some().then(|| assertion.tenant_id())
            }
            _ => None,
        },
        claims,
        is_transient,
        next: Next {
            retries_in_line: is_worth_a_retry(answer) && !is_unclear,
            drops_assertions: !is_transient && refusal.can_be_of_an_assertion(),
            rereads_credential: kind == AcquireErrorKind::CredentialRefused
                && refusal.codes.iter().copied().any(is_of_rotation),
        },
        ..Failure::new(kind, text, hint)
    })
}

/// The members of an error, as far as they have the type that they should.
struct Refusal {
    error: String,
    suberror: String,
    description: String,
    codes: Vec<u32>,
    /// Its text where it is a string; empty otherwise. `None` if there are none.
    claims: Option<String>,
}

impl Refusal {
    fn read(object: &Object<'_>) -> Self {
        let text = |name| object.text(name).unwrap_or_default();
        let description = text("error_description");
        let codes = object.get("error_codes").map(codes).unwrap_or_default();
        let codes = match codes.is_empty() {
            true => words::code(&description).into_iter().collect(),
            false => codes,
        };
        Self {
            error: text("error"),
            suberror: text("suberror"),
            description,
            codes,
            claims: object.get("claims").and_then(claims),
        }
    }

    /// The row of the first code that has one.
    fn row(&self) -> Option<Row> {
        self.codes.iter().copied().find_map(Row::of)
    }

    fn lacks_consent(&self) -> bool {
        self.suberror == CONSENT_REQUIRED || self.error == CONSENT_REQUIRED
    }

    /// First what a caller who tries again can rely on. `consent_required` comes with `claims` too, which
    /// no sign-in answers.
    fn kind(&self, status: u16, is_callers: bool) -> AcquireErrorKind {
        let row = self.row();
        if status == THROTTLED {
            return AcquireErrorKind::Throttled;
        }
        // A user id of the wrong form is answered by `server_error` 50000.
        if let Some(kind) = of_status(status)
            && row != Some(Row::Unclear)
        {
            return kind;
        }
        if self.lacks_consent() {
            return AcquireErrorKind::ConsentRequired;
        }
        if self.claims.is_some() {
            return AcquireErrorKind::InteractionRequired;
        }
        // An assertion by which the client authenticates is not the caller's.
        let is_callers = is_callers && self.error != "invalid_client";
        match row {
            Some(row) => row.kind(is_callers),
            None => self.kind_of_error(is_callers),
        }
    }

    fn kind_of_error(&self, is_callers: bool) -> AcquireErrorKind {
        match &*self.error {
            "interaction_required" | "login_required" => AcquireErrorKind::InteractionRequired,
            "invalid_grant" if INTERACTIVE.contains(&&*self.suberror) => {
                AcquireErrorKind::InteractionRequired
            }
            "invalid_grant" if is_callers => AcquireErrorKind::AssertionRefused,
            "invalid_grant" | "invalid_client" => AcquireErrorKind::CredentialRefused,
            "access_denied" => AcquireErrorKind::NotAllowed,
            "temporarily_unavailable" | "server_error" | "request_timeout" => {
                AcquireErrorKind::Unavailable
            }
            _ => AcquireErrorKind::Misconfigured,
        }
    }

    /// Whether a T1 or T2 that has been revoked or has become invalid is answered like this.
    fn can_be_of_an_assertion(&self) -> bool {
        let is_of_the_user = || {
            let mut rows = self.codes.iter().copied().filter_map(Row::of);
            self.lacks_consent() || self.claims.is_some() || rows.any(Row::is_of_the_user)
        };
        match &*self.error {
            "invalid_client" => true,
            "invalid_grant" => !is_of_the_user(),
            _ => false,
        }
    }

    fn hint(&self, kind: AcquireErrorKind, credential: &'static str) -> &'static str {
        let of_the_kind = hints::of_kind(kind, credential);
        // A status, a suberror or claims have decided, so another code may not explain it.
        let mut codes = self.codes.iter().copied();
        codes
            .find_map(|code| hints::of_code(code, credential))
            .unwrap_or(of_the_kind)
    }

    /// The line for the log, and where in it the answer begins.
    fn text(&self, kind: AcquireErrorKind, status: u16, asked: &Asked<'_>) -> (String, usize) {
        let verdict = match kind {
            AcquireErrorKind::CredentialRefused => match asked.credential {
                "secret" => "Entra refused the client's secret",
                "certificate" => "Entra refused the client's certificate",
                hints::T1 => "Entra refused the agent's assertion of its blueprint (T1)",
                _ => "Entra refused the client's federated assertion",
            },
            AcquireErrorKind::AssertionRefused => "Entra refused the caller's token",
            AcquireErrorKind::Throttled => "Entra throttles",
            AcquireErrorKind::Unavailable => "Entra failed",
            _ => "Entra refused",
        };
        let mut text = format!("{}: ", asked.what);
        let mut answer_at = text.len();
        text.push_str(&format!("{verdict} ({status}"));
        for word in [&self.error, &self.suberror] {
            if is_word(word) && !words::repeats(word, asked.withheld) {
                text.push(' ');
                text.push_str(word);
            }
        }
        text.push(')');
        let description = words::shown(&self.description, asked.withheld);
        if !description.is_empty() {
            text.push_str(": ");
            answer_at = text.len();
            text.push_str(&description);
        }
        (text, answer_at)
    }
}

/// What the status decides, whatever the body.
fn of_status(status: u16) -> Option<AcquireErrorKind> {
    match status {
        THROTTLED => Some(AcquireErrorKind::Throttled),
        408 | 500..=599 => Some(AcquireErrorKind::Unavailable),
        _ => None,
    }
}

fn is_worth_a_retry(answer: &Answer<'_>) -> bool {
    (500..=599).contains(&answer.status) && answer.retry_after.is_none()
}

/// A list of numbers. Others in it are left out.
fn codes(value: &RawValue) -> Vec<u32> {
    let values: Vec<&RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    let number = |value: &&RawValue| serde_json::from_str(value.get()).ok();
    values.iter().filter_map(number).take(MAX_CODES).collect()
}

fn claims(value: &RawValue) -> Option<String> {
    match text_of(value) {
        Some(text) if text.trim().is_empty() => None,
        Some(text) => Some(text),
        None if value.get() == "null" => None,
        None => Some(String::new()),
    }
}

/// The JSON text, if it is one object that can be handed on.
fn challenge(claims: &str) -> Option<Arc<str>> {
    let read = Claims::parse(claims)?;
    (!read.is_empty()).then(|| claims.into())
}

/// A word of OAuth.
fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(is_letter)
}

/// An id of a request, which is a GUID.
fn id(text: String) -> Option<Box<str>> {
    text.parse::<ObjectId>().is_ok().then(|| text.into())
}

const THROTTLED: u16 = 429;
const CONSENT_REQUIRED: &str = "consent_required";

/// What [MSAL](https://github.com/AzureAD/microsoft-authentication-library-for-js) takes for a demand to sign
/// in. Not `consent_required`, and not `bad_token`, which a new token cures.
const INTERACTIVE: [&str; 6] = [
    "message_only",
    "additional_action",
    "basic_action",
    "user_password_expired",
    "ui_not_allowed",
    "interrupted_user",
];

/// More than Entra names.
const MAX_CODES: usize = 8;
const MAX_WORD: usize = 40;
