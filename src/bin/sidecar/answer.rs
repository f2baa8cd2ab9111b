//! Why there is no token, as an answer.

use tower_entra::acquire::{AcquireError, AcquireErrorKind};

use crate::problem::Problem;

/// Whose doing it is that a request is refused before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The parameters of the request.
    Caller,
    Configuration,
}

/// The answer to a caller who gets no token.
///
/// | why | status |
/// |---|---|
/// | Entra throttles, is out of reach or has a fault; the client's credential is out of reach; too many acquisitions at once | 503 with `Retry-After` |
/// | Entra answered with the token of another identity | 500 |
/// | Entra has refused | 401, whose `detail` is Entra's text |
/// | the token that came in cannot be exchanged; nothing was sent | 401 |
/// | the client's credential is there and unfit | 500 |
/// | refused before it was sent | 400 or 500, by whose `fault` it is |
pub(crate) fn problem(error: &AcquireError, fault: Fault) -> Problem {
    let problem = of_kind(error, fault)
        .with_error_code(error.code().map(|code| format!("AADSTS{code}")))
        .with_correlation_id(error.correlation_id().map(str::to_owned))
        .with_claims(error.claims().map(str::to_owned));
    match error.hint() {
        Some(hint) => problem.with_hint(in_terms_of_the_sidecar(hint)),
        None => problem,
    }
}

/// The answer where tokens of the same identity were got for other claims just before: at most 16 different ones
/// in 5 s, and each once.
pub(crate) fn too_many_claims(error: &AcquireError) -> Problem {
    Problem::unavailable("Tokens of this identity were just got for these or for other claims.")
        .with_hint(
            "Try again when Retry-After is over. A sidecar gets tokens of one identity for 16 different claims in \
             5 s, and for the same ones once.",
        )
        .with_retry_after(retry_after(error))
}

fn of_kind(error: &AcquireError, fault: Fault) -> Problem {
    match (error.kind(), error.refusal()) {
        (
            kind @ (AcquireErrorKind::Throttled
            | AcquireErrorKind::Busy
            | AcquireErrorKind::Unavailable),
            refusal,
        ) => {
            let detail = refusal.unwrap_or(match kind {
                AcquireErrorKind::Throttled => "Entra throttles.",
                AcquireErrorKind::Busy => "Too many tokens are being acquired at once.",
                _ => "Entra, or the credential of this sidecar, is out of reach.",
            });
            Problem::unavailable(detail).with_retry_after(retry_after(error))
        }
        (AcquireErrorKind::IdentityMismatch, _) => Problem::unexpected(),
        (_, Some(refusal)) => Problem::unauthorized(refusal),
        (AcquireErrorKind::AssertionRefused, None) => {
            Problem::unauthorized("The bearer token cannot be exchanged.")
        }
        (AcquireErrorKind::Misconfigured, None) if fault == Fault::Caller => {
            Problem::bad_request("No token can be asked for with these parameters.")
        }
        (_, None) => Problem::unexpected(),
    }
}

/// In whole seconds, rounded up.
fn retry_after(error: &AcquireError) -> Option<u64> {
    let time = error.retry_after()?;
    Some(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// The hints of the library name its methods. A caller of the sidecar has parameters and keys instead.
pub(crate) fn in_terms_of_the_sidecar(hint: &'static str) -> String {
    let mut hint = hint.to_owned();
    for (method, name) in NAMES {
        hint = hint.replace(method, name);
    }
    hint
}

const NAMES: [(&str, &str); 10] = [
    ("ConfidentialClient::agent", "AgentIdentity"),
    (
        "AgentIdentity::on_behalf_of",
        "AgentIdentity, with the user's token in Authorization",
    ),
    (
        "ConfidentialClient::in_tenant",
        "optionsOverride.AcquireTokenOptions.Tenant",
    ),
    ("AgentUser::object_id", "AgentUserId"),
    ("with_x5c", "AzureAd:SendX5C"),
    ("share one ConfidentialClient", "share one sidecar"),
    (
        "Raise AcquireSettings::with_max_flights, or find out",
        "Find out",
    ),
    (", or raise AcquireSettings::with_total_timeout", ""),
    (
        "; a text with several is parsed by FromStr",
        ", such as optionsOverride.Scopes=a&optionsOverride.Scopes=b",
    ),
    (
        "Ask for the token within a tokio runtime that was built with enable_all or enable_time.",
        "Report this as a fault of the sidecar.",
    ),
];
