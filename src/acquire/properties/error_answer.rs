//! The answer to a request that Entra has refused.

use super::{
    answers::{Case, Kind, is_in_order, shown},
    replaced,
};
use crate::{acquire::kind::AcquireErrorKind, admit::token::properties::Tree};

/// Three bytes say for whom the token was asked for, what the status is, and what `Retry-After` is and by
/// what the client authenticates. The rest is the body. `%SECRET%`, `%FORM%` and `%WORD%` in it are a secret
/// of the request, the same as a form has it, and another secret.
pub(crate) fn error_answer(data: &[u8]) {
    let [kind, status, more, body @ ..] = data else {
        return;
    };
    let body = replaced(body, b"%SECRET%", SECRET.as_bytes());
    let body = replaced(&body, b"%FORM%", FORM.as_bytes());
    let body = replaced(&body, b"%WORD%", WORD.as_bytes());
    let case = Case {
        kind: Kind::ALL[usize::from(*kind) % Kind::ALL.len()],
        status: STATUS[usize::from(*status) % STATUS.len()],
        retry_after: RETRY_AFTER[usize::from(*more) % RETRY_AFTER.len()],
        is_encoded: *more == 255,
        credential: CREDENTIALS[usize::from(more / 8) % CREDENTIALS.len()],
        withheld: &["", SECRET, WORD],
        body: &body,
    };
    let Err(error) = case.read() else {
        // It has a token and names no error.
        let tree = str::from_utf8(&body).ok().and_then(Tree::of_object);
        let tree = tree.expect("an object");
        assert!(case.status == 200 && tree.get("error").is_none());
        return;
    };
    is_in_order(&error);
    hides_the_request(&shown(&error));
    if error.kind() == AcquireErrorKind::IdentityMismatch {
        assert_eq!(case.status, 200);
        return;
    }

    let expected = Expected::of(&case);
    assert_eq!(error.kind(), expected.kind, "{}: {error}", case.status);
    assert_eq!(error.code(), expected.code, "{error}");
    assert_eq!(error.claims(), expected.claims.as_deref());
    assert_eq!(error.trace_id(), expected.trace_id.as_deref());
    assert_eq!(error.refusal().is_some(), expected.is_of_oauth, "{error}");
    let can_answer = case.kind == Kind::OnBehalfOf(true);
    let answerable = error.answerable_claims().map(|(_, claims)| claims);
    assert_eq!(
        answerable,
        expected.claims.as_deref().filter(|_| can_answer)
    );

    let passes = matches!(
        expected.kind,
        AcquireErrorKind::Throttled | AcquireErrorKind::Unavailable
    );
    let seconds = case.retry_after.unwrap_or(5).clamp(1, 3_600);
    let retry_after = error.retry_after().map(|time| time.as_secs());
    assert_eq!(retry_after, passes.then_some(seconds), "{error}");
    // Only what a server failed in, and only if it named no time.
    if error.retry_in_line() {
        assert!(case.status >= 500 && case.retry_after.is_none(), "{error}");
    }
}

/// As the request has it, or in any part of a form.
fn hides_the_request(shown: &str) {
    let mut plain = Vec::new();
    let mut rest = shown.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind
            .get(..2)
            .and_then(|digits| str::from_utf8(digits).ok());
        let escape = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escape) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                rest = &behind[2..];
            }
            (b'+', _) => {
                plain.push(b' ');
                rest = behind;
            }
            _ => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    let plain = String::from_utf8_lossy(&plain);
    for text in [shown, &*plain] {
        assert!(!text.contains(SECRET) && !text.contains(WORD), "{shown}");
    }
    // Names of users have it.
    assert!(!shown.contains('@') && !shown.contains("%40"), "{shown}");
}

struct Expected {
    kind: AcquireErrorKind,
    code: Option<u32>,
    claims: Option<String>,
    trace_id: Option<String>,
    is_of_oauth: bool,
}

impl Expected {
    fn of(case: &Case<'_>) -> Self {
        let body = str::from_utf8(case.body).ok().filter(|_| !case.is_encoded);
        let tree = body.and_then(Tree::of_object);
        let error = tree.as_ref().and_then(|tree| tree.get("error")?.text());
        let (Some(tree), Some(error)) = (&tree, error.filter(|error| !error.is_empty())) else {
            let kind = match case.status {
                429 => AcquireErrorKind::Throttled,
                _ => AcquireErrorKind::Unavailable,
            };
            return Self {
                kind,
                code: None,
                claims: None,
                trace_id: None,
                is_of_oauth: false,
            };
        };
        let text = |name: &str| tree.get(name).and_then(Tree::text).unwrap_or_default();
        let codes = codes(tree, text("error_description"));
        let kind = kind(case, tree, error, text("suberror"), &codes);
        let claims = text("claims");
        let is_challenge = kind == AcquireErrorKind::InteractionRequired
            && claims.len() <= 8 * 1024
            && Tree::of_object(claims).is_some_and(|claims| !claims.members().is_empty());
        let trace_id = text("trace_id");
        Self {
            kind,
            code: codes.first().copied(),
            claims: is_challenge.then(|| claims.to_owned()),
            trace_id: is_guid(trace_id).then(|| trace_id.to_owned()),
            is_of_oauth: true,
        }
    }
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// At most eight, and the one of the description where there are none.
fn codes(tree: &Tree, description: &str) -> Vec<u32> {
    let mut codes = Vec::new();
    if let Some(Tree::List(items)) = tree.get("error_codes") {
        for item in items {
            if let Tree::Integer(number) = item {
                codes.extend(u32::try_from(*number).ok());
            }
        }
    }
    codes.truncate(8);
    if codes.is_empty()
        && let Some(digits) = description.trim_start().strip_prefix("AADSTS")
    {
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        codes.extend(digits[..end].parse::<u32>().ok());
    }
    codes
}

/// The order of the contract: what passes by itself, consent, claims, the number, the word.
fn kind(
    case: &Case<'_>,
    tree: &Tree,
    error: &str,
    suberror: &str,
    codes: &[u32],
) -> AcquireErrorKind {
    use AcquireErrorKind as Kind;

    let is_callers = matches!(case.kind, super::answers::Kind::OnBehalfOf(_));
    let of_exchange = |is_callers: bool| match is_callers {
        true => Kind::AssertionRefused,
        false => Kind::CredentialRefused,
    };
    let class = codes.iter().find_map(|code| {
        let mut classes = CLASSES.iter();
        classes
            .find_map(|(class, all)| all.contains(code).then_some(*class))
            .or(match code {
                82_000..=82_999 | 53_000..=53_999 | 530_000..=530_999 => Some(Class::NotAllowed),
                _ => None,
            })
    });
    match case.status {
        429 => return Kind::Throttled,
        408 | 500.. if class != Some(Class::Unclear) => return Kind::Unavailable,
        _ => {}
    }
    if [error, suberror].contains(&"consent_required") {
        return Kind::ConsentRequired;
    }
    match tree.get("claims") {
        None | Some(Tree::Null) => {}
        Some(Tree::Text(text)) if text.trim().is_empty() => {}
        Some(_) => return Kind::InteractionRequired,
    }
    match class {
        Some(Class::Credential) => return Kind::CredentialRefused,
        Some(Class::Exchange) => return of_exchange(is_callers && error != "invalid_client"),
        Some(Class::Misconfigured) => return Kind::Misconfigured,
        Some(Class::NotAllowed) => return Kind::NotAllowed,
        Some(Class::Consent) => return Kind::ConsentRequired,
        Some(Class::StepUp) => return Kind::InteractionRequired,
        Some(Class::Throttled) => return Kind::Throttled,
        Some(Class::Transient | Class::Unclear) => return Kind::Unavailable,
        None => {}
    }
    let interactive = [
        "additional_action",
        "basic_action",
        "interrupted_user",
        "message_only",
        "ui_not_allowed",
        "user_password_expired",
    ];
    match error {
        "interaction_required" | "login_required" => Kind::InteractionRequired,
        "invalid_grant" if interactive.contains(&suberror) => Kind::InteractionRequired,
        "invalid_grant" => of_exchange(is_callers),
        "invalid_client" => Kind::CredentialRefused,
        "access_denied" => Kind::NotAllowed,
        "server_error" | "temporarily_unavailable" | "request_timeout" => Kind::Unavailable,
        _ => Kind::Misconfigured,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Credential,
    /// The token that is exchanged: of a caller, or of the client's own chain.
    Exchange,
    Misconfigured,
    NotAllowed,
    Consent,
    StepUp,
    Throttled,
    Transient,
    Unclear,
}

/// The numbers of Entra's errors, by what they bring about.
const CLASSES: [(Class, &[u32]); 9] = [
    (
        Class::Credential,
        &[
            70_002, 70_021, 700_024, 700_025, 700_027, 700_030, 700_211, 700_212, 700_213, 700_222,
            700_226, 700_227, 700_229, 700_231, 700_236, 900_144, 1_000_502, 7_000_214, 7_000_215,
            7_000_216, 7_000_218, 7_000_222, 7_000_274, 7_000_277, 7_002_121, 7_002_131, 7_002_206,
            9_002_324,
        ],
    ),
    (
        Class::Exchange,
        &[
            50_013, 50_027, 50_132, 50_133, 50_173, 70_000, 70_008, 70_043, 500_131, 500_133,
            700_082,
        ],
    ),
    (
        Class::Misconfigured,
        &[
            50_194, 70_001, 70_011, 90_002, 90_038, 500_011, 650_052, 650_053, 700_016, 700_022,
            700_023, 900_382, 900_432, 901_002, 1_002_012, 7_000_112, 7_000_229, 9_001_023,
        ],
    ),
    (
        Class::NotAllowed,
        &[
            50_020, 50_034, 50_057, 50_105, 50_131, 51_004, 501_051, 7_000_114,
        ],
    ),
    (Class::Consent, &[65_001, 90_094, 650_056, 650_057]),
    (Class::StepUp, &[50_072, 50_074, 50_076, 50_079, 50_158]),
    (Class::Throttled, &[50_196, 90_055]),
    (
        Class::Transient,
        &[50_033, 50_087, 90_006, 90_012, 90_024, 90_033, 90_090],
    ),
    (Class::Unclear, &[50_000]),
];

const SECRET: &str = "hunter2 ~x";
const FORM: &str = "hunter2+%7Ex";
const WORD: &str = "a_secret_word";

const STATUS: [u16; 16] = [
    400, 401, 403, 200, 429, 500, 503, 408, 302, 404, 502, 504, 201, 410, 499, 599,
];
const RETRY_AFTER: [Option<u64>; 6] = [
    None,
    Some(0),
    Some(7),
    Some(3_600),
    Some(100_000),
    Some(u64::MAX),
];
const CREDENTIALS: [&str; 5] = ["secret", "certificate", "assertion_file", "assertion", "t1"];
