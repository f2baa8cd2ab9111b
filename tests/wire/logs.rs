//! What must never be in a log, an error or an answer, whatever a token holds.

use http::{Request, Response, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, KeySettings,
    testing::{Fault, Issuer, TokenBuilder},
};

use crate::support::{self, Log, OTHER_TENANT, REALM, block_on, issuer, logged, with_line};

/// Sends one token through the layer to a handler that denies every caller called Zoe.
fn send(layer: &EntraAuthLayer, token: &str) -> Response<String> {
    let inner = service_fn(|request: Request<()>| async move {
        let caller = request.extensions().get::<AgentPrincipal>().unwrap();
        let mut response = Response::new(String::new());
        if caller.claims::<Value>().unwrap()["name"] == "Zoe Quimby" {
            response.extensions_mut().insert(Denial::new());
        }
        Ok::<_, Error>(response)
    });
    let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
    let request = request.body(()).unwrap();
    block_on(layer.layer(inner).oneshot(request)).unwrap()
}

/// What no log may hold: claims that name a person.
const PERSONAL: [(&str, &str); 9] = [
    ("name", "Zoe Quimby"),
    ("preferred_username", "zoe.preferred@contoso.example"),
    ("upn", "zoe.upn@contoso.example"),
    ("unique_name", "zoe.unique@contoso.example"),
    ("email", "zoe.mail@contoso.example"),
    ("family_name", "Quimby-Family"),
    ("given_name", "Zoe-Given"),
    ("ipaddr", "192.0.2.77"),
    ("login_hint", "zoe.hint@contoso.example"),
];

/// Every kind of caller, plain and with each fault that a token can have.
fn tokens(issuer: &Issuer, other_key: &str) -> Vec<String> {
    let scenarios: [TokenBuilder; 7] = [
        issuer.autonomous_agent(),
        issuer.agent_on_behalf_of("zoe"),
        issuer.agent_user(),
        issuer.user(),
        issuer.application(),
        issuer.id_token(),
        issuer.token(),
    ];
    let faults: &[fn(TokenBuilder) -> TokenBuilder] = &[
        |token| token,
        TokenBuilder::v1,
        TokenBuilder::without_facets,
        TokenBuilder::expired,
        TokenBuilder::signed_by_stranger,
        TokenBuilder::unsigned,
        |token| token.hs256("secret"),
        |token| token.algorithm("RS384"),
        |token| token.header("kid", "unknown"),
        |token| token.header("nonce", "x").signed_by_stranger(),
        |token| token.header("typ", "pop"),
        |token| token.header("crit", ["x"]),
        |token| token.header_text("{}"),
        |token| token.header_text("[]"),
        |token| token.payload("[\"zoe\"]"),
        |token| token.payload(r#"{"name":"Zoe Quimby","name":"Zoe Quimby"}"#),
        |token| token.claim("TID", "zoe"),
        |token| token.claim("oid", "zoe"),
        |token| token.claim("tid", "not-a-guid"),
        |token| token.claim("ver", "1.1"),
        |token| token.claim("iss", "https://idp.example"),
        |token| token.tenant(OTHER_TENANT),
        |token| token.audience("api://another"),
        |token| token.claim("exp", -1),
        |token| {
            token
                .not_before(253_402_300_000)
                .expires_at(253_402_300_001)
        },
        |token| token.claim("cnf", json!({"jwk": {"k": "zoe"}})),
        |token| token.claim("appid", OTHER_TENANT),
        |token| token.without_claim("scp").without_claim("roles"),
        |token| token.claim("xms_act_fct", json!({"zoe": 1})),
        |token| {
            token
                .claim("groups", "zoe")
                .claim("acrs", json!({"zoe": 1}))
        },
        |token| token.claim("x", "x".repeat(20_000)),
    ];
    let personal = |token: TokenBuilder| token.claims(PERSONAL);
    let mut tokens: Vec<String> = Vec::new();
    for scenario in scenarios {
        for fault in faults {
            tokens.push(fault(personal(scenario.clone())).mint());
        }
        tokens.push(personal(scenario).signed_by(other_key).mint());
    }
    tokens
}

#[track_caller]
fn holds_nothing_of(text: &str, tokens: &[String]) {
    for token in tokens {
        assert!(!text.contains(token), "a token is in: {text}");
        // Texts that all tokens have in common, such as `{}`, are no secrets.
        for segment in token.split('.').filter(|segment| segment.len() >= 16) {
            assert!(!text.contains(segment), "{segment} is in: {text}");
        }
    }
    for (name, value) in PERSONAL {
        assert!(!text.contains(value), "{name} is in: {text}");
    }
    assert!(!text.to_lowercase().contains("quimby"), "{text}");
    // Word by word, because a random `uti` may well have these three letters in it.
    let is_of_a_word = |char: char| char.is_alphanumeric() || "-_".contains(char);
    for word in text.split(|char| !is_of_a_word(char)) {
        assert!(!word.eq_ignore_ascii_case("zoe"), "{text}");
        assert!(!word.starts_with("eyJ"), "{text}");
    }
}

#[test]
pub(crate) fn no_log_and_no_answer_holds_a_token_or_a_name() {
    let issuer = Issuer::start_blocking();
    let other_key = issuer.new_unpublished_key();
    let tokens = tokens(&issuer, &other_key);
    let validator = issuer.validator_builder().token_cache(100).build().unwrap();
    let layer = EntraAuthLayer::new(validator.clone());
    let (_, log) = logged(|| {
        block_on(validator.ready());
        for token in &tokens {
            for _ in 0..2 {
                let response = send(&layer, token);
                let error = response.extensions().get::<Error>();
                let shown = format!("{response:?} {error:#?} {layer:?} {validator:?}");
                holds_nothing_of(&shown, &tokens);
            }
        }
    });
    assert!(log.matches("request refused").count() > 300, "{log}");
    assert!(log.matches("request admitted").count() > 30, "{log}");
    assert!(log.contains("TRACE"), "the level TRACE is on");
    holds_nothing_of(&log, &tokens);
}

#[test]
pub(crate) fn no_log_holds_a_token_while_it_waits_for_a_key() {
    let issuer = Issuer::start_blocking();
    let settings = KeySettings::default().with_wait(std::time::Duration::from_millis(300));
    let builder = issuer.validator_builder().key_settings(settings);
    let validator = builder.build().unwrap();
    let layer = EntraAuthLayer::new(validator.clone());
    let unknown = issuer.new_unpublished_key();
    let mut tokens = Vec::new();
    let (_, log) = logged(|| {
        let mut send = |token: TokenBuilder, code: Option<&str>| {
            let token = token.claims(PERSONAL).claim("name", "Zoe").mint();
            let response = send(&layer, &token);
            let error = response.extensions().get::<Error>();
            assert_eq!(error.map(|error| error.kind().as_str()), code);
            tokens.push(token);
        };
        // Waits for the first keys, which do not come.
        issuer.fail(Fault::Hang);
        send(issuer.user(), Some("keys_unavailable"));
        issuer.heal();
        block_on(validator.ready());
        // Waits for a key that comes.
        issuer.rotate();
        send(issuer.user(), None);
        // Is refused in the cool-down.
        send(issuer.user().signed_by(&unknown), Some("keys_unavailable"));
        send(
            issuer.user().signed_by_stranger(),
            Some("invalid_signature"),
        );
    });
    holds_nothing_of(&log, &tokens);
}

/// Texts that break out of whatever they are written into.
fn hostile() -> Vec<String> {
    vec![
        "\", error=\"x".to_owned(),
        "a\r\nSet-Cookie: a=b\r\n\r\n<html>".to_owned(),
        "\u{0}\u{1}\u{7f}\u{1b}[2J\u{1b}]0;x\u{7}".to_owned(),
        "\u{202e}\u{200f}\u{2066}abc\u{feff}\u{2028}\u{2029}".to_owned(),
        "ÿ€😀".repeat(10),
        "x ".repeat(5_000),
        "\"\\".repeat(5_000),
        "\u{202e}".repeat(3_000),
        "k".repeat(10_000),
        "%0d%0a${jndi:ldap://x}<script>".to_owned(),
    ]
}

/// A token with this text in one place.
type Place = fn(TokenBuilder, &str) -> TokenBuilder;

const PLACES: &[Place] = &[
    |token, text| token.header("alg", text),
    |token, text| token.header("kid", text),
    |token, text| token.header("typ", text),
    |token, text| token.header(text, 1).header("alg", "none"),
    |token, text| token.header_text(twice(text)),
    |token, text| token.payload(twice(text)),
    |token, text| token.claim("aud", text),
    |token, text| token.claim("aud", vec![text; 3]),
    |token, text| token.claim("aud", text).signed_by_stranger(),
    |token, text| token.claim("iss", text),
    |token, text| token.claim("iss", text).header("kid", "unknown"),
    |token, text| token.claim("tid", text),
    |token, text| token.claim("ver", text),
    |token, text| token.claim("idtyp", text).without_claim("scp"),
    |token, text| token.claim("uti", text),
    |token, text| token.claim("idp", text).tenant(OTHER_TENANT),
    |token, text| token.claim("xms_act_fct", text),
    |token, text| token.claim("azp", text),
    |token, text| token.claim(text, 1).claim("cnf", json!({})),
];

/// An object that has a member of this name twice.
fn twice(name: &str) -> String {
    let name = Value::from(name);
    format!("{{{name}:1,{name}:2}}")
}

#[track_caller]
fn is_clean(line: &str) {
    let found = line.bytes().find(|byte| !matches!(byte, b' '..=b'~'));
    assert_eq!(found, None, "{line:?}");
}

#[test]
pub(crate) fn hostile_texts_stay_in_one_short_line_of_printable_ascii() {
    let validator = issuer()
        .validator_builder()
        .max_token_size(1024 * 1024)
        .build()
        .unwrap();
    let layer = EntraAuthLayer::new(validator.clone());
    for place in PLACES {
        for text in hostile() {
            let token = place(issuer().user(), &text).mint();
            let (response, log) = logged(|| send(&layer, &token));
            let debug = format!("{:?}", response.headers());
            assert!(
                !debug.contains("Set-Cookie") && debug.len() < 500,
                "{debug}"
            );
            assert_eq!(response.body(), "");
            for line in log.lines() {
                is_clean(line);
            }
            let lines = log.lines().filter(|line| line.contains("tower_entra"));
            for line in lines {
                assert!(line.len() < 1_600, "{} bytes: {line}", line.len());
            }
            let Some(error) = response.extensions().get::<Error>() else {
                continue;
            };
            is_clean(&error.to_string());
            assert!(error.to_string().len() < 1_000, "{error}");
            is_clean(error.hint());
            is_clean(&format!("{error:?}"));
        }
    }
}

#[test]
pub(crate) fn no_log_and_no_answer_holds_a_secret_that_a_claim_holds() {
    const SECRET: &str = "hunter2-hunter2-hunter2";
    let issuer = issuer();
    let log = Log::of_this_thread();
    let validator = issuer.validator_builder().token_cache(8).build().unwrap();
    let layer = EntraAuthLayer::new(validator.clone())
        .with_realm(REALM)
        .unwrap();
    let secret = || {
        let token = issuer
            .user()
            .claim("password", SECRET)
            .claim("name", SECRET);
        token
            .claim("xms_act_fct", SECRET)
            .claim("groups", 5)
            .claim("preferred_username", SECRET)
    };
    block_on(async {
        validator.ready().await;
        for token in [
            secret(),
            secret().expired(),
            secret().audience("elsewhere"),
            secret().claim("iss", "no issuer"),
            secret().claim("tid", "nowhere"),
            secret().claim("oid", SECRET),
            secret().claim("idtyp", SECRET),
            secret().header("alg", "none"),
            secret().header("typ", "other"),
            secret().header("nonce", SECRET).signed_by_stranger(),
            secret().signed_by_stranger(),
            secret().payload(format!("{{\"{SECRET}\":")),
            secret().header_text(format!("{{\"{SECRET}\":")),
        ] {
            let token = token.mint();
            let answer = support::send(&layer, with_line(format!("Bearer {token}"))).await;
            assert!(!format!("{:?}", answer.response.headers()).contains(SECRET));
            if let Some(caller) = answer.response.extensions().get::<AgentPrincipal>() {
                assert!(!format!("{caller:?}").contains(SECRET));
            }
            if let Err(error) = validator.validate(&token).await {
                assert!(!format!("{error} {error:?}").contains(SECRET));
            }
            log.reveals_nothing(&token);
        }
        for line in [
            format!("Bearer {SECRET} {SECRET}"),
            format!("Basic {SECRET}"),
            SECRET.to_owned(),
        ] {
            support::send(&layer, with_line(line)).await;
        }
    });
    // The log shows these four, escaped and cut, because the operator needs them. A secret in the
    // place of one of them is longer than any value of Entra's.
    let long = SECRET.repeat(4);
    let token = issuer.user().mint();
    let (_, signature) = token.rsplit_once('.').unwrap();
    block_on(async {
        for (text, token) in [
            (long.as_str(), secret().audience(&long)),
            (&long, secret().claim("iss", &long)),
            (&long, secret().claim("tid", &long)),
            (&long, secret().header("kid", &long)),
            (&token, secret().audience(&token)),
            (signature, secret().audience(signature)),
        ] {
            let before = log.text().len();
            let token = token.mint();
            let answer = support::send(&layer, with_line(format!("Bearer {token}"))).await;
            assert!(!format!("{:?}", answer.response.headers()).contains(&text[..20]));
            let error = answer.response.extensions().get::<Error>().unwrap();
            assert!(!format!("{error} {error:?}").contains(&text[..20]));
            let note = format!("({} characters that look like a credential)", text.len());
            assert!(log.text()[before..].contains(&note), "{}", log.text());
            log.reveals_nothing(&token);
        }
    });
    assert!(!log.text().contains(SECRET), "{}", log.text());
    assert!(!log.text().is_empty(), "nothing is logged");
}
