//! Explains one access token: what is in it, who is calling, and which check refuses it, with what
//! to change.
//!
//! ```text
//! cargo run --example explain < token.txt               # with the signature: fetches keys
//! cargo run --example explain -- --offline < token.txt  # without: no verdict
//! ```
//!
//! The token is read from standard input, where no other user of the machine sees it, and is sent
//! nowhere. The environment configures whose tokens are accepted, as for `whoami`.

#[path = "common/rehearsal.rs"]
mod rehearsal;
#[path = "common/settings.rs"]
#[allow(dead_code, reason = "whoami has more settings")]
mod settings;

use std::{
    env,
    io::{self, IsTerminal, Read},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tokio::time;
use tower_entra::{
    AgentPrincipal, AgentStatus, Error, ErrorKind, Facet, IdentityType, PrincipalKind, Validator,
};

use self::{rehearsal::Rehearsal, settings::Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let is_offline = arguments.iter().any(|argument| argument == "--offline");
    if arguments.len() > usize::from(is_offline) {
        eprintln!(
            "usage: explain [--offline] < token\n\
             The token is read from standard input and never from an argument, which other users of \
             this machine can see."
        );
        return ExitCode::from(2);
    }
    let settings = match Settings::from_env() {
        Ok(settings) => Some(settings),
        Err(_) if is_offline => None,
        Err(problem) => return give_up(&problem),
    };
    let token = match read_token() {
        Ok(token) => token,
        Err(problem) => return give_up(&problem),
    };
    show_parts(&token);
    if is_offline {
        rehearse(&token, settings.as_ref()).await;
        return ExitCode::SUCCESS;
    }
    let Some(settings) = settings else {
        return give_up(&"the environment names no tenant");
    };
    match settings.validator() {
        Ok(validator) => verdict(&validator, &settings, &token).await,
        Err(problem) => give_up(&problem),
    }
}

fn give_up(problem: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::from(2)
}

/// The token without the word `Bearer`, if that precedes it.
fn read_token() -> Result<String, String> {
    if io::stdin().is_terminal() {
        eprintln!("Paste the token and end with Enter and Ctrl-D.");
    }
    let mut text = String::new();
    let mut stdin = io::stdin().lock().take(MAX_INPUT);
    let read = stdin.read_to_string(&mut text);
    read.map_err(|error| format!("standard input: {error}"))?;
    let token = text.trim();
    let token = match token.get(..7) {
        Some(word) if word.eq_ignore_ascii_case("bearer ") => token[7..].trim(),
        _ => token,
    };
    if token.is_empty() {
        return Err("standard input: there is no token".to_owned());
    }
    Ok(token.to_owned())
}

/// Header and claims, as far as they can be read. The signature is not shown.
fn show_parts(token: &str) {
    let mut segments = token.split('.');
    for (title, segment, known) in [
        ("Header", segments.next(), HEADER),
        ("Claims", segments.next(), CLAIMS),
    ] {
        println!("\n{}", paint(BOLD, title));
        match segment.map(decode) {
            Some(Ok(members)) => show_members(&members, known),
            Some(Err(problem)) => println!("  {problem}"),
            None => println!("  there are none"),
        }
    }
}

fn decode(segment: &str) -> Result<Map<String, Value>, &'static str> {
    let json = URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| "not base64url")?;
    serde_json::from_slice(&json).map_err(|_| "not a JSON object")
}

/// Known members in the order of `known`, then the others.
fn show_members(members: &Map<String, Value>, known: &[Meaning]) {
    let named = known
        .iter()
        .filter_map(|meaning| Some((meaning, members.get(meaning.name)?)));
    let rows = named.map(|(meaning, value)| {
        let meaning_of_value = match of_other_version(meaning.name, members) {
            Some(note) => note.to_owned(),
            None => meaning.of(value),
        };
        (meaning.name, value, meaning_of_value)
    });
    let others = members
        .iter()
        .filter(|(name, _)| known.iter().all(|meaning| meaning.name != *name))
        .map(|(name, value)| (name.as_str(), value, String::new()));
    for (name, value, meaning) in rows.chain(others) {
        let (name, value) = (cut(&plain(name), 24), cut(&shown(value), 76));
        println!("  {} {value}", paint(BOLD, &format!("{name:<16}")));
        if !meaning.is_empty() {
            println!("  {:<16} {}", "", paint(DIM, &plain(&meaning)));
        }
    }
}

/// A note on the claim that names the client in tokens of the other version.
fn of_other_version(name: &str, claims: &Map<String, Value>) -> Option<&'static str> {
    match (name, claims.get("ver").and_then(Value::as_str)) {
        ("azp", Some("1.0")) => {
            Some("does not count: version 1.0 tokens name their client in appid")
        }
        ("appid", Some("2.0")) => {
            Some("does not count: version 2.0 tokens name their client in azp")
        }
        _ => None,
    }
}

/// A member and what it means.
struct Meaning {
    name: &'static str,
    text: &'static str,
    detail: fn(&Value) -> String,
}

impl Meaning {
    const fn new(name: &'static str, text: &'static str) -> Self {
        let detail = |_: &Value| String::new();
        Self { name, text, detail }
    }

    const fn with(self, detail: fn(&Value) -> String) -> Self {
        Self { detail, ..self }
    }

    fn of(&self, value: &Value) -> String {
        match (self.detail)(value) {
            detail if detail.is_empty() => self.text.to_owned(),
            detail => format!("{}: {detail}", self.text),
        }
    }
}

const HEADER: &[Meaning] = &[
    Meaning::new("alg", "the signature's algorithm; Entra signs with RS256"),
    Meaning::new("kid", "names the key that is to verify the signature"),
    Meaning::new("typ", "Entra's access tokens and ID tokens both have JWT"),
    Meaning::new(
        "nonce",
        "a token for Microsoft Graph: only Graph can verify it",
    ),
];

const CLAIMS: &[Meaning] = &[
    Meaning::new(
        "ver",
        "the version, which the API's requestedAccessTokenVersion decides",
    ),
    Meaning::new("iss", "who issued the token"),
    Meaning::new("tid", "the tenant in which it is valid"),
    Meaning::new("aud", "the API it is for"),
    Meaning::new("iat", "issued").with(date),
    Meaning::new("nbf", "valid from").with(date),
    Meaning::new("exp", "expires").with(date),
    Meaning::new("azp", "the client that got it; the agent, where one acts"),
    Meaning::new("appid", "the client that got it; the agent, where one acts"),
    Meaning::new("azpacr", "how the client proved itself").with(credential),
    Meaning::new("appidacr", "how the client proved itself").with(credential),
    Meaning::new(
        "oid",
        "the object it identifies: the person, or the app or agent itself",
    ),
    Meaning::new("sub", "the subject; a person's differs from API to API"),
    Meaning::new(
        "idtyp",
        "app: no user has delegated anything; user: a user has",
    ),
    Meaning::new("xms_act_fct", "what the actor (azp or appid) is").with(facets),
    Meaning::new("xms_sub_fct", "what the subject is").with(facets),
    Meaning::new(
        "xms_tnt_fct",
        "what the tenant is; says nothing about agents",
    ),
    Meaning::new("xms_idrel", "how the subject relates to the tenant").with(relationships),
    Meaning::new(
        "xms_par_app_azp",
        "the blueprint of the agent: for audit, not for authorizing",
    ),
    Meaning::new("scp", "the scopes that a user has delegated"),
    Meaning::new("roles", "the app roles of the caller"),
    Meaning::new("groups", "the groups of the subject, as object ids"),
    Meaning::new(
        "_claim_names",
        "claims that did not fit; if groups are: ask Microsoft Graph (memberOf), or use app roles",
    ),
    Meaning::new(
        "hasgroups",
        "true: the groups did not fit: ask Microsoft Graph (memberOf), or use app roles",
    ),
    Meaning::new(
        "cnf",
        "bound to a key of its sender: refused as a bearer token",
    ),
    Meaning::new("nonce", "only ID tokens have it"),
    Meaning::new("acrs", "the authentication contexts that were satisfied"),
    Meaning::new("xms_cc", "cp1: the client can answer a claims challenge"),
    Meaning::new(
        "uti",
        "the token's id, by which Entra's sign-in log knows it",
    ),
];

fn credential(value: &Value) -> String {
    match value.as_str() {
        Some("0") => "not at all, a public client",
        Some("1") => "with a secret",
        Some("2") => "with a certificate or an assertion, as agents do",
        _ => "",
    }
    .to_owned()
}

/// One integer, a text of integers between spaces, or a list of both, as the crate reads them. `None`
/// if any part is something else, or if there is none.
fn numbers(value: &Value) -> Option<Vec<i32>> {
    let of_one = |value: &Value| match value {
        Value::String(text) => {
            let parts = text.split_whitespace();
            parts.map(|part| part.parse().ok()).collect()
        }
        value => Some(vec![i32::try_from(value.as_i64()?).ok()?]),
    };
    let numbers = match value {
        Value::Array(values) => {
            let lists: Option<Vec<Vec<i32>>> = values.iter().map(of_one).collect();
            lists?.concat()
        }
        value => of_one(value)?,
    };
    (!numbers.is_empty()).then_some(numbers)
}

fn facets(value: &Value) -> String {
    let Some(numbers) = numbers(value) else {
        return "something else than integers, so it counts as absent".to_owned();
    };
    let meanings = numbers.into_iter().filter_map(|number| match number {
        11 => Some("11 = an agent identity"),
        13 => Some("13 = the user account of an agent"),
        _ => None,
    });
    match meanings.collect::<Vec<_>>().join(", ") {
        meanings if meanings.is_empty() => "neither 11 nor 13".to_owned(),
        meanings => meanings,
    }
}

fn relationships(value: &Value) -> String {
    let meanings = numbers(value).unwrap_or_default();
    let meanings = meanings.into_iter().filter_map(|number| match number {
        1 => Some("1 = member user"),
        5 => Some("5 = guest user"),
        7 => Some("7 = service principal"),
        9 => Some("9 = device"),
        _ => None,
    });
    meanings.collect::<Vec<_>>().join(", ")
}

fn date(value: &Value) -> String {
    let (Some(then), Some(now)) = (value.as_i64(), now()) else {
        return String::new();
    };
    match now.checked_sub(then) {
        Some(ago @ 0..) => format!("{ago} s ago"),
        Some(ahead) => format!("in {} s", ahead.unsigned_abs()),
        None => String::new(),
    }
}

fn now() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}

/// What is known without a key. It is no verdict: the token may be forged.
async fn rehearse(token: &str, settings: Option<&Settings>) {
    println!("\n{}", paint(BOLD, "Verdict"));
    let warning = "NOT VERIFIED: the signature was not checked, so the token may be forged.";
    println!("  {}", paint(RED, warning));
    let (Some(settings), Some(claims)) = (settings, claims_of(token)) else {
        return;
    };
    let Ok(rehearsal) = Rehearsal::of(settings).await else {
        return;
    };
    match rehearsal.judge(&claims).await {
        Ok(caller) => {
            println!("  If it were good, the token would pass every check from the sixth on.");
            show_caller("Who would be calling", &caller);
        }
        Err(error) => {
            let check = check(error.kind()).unwrap_or("of none");
            let code = error.kind().as_str();
            println!("  If it were good, check {check} would refuse the token ({code}):");
            println!("  {error}");
            println!("  {}", paint(BOLD, error.hint()));
            rehearse_in_time(&rehearsal, &claims, error.kind()).await;
        }
    }
}

/// The claims in the token's own spelling.
fn claims_of(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    String::from_utf8(claims).ok()
}

/// Shows who would be calling if these claims were valid now, where `kind` says that only their dates
/// are wrong.
async fn rehearse_in_time(rehearsal: &Rehearsal, claims: &str, kind: ErrorKind) {
    let title = match kind {
        ErrorKind::Expired => "Who would be calling, if it had not expired",
        ErrorKind::NotYetValid => "Who would be calling, if it were valid already",
        _ => return,
    };
    if let Some(claims) = in_time(claims)
        && let Ok(caller) = rehearsal.judge(&claims).await
    {
        show_caller(title, &caller);
    }
}

/// The same claims with an end in the future, and a beginning that is not.
fn in_time(claims: &str) -> Option<String> {
    let mut claims: Map<String, Value> = serde_json::from_str(claims).ok()?;
    let now = now()?;
    for (name, date) in &mut claims {
        match (name.as_str(), date.as_i64()) {
            ("exp", Some(end)) if end < now => *date = Value::from(now + 60),
            ("nbf" | "iat", Some(begin)) if begin > now => *date = Value::from(now),
            _ => {}
        }
    }
    Some(Value::Object(claims).to_string())
}

/// The validator's verdict, with the keys of the authority.
async fn verdict(validator: &Validator, settings: &Settings, token: &str) -> ExitCode {
    // A longer wait than a request would have.
    let _ = time::timeout(KEYS_LIMIT, validator.ready()).await;
    println!("\n{}", paint(BOLD, "Verdict"));
    match validator.validate(token).await {
        Ok(caller) => {
            println!(
                "  {}",
                paint(GREEN, "ADMITTED: the token passes every check.")
            );
            show_caller("Who is calling", &caller);
            ExitCode::SUCCESS
        }
        Err(error) => {
            show_refusal(&error);
            if error.kind() == ErrorKind::NothingGranted
                && let Ok(caller) = validator.with_authorization_by_acl().validate(token).await
            {
                println!("\n  Only an API that keeps its own list of callers would admit it.");
                show_caller("Who is calling", &caller);
            }
            // The authority has signed these claims, so they are worth a rehearsal.
            let is_early_or_late =
                matches!(error.kind(), ErrorKind::Expired | ErrorKind::NotYetValid);
            if is_early_or_late
                && is_verified(error.kind())
                && let Some(claims) = claims_of(token)
                && let Ok(rehearsal) = Rehearsal::of(settings).await
            {
                rehearse_in_time(&rehearsal, &claims, error.kind()).await;
            }
            ExitCode::FAILURE
        }
    }
}

fn show_refusal(error: &Error) {
    let code = error.kind().as_str();
    let refused = match check(error.kind()) {
        Some(check) => format!("REFUSED by check {check} ({code})"),
        None => format!("NOT DECIDED ({code})"),
    };
    println!("  {}", paint(RED, &refused));
    println!("  {error}");
    println!("  {}", paint(BOLD, error.hint()));
    if !is_verified(error.kind()) {
        let warning = "NOT VERIFIED: the values above may be forged.";
        println!("  {}", paint(RED, warning));
    }
}

/// Whether the checks got past the signature.
fn is_verified(kind: ErrorKind) -> bool {
    let before = ["2", "3", "4", "5"];
    check(kind).is_some_and(|check| !before.iter().any(|number| check.starts_with(number)))
}

/// The check that refuses with this kind, as the documentation of `Validator` counts them.
fn check(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::TokenTooLarge | ErrorKind::MalformedToken | ErrorKind::EncryptedToken => {
            "2, size and shape"
        }
        ErrorKind::MalformedHeader
        | ErrorKind::AlgorithmNotAllowed
        | ErrorKind::InvalidKeyId
        | ErrorKind::UnsupportedTokenType
        | ErrorKind::UnsupportedHeader => "3, header",
        ErrorKind::UnknownKey => "4, key",
        ErrorKind::InvalidSignature | ErrorKind::GraphToken => "5, signature",
        ErrorKind::MalformedClaims => "6, form of the claims",
        ErrorKind::UnsupportedVersion
        | ErrorKind::InvalidTenant
        | ErrorKind::IssuerMismatch
        | ErrorKind::TenantNotAllowed => "7, issuer and tenant",
        ErrorKind::KeyNotForIssuer => "8, whose key it is",
        ErrorKind::AudienceMismatch => "9, audience",
        ErrorKind::InvalidDates | ErrorKind::Expired | ErrorKind::NotYetValid => "10, dates",
        ErrorKind::IdToken | ErrorKind::ContradictoryClaims => "11, kind of token",
        ErrorKind::SenderConstrained => "12, sender",
        ErrorKind::NothingGranted => "13, grant",
        _ => return None,
    })
}

fn show_caller(title: &str, caller: &AgentPrincipal) {
    println!("\n{}", paint(BOLD, title));
    let list = |items: Vec<&str>| plain(&items.join(" "));
    let client = caller.client_id().map(|client| client.to_string());
    let rows = [
        ("client", client.unwrap_or_default(), why_client(caller)),
        ("kind", caller.kind().to_string(), why_kind(caller)),
        (
            "agent_status",
            caller.agent_status().to_string(),
            why_status(caller),
        ),
        ("scopes", list(caller.scopes().collect()), ""),
        ("roles", list(caller.roles().collect()), ""),
        (
            "groups",
            caller.groups().ids().count().to_string(),
            why_groups(caller),
        ),
        ("guest", caller.is_guest().to_string(), ""),
    ];
    for (name, value, why) in rows {
        let value = if value.is_empty() { "none" } else { &value };
        println!(
            "  {} {}",
            paint(BOLD, &format!("{name:<16}")),
            cut(value, 76)
        );
        if !why.is_empty() {
            println!("  {:<16} {}", "", paint(DIM, why));
        }
    }
}

fn why_client(caller: &AgentPrincipal) -> &'static str {
    match caller.client_id() {
        Some(_) => "",
        None => "version 2.0 tokens name it in azp, version 1.0 tokens in appid",
    }
}

fn why_groups(caller: &AgentPrincipal) -> &'static str {
    if caller.groups().has_overage() {
        "more than the token could hold: ask Microsoft Graph (memberOf), or use app roles"
    } else {
        ""
    }
}

fn why_kind(caller: &AgentPrincipal) -> &'static str {
    let subject_has = |facet| {
        caller
            .subject_facets()
            .is_some_and(|set| set.contains(facet))
    };
    let is_declared = caller.agent_status() == AgentStatus::Declared;
    match caller.kind() {
        PrincipalKind::AgentUser => "xms_sub_fct has 13",
        PrincipalKind::AutonomousAgent if subject_has(Facet::AGENT_IDENTITY) => {
            "xms_sub_fct has 11"
        }
        PrincipalKind::AutonomousAgent if is_declared => "KNOWN_AGENTS has the client, app-only",
        PrincipalKind::AutonomousAgent => "xms_act_fct has 11, and the token is app-only",
        PrincipalKind::AgentOnBehalfOfUser if is_declared => "KNOWN_AGENTS has the client",
        PrincipalKind::AgentOnBehalfOfUser => "xms_act_fct has 11, and a user has delegated",
        PrincipalKind::Application => "the token is app-only, and no facet says that an agent acts",
        PrincipalKind::User if caller.identity_type() == Some(&IdentityType::User) => {
            "idtyp is user, and no facet says that an agent acts"
        }
        PrincipalKind::User => "the token is not app-only, and no facet says that an agent acts",
        _ => "idtyp has another value than app and user",
    }
}

fn why_status(caller: &AgentPrincipal) -> &'static str {
    match caller.agent_status() {
        AgentStatus::Attested => "Entra says so: xms_act_fct or xms_sub_fct has 11 or 13",
        AgentStatus::Declared => "Entra does not say so, but KNOWN_AGENTS lists the client",
        AgentStatus::NotAgent => {
            "Entra says so: xms_act_fct and xms_sub_fct have neither 11 nor 13"
        }
        _ => {
            "Entra does not say: ask for xms_act_fct, xms_sub_fct, xms_par_app_azp, xms_idrel and \
             idtyp (with include_user_token) under optionalClaims.accessToken of the API's registration"
        }
    }
}

/// A JSON value on one line of printable ASCII.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        value => plain(&value.to_string()),
    }
}

fn plain(text: &str) -> String {
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            ' '..='~' => plain.push(character),
            other => plain.extend(other.escape_default()),
        }
    }
    plain
}

fn cut(text: &str, length: usize) -> String {
    match text.get(..length) {
        Some(start) if start.len() < text.len() => format!("{start}..."),
        _ => text.to_owned(),
    }
}

/// In this style of ANSI's escape sequences, on a terminal that has not been asked to be plain.
fn paint(style: &str, text: &str) -> String {
    if io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "1;31";
const GREEN: &str = "1;32";

/// More than any header may hold.
const MAX_INPUT: u64 = 1024 * 1024;
const KEYS_LIMIT: Duration = Duration::from_secs(10);
