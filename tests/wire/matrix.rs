//! Every way in which a request can be refused, with every setting of a layer: status, headers and
//! body, byte for byte, and each challenge read by a strict parser.

use std::time::Duration;

use http::{
    HeaderName, Request, Response, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, EntraAuthLayer, Error, ErrorKind, KeySettings, Validator,
    testing::{Fault, Issuer, TokenBuilder},
};

use crate::support::{block_on, challenge::Challenge};

/// The settings of a layer that change its answers.
#[derive(Clone, Copy, Debug)]
struct Settings {
    realm: Option<&'static str>,
    resource_metadata: Option<&'static str>,
    scopes: &'static [&'static str],
    is_optional: bool,
}

impl Settings {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for realm in [
            None,
            Some("api"),
            Some("the orders, all = of them"),
            Some(""),
        ] {
            for resource_metadata in [
                None,
                Some("https://api.example/.well-known/oauth-protected-resource/orders?a=b,c"),
            ] {
                for scopes in [&[][..], &["api://orders/Orders.Read", "b"]] {
                    for is_optional in [false, true] {
                        all.push(Self {
                            realm,
                            resource_metadata,
                            scopes,
                            is_optional,
                        });
                    }
                }
            }
        }
        all
    }

    fn layer(self, validator: &Validator) -> EntraAuthLayer {
        let mut layer = EntraAuthLayer::new(validator.clone());
        if let Some(realm) = self.realm {
            layer = layer.with_realm(realm).unwrap();
        }
        if let Some(url) = self.resource_metadata {
            layer = layer.with_resource_metadata(url).unwrap();
        }
        if !self.scopes.is_empty() {
            layer = layer.with_scopes(self.scopes.iter().copied()).unwrap();
        }
        if self.is_optional {
            layer = layer.optional();
        }
        layer
    }

    /// The beginning of every challenge other than Entra's own claims challenge.
    fn begin(self, issuer: &Issuer) -> String {
        let realm = self.realm.unwrap_or_else(|| issuer.audience());
        match self.resource_metadata {
            Some(url) => format!("Bearer realm=\"{realm}\", resource_metadata=\"{url}\""),
            None => format!("Bearer realm=\"{realm}\""),
        }
    }
}

/// One kind of refusal: what is sent, and what has to come back.
struct Case {
    kind: ErrorKind,
    headers: Vec<String>,
    status: u16,
    /// What follows the beginning of the challenge. None: no challenge.
    rest: Option<String>,
}

impl Case {
    /// 401 by one of the checks 2 to 12.
    fn invalid_token(kind: ErrorKind, description: &str, token: &str) -> Self {
        let rest = format!(", error=\"invalid_token\", error_description=\"{description}\"");
        Self {
            kind,
            headers: vec![format!("Bearer {token}")],
            status: 401,
            rest: Some(rest),
        }
    }

    /// 400 by check 1.
    fn invalid_request(kind: ErrorKind, description: &str, headers: &[&str]) -> Self {
        let rest = format!(", error=\"invalid_request\", error_description=\"{description}\"");
        Self {
            kind,
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            status: 400,
            rest: Some(rest),
        }
    }

    /// The challenge of a layer with these settings.
    fn challenge(&self, settings: Settings, issuer: &Issuer) -> Option<String> {
        let mut challenge = settings.begin(issuer);
        challenge.push_str(self.rest.as_ref()?);
        if self.kind == ErrorKind::MissingToken && !settings.scopes.is_empty() {
            challenge.push_str(", scope=\"api://orders/Orders.Read b\"");
        }
        Some(challenge)
    }
}

/// An issuer, and the `kid` of a second key, which may not sign for that issuer.
fn issuer_with_a_foreign_key() -> (Issuer, String) {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key();
    issuer.set_key_member(&kid, "issuer", "https://login.example/{tenantid}/v2.0");
    (issuer, kid)
}

/// Every kind of refusal of a request, by a validator that has keys.
#[expect(clippy::too_many_lines, reason = "one entry for each kind of refusal")]
fn cases(issuer: &Issuer, foreign_key: &str) -> Vec<Case> {
    use ErrorKind as Kind;

    const UNVERIFIED: &str = "the token signature could not be verified";

    let user = || issuer.user();
    let good = format!("Bearer {}", user().mint());
    let missing = |headers: &[&str]| Case {
        kind: Kind::MissingToken,
        headers: headers.iter().map(|header| (*header).to_owned()).collect(),
        status: 401,
        rest: Some(String::new()),
    };
    let multiple = |headers: &[&str]| {
        let description = "more than one Authorization header";
        Case::invalid_request(Kind::MultipleCredentials, description, headers)
    };
    let malformed = |header: &str| {
        let description = "the Authorization header is malformed";
        Case::invalid_request(Kind::MalformedAuthorization, description, &[header])
    };
    let invalid = |kind, description, token: TokenBuilder| {
        Case::invalid_token(kind, description, &token.mint())
    };
    vec![
        missing(&["DPoP abc"]),
        missing(&["PoP abc"]),
        multiple(&[&good, &good]),
        multiple(&["Basic YTpi", "Basic YTpi"]),
        missing(&["Bearer"]),
        malformed("Bearer {}"),
        malformed(&format!("{good} x")),
        invalid(
            Kind::TokenTooLarge,
            "the token is too large",
            user().claim("x", "x".repeat(20_000)),
        ),
        Case::invalid_token(Kind::MalformedToken, "the token is malformed", "null"),
        Case::invalid_token(Kind::EncryptedToken, "the token is encrypted", "a.b.c.d.e"),
        invalid(
            Kind::MalformedHeader,
            "the token header is malformed",
            user().header_text("[]"),
        ),
        invalid(
            Kind::AlgorithmNotAllowed,
            "the token algorithm is not allowed",
            user().header("alg", "none"),
        ),
        invalid(
            Kind::InvalidKeyId,
            "the token key id is absent or malformed",
            user().without_header("kid"),
        ),
        invalid(
            Kind::UnsupportedTokenType,
            "the token type is not supported",
            user().header("typ", "dpop+jwt"),
        ),
        invalid(
            Kind::UnsupportedHeader,
            "the token header has an unsupported parameter",
            user().header("crit", ["x"]),
        ),
        invalid(
            Kind::UnknownKey,
            UNVERIFIED,
            user().header("kid", "unknown"),
        ),
        invalid(
            Kind::InvalidSignature,
            UNVERIFIED,
            user().signed_by_stranger(),
        ),
        invalid(
            Kind::GraphToken,
            UNVERIFIED,
            user().header("nonce", "x").signed_by_stranger(),
        ),
        invalid(
            Kind::MalformedClaims,
            "the token claims are malformed",
            user().payload("[]"),
        ),
        invalid(
            Kind::UnsupportedVersion,
            "the token version is not supported",
            user().claim("ver", "3.0"),
        ),
        invalid(
            Kind::InvalidTenant,
            "the token tenant is absent or malformed",
            user().claim("tid", "x"),
        ),
        invalid(
            Kind::IssuerMismatch,
            "the token issuer is not accepted",
            user().claim("iss", "x"),
        ),
        invalid(
            Kind::TenantNotAllowed,
            "the token tenant is not allowed",
            user().tenant("dd0f374e-74a5-4996-af69-500cda64057a"),
        ),
        invalid(
            Kind::KeyNotForIssuer,
            "the signing key does not belong to the token issuer",
            user().signed_by(foreign_key),
        ),
        invalid(
            Kind::AudienceMismatch,
            "the token audience is not accepted",
            user().audience("x"),
        ),
        invalid(
            Kind::InvalidDates,
            "the token dates are absent or malformed",
            user().without_claim("exp"),
        ),
        invalid(Kind::Expired, "the token has expired", user().expired()),
        invalid(
            Kind::NotYetValid,
            "the token is not yet valid",
            user()
                .claim("nbf", 3_000_000_000_u64)
                .expires_at(3_000_000_001),
        ),
        invalid(
            Kind::IdToken,
            "an ID token is not an access token",
            issuer.id_token(),
        ),
        invalid(
            Kind::ContradictoryClaims,
            "the token claims contradict one another",
            user().claim("idtyp", "app"),
        ),
        invalid(
            Kind::SenderConstrained,
            "the token is sender-constrained",
            user().claim("cnf", json!({})),
        ),
        Case {
            kind: Kind::NothingGranted,
            headers: vec![format!(
                "Bearer {}",
                issuer.application().without_claim("roles").mint()
            )],
            status: 403,
            rest: Some(", error=\"insufficient_scope\"".to_owned()),
        },
    ]
}

/// A token, and no keys to verify it with.
fn without_keys(issuer: &Issuer) -> Case {
    Case {
        kind: ErrorKind::KeysUnavailable,
        headers: vec![format!("Bearer {}", issuer.user().mint())],
        status: 503,
        rest: None,
    }
}

fn request(headers: &[String]) -> Request<()> {
    let mut request = Request::new(());
    for value in headers {
        let value = value.parse().unwrap();
        request.headers_mut().append(AUTHORIZATION, value);
    }
    request
}

/// The answer of `layer`, around a service that must not be called.
async fn refusal(layer: &EntraAuthLayer, headers: &[String]) -> Response<String> {
    let inner = service_fn(|_: Request<()>| async {
        Err::<Response<String>, _>("the service inside was called")
    });
    let answer = layer.layer(inner).oneshot(request(headers)).await;
    answer.unwrap()
}

#[track_caller]
fn assert_answer(response: &Response<String>, status: u16, challenge: Option<&str>, what: &str) {
    assert_eq!(response.status().as_u16(), status, "{what}");
    assert_eq!(response.body(), "", "{what}");
    let headers = response.headers();
    let challenges: Vec<_> = headers.get_all(WWW_AUTHENTICATE).iter().collect();
    let expected: Vec<_> = challenge.into_iter().collect();
    assert_eq!(challenges, expected, "{what}");
    for value in challenges {
        let challenge = Challenge::parse(value.as_bytes()).expect(what);
        assert_eq!(challenge.scheme, "Bearer", "{what}");
    }
    assert_eq!(headers.get_all(CACHE_CONTROL).iter().count(), 1, "{what}");
    assert_eq!(headers[CACHE_CONTROL], "no-store", "{what}");
    let is_unavailable = status == StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(headers.contains_key(RETRY_AFTER), is_unavailable, "{what}");
    let known: [HeaderName; 3] = [WWW_AUTHENTICATE, CACHE_CONTROL, RETRY_AFTER];
    assert!(headers.keys().all(|name| known.contains(name)), "{what}");
}

#[test]
pub(super) fn every_kind_of_refusal_has_its_answer_under_every_setting() {
    let (issuer, foreign_key) = issuer_with_a_foreign_key();
    let cases = cases(&issuer, &foreign_key);
    let validator = issuer.validator();
    let unready = Issuer::start_blocking();
    unready.fail(Fault::Status(500));
    let impatient = KeySettings::default().with_wait(Duration::from_millis(1));
    let no_keys = unready.validator_builder().key_settings(impatient);
    let no_keys = no_keys.build().unwrap();
    let outage = without_keys(&unready);

    block_on(async {
        validator.ready().await;
        let mut answers = 0;
        for settings in Settings::all() {
            let layer = settings.layer(&validator);
            for case in &cases {
                let what = format!("{:?} {settings:?}", case.kind);
                let response = refusal(&layer, &case.headers).await;
                let challenge = case.challenge(settings, &issuer);
                assert_answer(&response, case.status, challenge.as_deref(), &what);
                let error = response.extensions().get::<Error>().unwrap();
                assert_eq!(error.kind(), case.kind, "{what}");
                answers += 1;
            }
            let layer = settings.layer(&no_keys);
            let response = refusal(&layer, &outage.headers).await;
            assert_answer(&response, outage.status, None, &format!("{settings:?}"));
            let error = response.extensions().get::<Error>().unwrap();
            assert_eq!(error.kind(), outage.kind);
        }
        assert_eq!(answers, 32 * cases.len());
    });
}

#[test]
pub(super) fn a_request_without_a_token_is_anonymous_or_challenged() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    block_on(async {
        for settings in Settings::all() {
            let layer = settings.layer(&validator);
            for headers in [&[][..], &["Basic YTpi"], &["Negotiate"], &[""]] {
                let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
                let what = format!("{headers:?} {settings:?}");
                if settings.is_optional {
                    let inner = service_fn(|request: Request<()>| async move {
                        assert!(request.extensions().get::<AgentPrincipal>().is_none());
                        Ok::<_, Error>(Response::new("anonymous"))
                    });
                    let answer = layer.layer(inner).oneshot(request(&headers)).await;
                    assert_eq!(answer.unwrap().body(), &"anonymous", "{what}");
                    continue;
                }
                let response = refusal(&layer, &headers).await;
                let mut challenge = settings.begin(&issuer);
                if !settings.scopes.is_empty() {
                    challenge.push_str(", scope=\"api://orders/Orders.Read b\"");
                }
                assert_answer(&response, 401, Some(&challenge), &what);
            }
        }
    });
}

/// The answer to an admitted caller whom a handler denies, with a body of the handler's own.
async fn denied(layer: &EntraAuthLayer, token: &str, denial: Denial) -> Response<String> {
    let inner = service_fn(move |_: Request<()>| {
        let mut response = Response::new("the handler's own".to_owned());
        response.extensions_mut().insert(denial.clone());
        async move { Ok::<_, Error>(response) }
    });
    let headers = [format!("Bearer {token}")];
    let answer = layer.layer(inner).oneshot(request(&headers)).await;
    let mut response = answer.unwrap();
    let error = response.extensions().get::<Error>().unwrap();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(response.body(), "the handler's own");
    response.body_mut().clear();
    response
}

#[test]
pub(super) fn every_denial_by_a_handler_has_its_answer_under_every_setting() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let user = issuer.user().mint();
    let scope = ", error=\"insufficient_scope\"";
    let step_up = ", error=\"insufficient_user_authentication\", \
                   error_description=\"a stronger sign-in is needed\"";
    block_on(async {
        for settings in Settings::all() {
            let layer = settings.layer(&validator);
            for (denial, status, rest) in [
                (Denial::new(), 403, scope.to_owned()),
                (
                    Denial::new().with_scopes(["Orders.Read"]),
                    403,
                    format!("{scope}, scope=\"Orders.Read\""),
                ),
                (
                    Denial::new().with_scopes(["a", "b c", "\"", "", "\\", "é", "a\r\nb", "d"]),
                    403,
                    format!("{scope}, scope=\"a d\""),
                ),
                (
                    Denial::new().with_scopes(["not a scope"]),
                    403,
                    scope.to_owned(),
                ),
                (
                    Denial::for_acr_values(["c1", "c2"]),
                    401,
                    format!("{step_up}, acr_values=\"c1 c2\""),
                ),
                (
                    Denial::for_acr_values(["c 1", "\"", "", "\\", "é", "a\r\nb", "c2"]),
                    401,
                    format!("{step_up}, acr_values=\"c2\""),
                ),
                (Denial::for_acr_values(["\""]), 401, step_up.to_owned()),
            ] {
                let response = denied(&layer, &user, denial).await;
                let challenge = format!("{}{rest}", settings.begin(&issuer));
                assert_answer(
                    &response,
                    status,
                    Some(&challenge),
                    &format!("{settings:?}"),
                );
            }
        }
    });
}

#[test]
pub(super) fn a_claims_challenge_is_entras_own_whatever_the_settings() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    // Base64 of {"access_token":{"acrs":{"essential":true,"value":"c1"}}}.
    let claims = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiYzEifX19";
    let entras_own = format!(
        "Bearer realm=\"\", authorization_uri=\"{}/{}/oauth2/v2.0/authorize\", \
         error=\"insufficient_claims\", claims=\"{claims}\"",
        issuer.url(),
        issuer.tenant_id(),
    );
    block_on(async {
        for settings in Settings::all() {
            let layer = settings.layer(&validator);
            let plain = format!("{}, error=\"insufficient_scope\"", settings.begin(&issuer));
            for (capabilities, is_able) in [
                (Some(json!(["cp1"])), true),
                (Some(json!(["CP1"])), true),
                (Some(json!(["other", "cp1"])), true),
                (Some(json!(["cp2", "cp10", ""])), false),
                (Some(json!([])), false),
                (Some(json!({"cp1": true})), false),
                (Some(json!([1])), false),
                (Some(json!(null)), false),
                (None, false),
            ] {
                let mut token = issuer.user();
                if let Some(capabilities) = &capabilities {
                    token = token.claim("xms_cc", capabilities);
                }
                let token = token.mint();
                let caller = validator.validate(&token).await.unwrap();
                let denial = Denial::for_authentication_context(&caller, "c1");
                let response = denied(&layer, &token, denial).await;
                let what = format!("{capabilities:?} {settings:?}");
                if is_able {
                    assert_answer(&response, 401, Some(&entras_own), &what);
                } else {
                    assert_answer(&response, 403, Some(&plain), &what);
                }
            }
        }
    });
}

#[test]
pub(super) fn no_text_in_a_claims_challenge_breaks_out_of_it() {
    let issuer = Issuer::start_blocking();
    let validator = issuer.validator();
    let layer = EntraAuthLayer::new(validator.clone());
    let token = issuer.user().claim("xms_cc", ["cp1"]).mint();
    block_on(async {
        let caller = validator.validate(&token).await.unwrap();
        for context in [
            "",
            "\"",
            "c1\", error=\"x",
            "c1\r\nSet-Cookie: a=b",
            "é",
            "\\",
        ] {
            let denial = Denial::for_authentication_context(&caller, context);
            let response = denied(&layer, &token, denial).await;
            let value = &response.headers()[WWW_AUTHENTICATE];
            let challenge = Challenge::parse(value.as_bytes()).unwrap();
            let names: Vec<_> = challenge.parameters.iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["realm", "authorization_uri", "error", "claims"]);
            let claims = challenge.get("claims").unwrap();
            let claims = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, claims);
            let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap()).unwrap();
            assert_eq!(claims["access_token"]["acrs"]["value"], context);
        }
    });
}

#[test]
fn the_cases_and_the_outage_have_every_kind_of_refusal() {
    let (issuer, foreign_key) = issuer_with_a_foreign_key();
    let cases = cases(&issuer, &foreign_key);
    let others = [ErrorKind::KeysUnavailable, ErrorKind::Denied];
    let mut covered: Vec<_> = cases.iter().map(|case| case.kind.as_str()).collect();
    covered.extend(others.map(ErrorKind::as_str));
    covered.sort_unstable();
    covered.dedup();

    let source = include_str!("../../src/admit/error/kind.rs");
    let (_, codes) = source.split_once("pub fn as_str(self)").unwrap();
    let (codes, _) = codes.split_once("\n    }\n").unwrap();
    let mut codes: Vec<_> = codes.split('"').skip(1).step_by(2).collect();
    codes.sort_unstable();
    assert_eq!(covered, codes);
}
