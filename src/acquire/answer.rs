//! What the token endpoint said. Pure functions of values.

mod identity;

mod refusal;

mod values;

mod words;

use std::time::Duration;

use serde_json::value::RawValue;

use crate::{
    acquire::{
        error::{AcquireError, Failure},
        hints,
        json::{Object, text_of},
        kind::AcquireErrorKind,
    },
    characters::{is_bearer_token, is_scope_token},
    secret::Secret,
};

pub(super) use self::values::{Answer, Asked, Flow, Granted};

/// The longest answer that is read, in bytes.
pub(super) const MAX_ANSWER: usize = 256 * 1024;

/// Reads an answer.
pub(super) fn read(answer: &Answer<'_>, asked: &Asked<'_>) -> Result<Granted, AcquireError> {
    let object = object_of(answer).map_err(|problem| refusal::no_answer(answer, asked, problem))?;
    // Before the token and whatever the status, so that no answer is both.
    if object.get("error").is_some() {
        return Err(match object.text("error").as_deref() {
            None | Some("") => refusal::no_answer(answer, asked, "its error is no text"),
            Some(_) => refusal::refused(&object, answer, asked),
        });
    }
    if answer.status != 200 {
        let problem = "its body names no error";
        return Err(refusal::no_answer(answer, asked, problem));
    }
    let granted = granted(&object, asked);
    let granted = granted.map_err(|problem| refusal::no_answer(answer, asked, problem))?;
    match identity::check(granted.access_token.expose(), asked) {
        Ok(()) => Ok(granted),
        Err(problem) => Err(mismatch(&problem, asked)),
    }
}

fn object_of<'a>(answer: &Answer<'a>) -> Result<Object<'a>, &'static str> {
    if answer.is_encoded {
        return Err("its body has a content encoding");
    }
    if answer.body.len() > MAX_ANSWER {
        return Err("its body is longer than 256 KiB");
    }
    let text = std::str::from_utf8(answer.body).map_err(|_| "its body is not UTF-8")?;
    if let Some(object) = Object::parse(text) {
        return Ok(object);
    }
    Err(match text.trim_start().as_bytes().first() {
        None => "its body is empty",
        Some(b'<') => "its body is HTML or XML",
        Some(b'{') => {
            "its body is a JSON object that is cut short, malformed or has a member twice"
        }
        Some(_) => "its body is not a JSON object",
    })
}

/// The members of [RFC 6749, section 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1) that are
/// used. A refresh token and an ID token are not.
fn granted(object: &Object<'_>, asked: &Asked<'_>) -> Result<Granted, &'static str> {
    let token_type = object.text("token_type").ok_or("it has no token_type")?;
    if !token_type.eq_ignore_ascii_case("bearer") {
        return Err("its token_type is not Bearer");
    }
    let access_token = object.text("access_token").map(Secret::new);
    let access_token = access_token.ok_or("it has no access_token")?;
    if !is_bearer_token(access_token.expose()) {
        return Err("its access_token has a character that RFC 6750 does not allow");
    }
    let expires_in = object.get("expires_in").ok_or("it has no expires_in")?;
    let expires_in = lifetime(expires_in).ok_or("its expires_in is not from 1 s to ten years")?;
    Ok(Granted {
        access_token,
        scopes: scopes(object).unwrap_or_else(|| asked.scope.to_owned()),
        expires_in,
        refresh_in: object.get("refresh_in").and_then(lifetime),
    })
}

/// Seconds: a number, of which a fraction is cut off, or a text of digits.
fn lifetime(value: &RawValue) -> Option<Duration> {
    let seconds = match text_of(value) {
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
        Some(_) => return None,
        None => {
            let number: f64 = serde_json::from_str(value.get()).ok()?;
            Duration::try_from_secs_f64(number).ok()?.as_secs()
        }
    };
    let lifetime = Duration::from_secs(seconds);
    (MIN_LIFETIME..=MAX_LIFETIME)
        .contains(&lifetime)
        .then_some(lifetime)
}

/// `None` if the answer names none: they are then those asked for.
fn scopes(object: &Object<'_>) -> Option<String> {
    let text = object.text("scope")?;
    let scopes: Vec<&str> = text
        .split_ascii_whitespace()
        .filter(|scope| is_scope_token(scope))
        .collect();
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

fn mismatch(problem: &str, asked: &Asked<'_>) -> AcquireError {
    let text = format!(
        "{}: Entra answered with another's token: {problem}",
        asked.what
    );
    AcquireError::new(Failure {
        correlation_id: Some(asked.correlation_id.into()),
        ..Failure::new(
            AcquireErrorKind::IdentityMismatch,
            text,
            hints::IDENTITY_MISMATCH,
        )
    })
}

const MIN_LIFETIME: Duration = Duration::from_secs(1);
/// Ten years have at most three leap days.
const MAX_LIFETIME: Duration = Duration::from_secs((10 * 365 + 3) * 24 * 60 * 60);

#[cfg(test)]
mod tests;
