//! Each request whole: its line, its headers and its parameters in their order, for each flow with each
//! credential, at each place and with each kind of claims.

use std::{slice, thread};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use tower_entra::{
    acquire::{AcquireSettings, ClientCredential, ConfidentialClient, Scopes, TokenOptions},
    testing::Issuer,
};

use super::{
    assertions::{BLUEPRINT, TENANT, assertion_for},
    credentials::TestFile,
    endpoint::claims_of,
    identities::{AGENT, UPN, USER},
    leg_tables::{CLAIMS, CREDENTIALS, DEFAULT, FLOWS, Files, HEADERS, Leg, PLACES, Place},
    scripted::Scripted,
    told,
    wire::{Sent, Wire},
};

/// A request without what differs each time.
#[derive(Debug, PartialEq)]
struct Line {
    line: String,
    headers: Vec<String>,
    form: Vec<String>,
}

#[tokio::test(start_paused = true)]
async fn each_request_of_each_flow_is_as_the_tables_have_it() {
    let pem = thread::spawn(|| Issuer::start_blocking().blueprint().new_certificate_pem());
    let pem = pem.join().unwrap();
    let files = Files {
        pem_file: TestFile::new(&pem),
        assertion_file: TestFile::new("eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmVk\n"),
        pem,
    };
    for (credential_is, credential, proof) in CREDENTIALS {
        for place in PLACES {
            for (claims_are, answers_challenges, asked, claims) in CLAIMS {
                for (flow_is, act, legs) in FLOWS {
                    let what = format!(
                        "{flow_is}, {}, {claims_are}, by {credential_is}",
                        place.what
                    );
                    let wire = Wire::of(Scripted::start());
                    let client = client(&place, credential(&files), &wire, answers_challenges);
                    let options = match asked {
                        Some(claims) => TokenOptions::default().claims(claims),
                        None => TokenOptions::default(),
                    };
                    let scopes = scopes_of(legs);
                    let got = act(&client, &place).token_with(&scopes, options).await;
                    assert!(got.is_ok(), "{what}: {}", told(&got.unwrap_err()));
                    let sent = wire.sent();
                    let seen: Vec<_> = sent.iter().map(Line::of).collect();
                    let expected = legs
                        .iter()
                        .map(|leg| Line::expected(leg, proof, claims, &place, &sent));
                    assert_eq!(seen, expected.collect::<Vec<_>>(), "{what}");
                }
            }
        }
    }
}

fn client(
    place: &Place,
    credential: ClientCredential,
    wire: &Wire,
    answers_challenges: bool,
) -> ConfidentialClient {
    let mut settings = AcquireSettings::default();
    if place.what == "in a cloud of its own" {
        settings = settings.with_exchange_audience(place.exchange);
    }
    ConfidentialClient::builder(TENANT, BLUEPRINT, credential)
        .authority((place.authority)())
        .settings(settings)
        .claims_challenges(answers_challenges)
        .http_client(wire.clone())
        .build()
        .unwrap()
        .in_tenant(place.tenant)
}

/// What the last leg asks for.
fn scopes_of(legs: &[Leg]) -> Scopes {
    let scope = match legs.last().unwrap().contains(&DEFAULT) {
        true => "api://orders/.default",
        false => "api://orders/Orders.Read",
    };
    scope.parse().unwrap()
}

impl Line {
    fn of(sent: &Sent) -> Self {
        let headers = sent.headers.iter();
        let mut headers: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        let form = sent.form.iter();
        Self {
            line: format!("{} {}", sent.method, sent.uri),
            headers,
            form: form
                .map(|(name, value)| format!("{name}={}", described(value)))
                .collect(),
        }
    }

    fn expected(leg: Leg, proof: Leg, claims: Leg, place: &Place, sent: &[Sent]) -> Self {
        let token = |leg: usize| sent.get(leg).and_then(Sent::token).unwrap_or_default();
        let signed = |alg: &str, members: &str| {
            let (_, url) = place.line.split_once(' ').unwrap();
            format!(
                "{alg} JWT [{members}] [aud exp iat iss jti nbf sub] for {url} by {BLUEPRINT} of {BLUEPRINT} for 600 s"
            )
        };
        let values = [
            ("{client}", BLUEPRINT.to_owned()),
            ("{agent}", AGENT.to_owned()),
            ("{user}", USER.to_owned()),
            ("{name}", UPN.to_owned()),
            ("{api}", "api://orders".to_owned()),
            ("{exchange}", place.exchange.to_owned()),
            (
                "{caller's token}",
                assertion_for(place.tenant, BLUEPRINT, 0).0.clone(),
            ),
            ("{T1}", token(0)),
            ("{T2}", token(1)),
            ("{assertion by PS256}", signed("PS256", "alg typ x5t#S256")),
            ("{assertion by RS256}", signed("RS256", "alg typ x5t#S256")),
            (
                "{assertion by PS256 with x5c}",
                signed("PS256", "alg typ x5c x5t#S256"),
            ),
            (
                "{id of the flight}",
                sent[0].header("client-request-id").unwrap().to_owned(),
            ),
        ];
        let filled = |text: &&str| {
            let mut text = (*text).to_owned();
            for (name, value) in &values {
                text = text.replace(name, &described(value));
            }
            text
        };
        let form = leg.iter().flat_map(|parameter| match *parameter {
            "{proof}" => proof,
            "{claims}" => claims,
            _ => slice::from_ref(parameter),
        });
        Self {
            line: place.line.to_owned(),
            headers: HEADERS.iter().map(filled).collect(),
            form: form.map(filled).collect(),
        }
    }
}

/// Of a client's signed assertion its header and its claims, without id, time and thumbprint. Any other text
/// as it is.
fn described(text: &str) -> String {
    let header = text.split('.').next().unwrap_or_default();
    let header: Option<Value> = URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|header| serde_json::from_slice(&header).ok());
    let Some(header) = header.filter(|header| header.get("x5t#S256").is_some()) else {
        return text.to_owned();
    };
    let claims = claims_of(text);
    let names = |value: &Value| {
        let names: Vec<_> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        names.join(" ")
    };
    let number = |name: &str| claims[name].as_u64().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(number("nbf"), number("iat"));
    format!(
        "{} {} [{}] [{}] for {} by {} of {} for {} s",
        text(&header["alg"]),
        text(&header["typ"]),
        names(&header),
        names(&claims),
        text(&claims["aud"]),
        text(&claims["iss"]),
        text(&claims["sub"]),
        number("exp") - number("nbf"),
    )
}
