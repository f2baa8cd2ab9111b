//! What comes in the place of a token, and what an operator reads of it.

use serde_json::Value;
use tower_entra::acquire::AcquireErrorKind as Kind;

use super::endpoint::{Reply, jwt};

/// What comes, the kind, the text behind what was asked, and the hint.
pub(crate) type Row = (&'static str, Comes, Kind, &'static str, &'static str);

pub(crate) enum Comes {
    /// The status and the body.
    Answer(u16, &'static str),
    /// And `Retry-After`.
    Later(u16, &'static str, &'static str),
    /// A token with these claims, where others are right.
    Token(&'static str),
    NoConnection,
    Hang,
}

use Comes::{Answer, Hang, Later, NoConnection, Token};

impl Comes {
    pub(crate) fn reply(&self, good: &Value) -> Reply {
        let answer = |status, body: &str, retry_after: Option<&str>| Reply::Answer {
            status,
            retry_after: retry_after.map(str::to_owned),
            body: body.to_owned(),
        };
        match self {
            Answer(status, body) => answer(*status, body, None),
            Later(status, retry_after, body) => answer(*status, body, Some(*retry_after)),
            Token(changes) => {
                let mut claims = good.clone();
                let changes: Value = serde_json::from_str(changes).unwrap();
                for (name, value) in changes.as_object().unwrap() {
                    claims[name] = value.clone();
                }
                let all = claims.as_object_mut().unwrap();
                all.retain(|_, value| !value.is_null());
                Reply::granted(&jwt(&claims), 3_599)
            }
            NoConnection => Reply::NoConnection,
            Hang => Reply::Hang,
        }
    }
}

/// Answers to the request of an app as itself, with the secret `hunter2-hunter2`.
pub(crate) const OF_AN_APP: [Row; 40] = [
    (
        "a sign-in page",
        Answer(200, "<html>Sign in</html>"),
        Kind::Unavailable,
        "the token endpoint answered 200, and its body is HTML or XML",
        PAGE,
    ),
    (
        "no body",
        Answer(200, ""),
        Kind::Unavailable,
        "the token endpoint answered 200, and its body is empty",
        PAGE,
    ),
    (
        "a list",
        Answer(200, "[]"),
        Kind::Unavailable,
        "the token endpoint answered 200, and its body is not a JSON object",
        PAGE,
    ),
    (
        "an empty object",
        Answer(200, "{}"),
        Kind::Unavailable,
        "the token endpoint answered 200, and it has no token_type",
        PAGE,
    ),
    (
        "a member twice",
        Answer(
            200,
            r#"{"token_type":"Bearer","access_token":"a","access_token":"b","expires_in":3599}"#,
        ),
        Kind::Unavailable,
        "the token endpoint answered 200, and its body is a JSON object that is cut short, malformed or has a member twice",
        PAGE,
    ),
    (
        "a token of another type",
        Answer(
            200,
            r#"{"token_type":"pop","access_token":"a","expires_in":3599}"#,
        ),
        Kind::Unavailable,
        "the token endpoint answered 200, and its token_type is not Bearer",
        PAGE,
    ),
    (
        "no token",
        Answer(200, r#"{"token_type":"Bearer","expires_in":3599}"#),
        Kind::Unavailable,
        "the token endpoint answered 200, and it has no access_token",
        PAGE,
    ),
    (
        "a token with a line end",
        Answer(
            200,
            r#"{"token_type":"Bearer","access_token":"a\r\nb","expires_in":3599}"#,
        ),
        Kind::Unavailable,
        "the token endpoint answered 200, and its access_token has a character that RFC 6750 does not allow",
        PAGE,
    ),
    (
        "no lifetime",
        Answer(200, r#"{"token_type":"Bearer","access_token":"a"}"#),
        Kind::Unavailable,
        "the token endpoint answered 200, and it has no expires_in",
        PAGE,
    ),
    (
        "a lifetime of nothing",
        Answer(
            200,
            r#"{"token_type":"Bearer","access_token":"a","expires_in":0}"#,
        ),
        Kind::Unavailable,
        "the token endpoint answered 200, and its expires_in is not from 1 s to ten years",
        PAGE,
    ),
    (
        "a token beside an error",
        Answer(
            200,
            r#"{"token_type":"Bearer","access_token":"a","expires_in":3599,"error":"invalid_request"}"#,
        ),
        Kind::Misconfigured,
        "Entra refused (200 invalid_request)",
        REGISTRATION,
    ),
    (
        "an error that is no text",
        Answer(200, r#"{"error":7}"#),
        Kind::Unavailable,
        "the token endpoint answered 200, and its error is no text",
        PAGE,
    ),
    (
        "a token with another status",
        Answer(
            201,
            r#"{"token_type":"Bearer","access_token":"a","expires_in":3599}"#,
        ),
        Kind::Unavailable,
        "the token endpoint answered 201, and its body names no error",
        PAGE,
    ),
    (
        "no content",
        Answer(204, ""),
        Kind::Unavailable,
        "the token endpoint answered 204, and its body is empty",
        PAGE,
    ),
    (
        "a redirect",
        Answer(302, ""),
        Kind::Unavailable,
        "the token endpoint answered 302, and redirects are not followed",
        PAGE,
    ),
    (
        "a page with 400",
        Answer(400, "<html>"),
        Kind::Unavailable,
        "the token endpoint answered 400, and its body is HTML or XML",
        PAGE,
    ),
    (
        "a page with 404",
        Answer(404, "<html>"),
        Kind::Unavailable,
        "the token endpoint answered 404, and its body is HTML or XML",
        PAGE,
    ),
    (
        "no connection",
        NoConnection,
        Kind::Unavailable,
        "the token endpoint gave no answer: connection refused",
        "Check the authority's URL, and that no firewall or missing proxy setting keeps this machine from it.",
    ),
    (
        "no answer",
        Hang,
        Kind::Unavailable,
        "the token endpoint gave no answer: it timed out after 10s",
        "Check that this machine reaches the authority; a retry can help.",
    ),
    (
        "a page with 429",
        Answer(429, "<html>"),
        Kind::Throttled,
        "the token endpoint answered 429, and its body is HTML or XML",
        "Send fewer requests: Entra throttles this client; share one ConfidentialClient, so that tokens are remembered.",
    ),
    (
        "a throttle for half a minute",
        Later(
            429,
            "30",
            r#"{"error":"temporarily_unavailable","error_description":"AADSTS90055: The tenant is throttled.","error_codes":[90055]}"#,
        ),
        Kind::Throttled,
        "Entra throttles (429 temporarily_unavailable): AADSTS90055: The tenant is throttled.",
        "Send fewer requests: Entra throttles the tenant.",
    ),
    (
        "a bad gateway",
        Answer(502, "bad gateway"),
        Kind::Unavailable,
        "the token endpoint answered 502, and its body is not a JSON object",
        LATER,
    ),
    (
        "an outage that is named",
        Later(
            503,
            "9",
            r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error has occurred.","error_codes":[90033]}"#,
        ),
        Kind::Unavailable,
        "Entra failed (503 temporarily_unavailable): AADSTS90033: A transient error has occurred.",
        LATER,
    ),
    (
        "a server error of Entra",
        Answer(
            500,
            r#"{"error":"server_error","error_description":"AADSTS50000: There was an error issuing a token.","error_codes":[50000]}"#,
        ),
        Kind::Unavailable,
        "Entra failed (500 server_error): AADSTS50000: There was an error issuing a token.",
        "Check that the user's object id is that of a user of this tenant; if it is, see Azure's status page.",
    ),
    (
        "no consent",
        Answer(
            400,
            r#"{"error":"invalid_grant","suberror":"consent_required","error_description":"AADSTS65001: The user or administrator has not consented. Trace ID: 1","error_codes":[65001],"claims":"{}"}"#,
        ),
        Kind::ConsentRequired,
        "Entra refused (400 invalid_grant consent_required): AADSTS65001: The user or administrator has not consented.",
        CONSENT,
    ),
    (
        "a step-up",
        Answer(
            400,
            r#"{"error":"interaction_required","suberror":"basic_action","error_description":"AADSTS50076: You must use multi-factor authentication.","error_codes":[50076],"claims":"{\"access_token\":{\"a\":null}}"}"#,
        ),
        Kind::InteractionRequired,
        "Entra refused (400 interaction_required basic_action): AADSTS50076: You must use multi-factor authentication.",
        "Let the user sign in again, with the claims that are asked for; for an agent's user account let an administrator look at the policy, because no person can answer it.",
    ),
    (
        "a policy",
        Answer(
            400,
            r#"{"error":"invalid_grant","suberror":"message_only","error_description":"AADSTS53003: Access has been blocked.","error_codes":[53003]}"#,
        ),
        Kind::NotAllowed,
        "Entra refused (400 invalid_grant message_only): AADSTS53003: Access has been blocked.",
        "Ask an administrator which Conditional Access policy, for users or for agents, has blocked this: the sign-in log has it by the correlation id.",
    ),
    (
        "a wrong secret",
        Answer(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215]}"#,
        ),
        Kind::CredentialRefused,
        "Entra refused the client's secret (401 invalid_client): AADSTS7000215: Invalid client secret provided.",
        "Set the client secret to its value, which the portal shows once, not to its id, which is a GUID; it must be a secret of this app registration.",
    ),
    (
        "an app that is not there",
        Answer(
            400,
            r#"{"error":"unauthorized_client","error_description":"AADSTS700016: The application was not found.","error_codes":[700016]}"#,
        ),
        Kind::Misconfigured,
        "Entra refused (400 unauthorized_client): AADSTS700016: The application was not found.",
        "Check client id and tenant: this tenant has no such app, so consent to it there or ask in its own tenant.",
    ),
    (
        "a code that is not known",
        Answer(
            400,
            r#"{"error":"invalid_request","error_description":"AADSTS9999999: Something new.","error_codes":[9999999]}"#,
        ),
        Kind::Misconfigured,
        "Entra refused (400 invalid_request): AADSTS9999999: Something new.",
        REGISTRATION,
    ),
    (
        "an error without more",
        Answer(400, r#"{"error":"invalid_client"}"#),
        Kind::CredentialRefused,
        "Entra refused the client's secret (400 invalid_client)",
        "Compare the client's credential with those of its app registration, in the tenant of the request.",
    ),
    (
        "a text that repeats the secret",
        Answer(
            400,
            r#"{"error":"invalid_request","error_description":"AADSTS9002313: client_secret=hunter2-hunter2","error_codes":[9002313]}"#,
        ),
        Kind::Misconfigured,
        "Entra refused (400 invalid_request): AADSTS9002313: (withheld: it repeats the request)",
        REGISTRATION,
    ),
    (
        "a text with a name",
        Answer(
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS50034: The user account jane@contoso.com does not exist.","error_codes":[50034]}"#,
        ),
        Kind::NotAllowed,
        "Entra refused (400 invalid_grant): AADSTS50034: The user account (withheld) does not exist.",
        "Check the user's name or object id and the tenant: a user's object id is not that of the agent.",
    ),
    (
        "another client's token",
        Token(r#"{"azp":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its azp is 0bad0bad-0bad-4bad-8bad-0bad0bad0bad, not {app}",
        ANOTHER,
    ),
    (
        "two clients' token",
        Token(r#"{"appid":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its appid is 0bad0bad-0bad-4bad-8bad-0bad0bad0bad, not {app}",
        ANOTHER,
    ),
    (
        "no client's token",
        Token(r#"{"azp":null}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: it has neither azp nor appid",
        ANOTHER,
    ),
    (
        "another tenant's token",
        Token(r#"{"tid":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its tid is 0bad0bad-0bad-4bad-8bad-0bad0bad0bad, not {tenant}",
        ANOTHER,
    ),
    (
        "no tenant's token",
        Token(r#"{"tid":null}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: it has no tid",
        ANOTHER,
    ),
    (
        "a user's token, by its scope",
        Token(r#"{"scp":"Orders.Read"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: it has a scope, so it is a user's, not the app's own",
        ANOTHER,
    ),
    (
        "a user's token, by its idtyp",
        Token(r#"{"idtyp":"user"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its idtyp is user, so it is not the app's own",
        ANOTHER,
    ),
];

/// Answers to the last request of an agent on behalf of a person, which T1 proves.
pub(crate) const FOR_A_PERSON: [Row; 6] = [
    (
        "a caller's token that has expired",
        Answer(
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS500133: Assertion is not within its valid time range.","error_codes":[500133]}"#,
        ),
        Kind::AssertionRefused,
        "Entra refused the caller's token (400 invalid_grant): AADSTS500133: Assertion is not within its valid time range.",
        "Let the caller get a new token and send that: the one to be exchanged has expired.",
    ),
    (
        "no consent",
        Answer(
            400,
            r#"{"error":"invalid_grant","suberror":"consent_required","error_description":"AADSTS65001: The user or administrator has not consented.","error_codes":[65001]}"#,
        ),
        Kind::ConsentRequired,
        "Entra refused (400 invalid_grant consent_required): AADSTS65001: The user or administrator has not consented.",
        CONSENT,
    ),
    (
        "a T1 that has expired",
        Answer(
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS700024: Client assertion is not within its valid time range.","error_codes":[700024]}"#,
        ),
        Kind::CredentialRefused,
        "Entra refused the agent's assertion of its blueprint (T1) (401 invalid_client): AADSTS700024: Client assertion is not within its valid time range.",
        "Check that the agent is one of this blueprint and in this tenant, and that the blueprint is enabled; where it is a matter of time, correct the clock of this machine.",
    ),
    (
        "another user's token",
        Token(r#"{"oid":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its oid is 0bad0bad-0bad-4bad-8bad-0bad0bad0bad, not {caller}",
        ANOTHER,
    ),
    (
        "an app's token",
        Token(r#"{"idtyp":"app"}"#),
        Kind::IdentityMismatch,
        "Entra answered with another's token: its idtyp is app, so it is not a user's",
        ANOTHER,
    ),
    (
        "an app's token by its subject",
        Token(
            r#"{"scp":null,"sub":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad","oid":"0bad0bad-0bad-4bad-8bad-0bad0bad0bad"}"#,
        ),
        Kind::IdentityMismatch,
        "Entra answered with another's token: it has no scope and its subject is the app itself",
        ANOTHER,
    ),
];

const PAGE: &str =
    "Check that the authority is Entra's and that no proxy or sign-in page answers in its place.";
const REGISTRATION: &str = "Compare client id, tenant and scopes with the app registration.";
const LATER: &str =
    "Try again later: Entra has an outage or a short fault; if it lasts, see Azure's status page.";
const CONSENT: &str = "Grant the scopes to the agent or app that is named, by its user or an administrator; of permissions of the blueprint an agent has only those that are inheritable.";
const ANOTHER: &str = "Check that the authority is Entra's: it answered with a token of another identity than the one asked for, which was thrown away.";
