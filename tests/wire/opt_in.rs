//! What a layer does only if it is asked to: Entra's authorize endpoint in each 401, the caller in the
//! response, and claims that another API demands.

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    Request, Response, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    AgentPrincipal, Denial, DenialReason, EntraAuthLayer, Error, Tenants, Validator,
    testing::TokenBuilder,
};

use crate::support::{OTHER_TENANT, block_on, challenge::Challenge, issuer};

/// The response to a request with this `Authorization`, by a service that answers with `inner`.
async fn answer(
    layer: &EntraAuthLayer,
    authorization: Option<&str>,
    inner: impl Fn() -> Response<String> + Clone,
) -> Response<String> {
    let service = service_fn(move |_: Request<()>| {
        let response = inner();
        async move { Ok::<_, Infallible>(response) }
    });
    let mut request = Request::new(());
    if let Some(value) = authorization {
        let value = value.parse().unwrap();
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    layer.layer(service).oneshot(request).await.unwrap()
}

fn bearer(token: TokenBuilder) -> String {
    format!("Bearer {}", token.mint())
}

fn ok() -> Response<String> {
    Response::new(String::new())
}

/// `authorization_uri` of the challenge, if there is one.
fn authorization_uri(response: &Response<String>) -> Option<String> {
    let value = response.headers().get(WWW_AUTHENTICATE)?;
    let challenge = Challenge::parse(value.as_bytes()).unwrap();
    challenge.get("authorization_uri").map(str::to_owned)
}

#[test]
fn every_401_names_the_authorize_endpoint_and_no_other_answer_does() {
    let validator = issuer().validator();
    let layer = EntraAuthLayer::new(validator.clone()).with_authorization_uri();
    let endpoint = format!(
        "{}/{}/oauth2/v2.0/authorize",
        issuer().url(),
        issuer().tenant_id()
    );
    let nothing_granted = issuer().application().without_claim("roles");
    let denied = |denial: Denial| {
        move || {
            let mut response = ok();
            response.extensions_mut().insert(denial.clone());
            response
        }
    };
    block_on(async {
        validator.ready().await;
        let user = bearer(issuer().user());
        for (authorization, inner, status) in [
            (None, Denial::new(), 401),
            (Some("Basic YTpi".to_owned()), Denial::new(), 401),
            (
                Some(bearer(issuer().user().expires_at(1))),
                Denial::new(),
                401,
            ),
            (Some("Bearer a b".to_owned()), Denial::new(), 400),
            (Some(bearer(nothing_granted)), Denial::new(), 403),
            (Some(user.clone()), Denial::new(), 403),
            (Some(user.clone()), Denial::anonymous(), 401),
            (Some(user.clone()), Denial::for_acr_values(["c1"]), 401),
        ] {
            let answered = answer(&layer, authorization.as_deref(), denied(inner.clone())).await;
            assert_eq!(answered.status(), status, "{authorization:?} {inner}");
            let expected = (status == 401).then(|| endpoint.clone());
            assert_eq!(authorization_uri(&answered), expected, "{inner}");

            let plain = EntraAuthLayer::new(validator.clone());
            let answered = answer(&plain, authorization.as_deref(), denied(inner)).await;
            assert_eq!(authorization_uri(&answered), None);
        }
    });
}

#[test]
fn the_authorize_endpoint_of_several_tenants_is_a_common_one() {
    for (tenants, segment) in [
        (Tenants::single(OTHER_TENANT), OTHER_TENANT),
        (
            Tenants::list([OTHER_TENANT, issuer().tenant_id()]),
            "organizations",
        ),
        (Tenants::any_organization(), "organizations"),
        (Tenants::any(), "common"),
    ] {
        let validator = Validator::builder(tenants, ["api"]).build().unwrap();
        let layer = EntraAuthLayer::new(validator).with_authorization_uri();
        let answered = block_on(answer(&layer, None, ok));
        let host = "https://login.microsoftonline.com";
        let expected = format!("{host}/{segment}/oauth2/v2.0/authorize");
        assert_eq!(authorization_uri(&answered), Some(expected));
    }
}

#[test]
fn only_an_admitted_request_has_its_caller_in_the_response_and_only_if_asked_to() {
    let validator = issuer().validator();
    let another = block_on(validator.validate(&issuer().user().mint())).unwrap();
    let with_another = move || {
        let mut response = ok();
        response.extensions_mut().insert(another.clone());
        response
    };
    let layer = || EntraAuthLayer::new(validator.clone());
    let user = bearer(issuer().agent_on_behalf_of("alice"));
    let alice = issuer().object_id_of("alice");
    let caller = |response: &Response<String>| {
        let caller = response.extensions().get::<AgentPrincipal>();
        caller
            .and_then(AgentPrincipal::object_id)
            .map(|id| id.to_string())
    };
    block_on(async {
        for audited in [true, false] {
            let set = |layer: EntraAuthLayer| match audited {
                true => layer,
                false => layer.without_audit_log(),
            };
            let giving = set(layer().with_principal_in_response());
            let answered = answer(&giving, Some(&user), ok).await;
            assert_eq!(caller(&answered), Some(alice.clone()));
            // A principal of the service inside gives way.
            let answered = answer(&giving, Some(&user), with_another.clone()).await;
            assert_eq!(caller(&answered), Some(alice.clone()));

            let answered = answer(&set(layer()), Some(&user), ok).await;
            assert_eq!(caller(&answered), None);
            for refused in [None, Some("Bearer a"), Some("Bearer a b")] {
                let answered = answer(&giving, refused, ok).await;
                assert!(answered.extensions().get::<Error>().is_some());
                assert_eq!(caller(&answered), None, "{refused:?}");
            }
            let optional = giving.optional();
            let answered = answer(&optional, None, ok).await;
            assert_eq!(
                (answered.status(), caller(&answered)),
                (StatusCode::OK, None)
            );
        }
    });
}

#[test]
fn claims_are_handed_on_only_to_a_client_that_can_answer_them() {
    let validator = issuer().validator();
    let layer = EntraAuthLayer::new(validator.clone());
    let claims = r#"{"access_token":{"polids":{"essential":true,"values":["é\""]}}}"#;
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(8 * 1024 - 8));
    let too_long = format!(r#"{{"a":"{}"}}"#, "x".repeat(8 * 1024 - 7));
    assert_eq!(long.len(), 8 * 1024);
    block_on(async {
        for (capability, claims, is_handed_on) in [
            ("cp1", claims, true),
            ("CP1", "{}", true),
            ("cp1", &long, true),
            ("cp1", &too_long, false),
            ("cp2", claims, false),
            ("cp1", "", false),
            ("cp1", "[]", false),
            ("cp1", "null", false),
            ("cp1", r#"{"a":1,"a":2}"#, false),
            ("cp1", r#"{"a":1} "x"#, false),
        ] {
            let token = issuer().user().claim("xms_cc", [capability]);
            let caller = validator.validate(&token.clone().mint()).await.unwrap();
            let denial = Denial::for_claims(&caller, claims);
            assert_eq!(denial.reason(), DenialReason::ClaimsChallenge);
            // Policies of another API.
            let shown = format!("{denial:?}");
            assert!(
                !shown.contains("polids") && !shown.contains("eyJh"),
                "{shown}"
            );
            let inner = move || {
                let mut response = ok();
                response.extensions_mut().insert(denial.clone());
                response
            };
            let answered = answer(&layer, Some(&bearer(token)), inner).await;
            let value = &answered.headers()[WWW_AUTHENTICATE];
            let challenge = Challenge::parse(value.as_bytes()).unwrap();
            if is_handed_on {
                assert_eq!(answered.status(), StatusCode::UNAUTHORIZED);
                assert_eq!(challenge.get("error"), Some("insufficient_claims"));
                let decoded = STANDARD.decode(challenge.get("claims").unwrap()).unwrap();
                assert_eq!(decoded, claims.as_bytes());
            } else {
                assert_eq!(answered.status(), StatusCode::FORBIDDEN, "{claims}");
                assert_eq!(challenge.get("error"), Some("insufficient_scope"));
                assert_eq!(challenge.get("claims"), None);
            }
        }
    });
}
