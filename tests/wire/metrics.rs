//! Verdicts in the metrics: each is counted once, with a layer and without one.

use std::collections::BTreeMap;

use http::{Request, Response, header::AUTHORIZATION};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};
use tower_entra::{
    Denial, EntraAuthLayer, Error, KeySettings, Requirement, Validator, metrics as names,
    testing::{Fault, Issuer, TokenBuilder},
};

use crate::support::{block_on, issuer, recorder::Recorder};

/// Sends a request with these `Authorization` headers through a layer, to a service that admits or
/// denies it.
async fn send(layer: &EntraAuthLayer, headers: &[&str], denial: Option<Denial>) {
    let inner = service_fn(move |_: Request<()>| {
        let mut response = Response::new(());
        if let Some(denial) = denial.clone() {
            response.extensions_mut().insert(denial);
        }
        async move { Ok::<_, Error>(response) }
    });
    let mut request = Request::new(());
    for value in headers {
        let value = value.parse().unwrap();
        request.headers_mut().append(AUTHORIZATION, value);
    }
    let _ = layer.layer(inner).oneshot(request).await;
}

/// The counters of this name, by their labels.
fn counts(recorder: &Recorder, name: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (series, count) in recorder.counters() {
        if let Some(labels) = series.strip_prefix(name) {
            counts.insert(labels.trim_matches(['{', '}']).to_owned(), count);
        }
    }
    counts
}

#[track_caller]
fn assert_verdicts(recorder: &Recorder, expected: &[(&str, u64)]) {
    let expected = expected.iter();
    let expected = expected.map(|(labels, count)| ((*labels).to_owned(), *count));
    assert_eq!(counts(recorder, names::VERDICTS), expected.collect());
}

/// The shared issuer's person, as admitted.
const USER: &str = "outcome=admitted,kind=user,agent_status=not_agent";

#[test]
fn a_layer_counts_each_request_once() {
    Recorder::during(|recorder| {
        let layer = EntraAuthLayer::new(issuer().validator());
        let bearer = |token: String| format!("Bearer {token}");
        let good = bearer(issuer().user().mint());
        let expired = bearer(issuer().user().expired().mint());
        let poor = bearer(issuer().application().without_claim("roles").mint());
        block_on(async {
            send(&layer, &[], None).await;
            send(&layer, &["DPoP x"], None).await;
            send(&layer, &["Bearer"], None).await;
            send(&layer, &["Bearer {}"], None).await;
            send(&layer, &[&good, &good], None).await;
            for _ in 0..3 {
                send(&layer, &[&good], None).await;
            }
            send(&layer, &[&expired], None).await;
            send(&layer, &[&expired], None).await;
            send(&layer, &[&poor], None).await;
            send(&layer, &[&good], Some(Denial::new())).await;

            let layer = layer.optional();
            send(&layer, &[], None).await;
            send(&layer, &["Basic YTpi"], None).await;
            send(&layer, &[], Some(Denial::anonymous())).await;
            send(&layer, &["DPoP x"], None).await;
        });
        assert_verdicts(
            recorder,
            &[
                (USER, 4),
                ("outcome=anonymous", 3),
                (
                    "outcome=denied,error.type=denied,denial=policy,kind=user,agent_status=not_agent",
                    1,
                ),
                ("outcome=refused,error.type=missing_token", 4),
                ("outcome=refused,error.type=malformed_authorization", 1),
                ("outcome=refused,error.type=multiple_credentials", 1),
                ("outcome=refused,error.type=expired", 2),
                ("outcome=refused,error.type=nothing_granted", 1),
            ],
        );
    });
}

#[test]
fn a_denial_counts_by_its_reason_and_by_its_caller() {
    Recorder::during(|recorder| {
        let layer = EntraAuthLayer::new(issuer().validator());
        let bearer = |token: TokenBuilder| format!("Bearer {}", token.mint());
        let agent = bearer(issuer().autonomous_agent());
        let app = bearer(issuer().application().without_facets());
        let scope = Denial::new().with_scopes(["Orders.Write"]);
        let sign_in = Denial::for_acr_values(["c1"]);
        block_on(async {
            send(&layer, &[&agent], Some(scope.clone())).await;
            // With the audit log off, too.
            let layer = layer.without_audit_log();
            send(&layer, &[&agent], Some(scope.clone())).await;
            send(&layer, &[&app], Some(sign_in.clone())).await;
            // There is no caller to name.
            send(&layer.optional(), &[], Some(scope)).await;
        });
        assert_verdicts(
            recorder,
            &[
                (
                    "outcome=admitted,kind=autonomous_agent,agent_status=attested",
                    2,
                ),
                (
                    "outcome=admitted,kind=application,agent_status=unattested",
                    1,
                ),
                ("outcome=anonymous", 1),
                (
                    "outcome=denied,error.type=denied,denial=missing_scope,kind=autonomous_agent,\
                     agent_status=attested",
                    2,
                ),
                (
                    "outcome=denied,error.type=denied,denial=missing_authentication_context,\
                     kind=application,agent_status=unattested",
                    1,
                ),
                ("outcome=denied,error.type=denied,denial=missing_scope", 1),
            ],
        );
    });
}

/// Tokens of every kind and status, and contradictory ones.
fn callers() -> Vec<String> {
    let facets = [None, Some("3"), Some("3 11"), Some("3 13"), Some("x")];
    let mut tokens = Vec::new();
    for actor in facets {
        for subject in facets {
            for idtyp in [None, Some("app"), Some("user"), Some("device")] {
                for claim in [("scp", json!("x")), ("roles", json!(["x"]))] {
                    let token = issuer().token().claim("sub", "s");
                    let token = token.without_claim("scp").claim(claim.0, claim.1);
                    let optional = [
                        ("xms_act_fct", actor),
                        ("xms_sub_fct", subject),
                        ("idtyp", idtyp),
                    ];
                    let optional = optional.into_iter();
                    let there = optional.filter_map(|(name, value)| Some((name, value?)));
                    tokens.push(token.claims(there).mint());
                }
            }
        }
    }
    tokens
}

#[test]
fn every_series_of_verdicts_is_there_from_the_start_with_0() {
    Recorder::during(|recorder| {
        let validator = issuer().validator();
        let known = [(issuer().tenant_id(), issuer().client_id())];
        let declaring = issuer().validator_builder().known_agents(known);
        let declaring = declaring.build().unwrap();
        let start = recorder.series();
        assert_eq!(recorder.counters(), BTreeMap::new());

        let tokens = callers();
        let requirements = [
            Requirement::people(),
            Requirement::agents(),
            Requirement::delegated(),
            Requirement::app_only(),
            Requirement::scope("y").unwrap(),
            Requirement::role("y").unwrap(),
            Requirement::scope_or_role("y", "y").unwrap(),
        ];
        block_on(async {
            for validator in [validator, declaring] {
                validator.ready().await;
                let layer = EntraAuthLayer::new(validator.clone());
                for token in &tokens {
                    let Ok(caller) = validator.validate(token).await else {
                        continue;
                    };
                    let checked = requirements.iter().map(|rule| rule.check(&caller));
                    let own = [
                        Denial::for_claims(&caller, "{}"),
                        Denial::for_authentication_context(&caller, "c1"),
                    ];
                    for denial in checked.filter_map(Result::err).chain(own) {
                        send(&layer, &[&format!("Bearer {token}")], Some(denial)).await;
                    }
                }
            }
        });
        let counts = counts(recorder, names::VERDICTS);
        let admitted = counts.keys().filter(|labels| labels.contains("=admitted"));
        assert_eq!(admitted.count(), 15, "{counts:?}");
        let denied = counts.keys().filter(|labels| labels.contains("=denied"));
        assert!(denied.count() > 50, "{counts:?}");
        let new: Vec<_> = recorder.series().difference(&start).cloned().collect();
        assert_eq!(new, ["tower_entra.keys.age"]);
    });
}

#[test]
fn a_verdict_without_a_layer_counts_too() {
    Recorder::during(|recorder| {
        let validator = issuer().validator();
        block_on(async {
            let _ = validator.validate(&issuer().user().mint()).await;
            let _ = validator.validate("x").await;
            let forged = issuer().user().signed_by_stranger().mint();
            let _ = validator.validate(&forged).await;
        });
        assert_verdicts(
            recorder,
            &[
                (USER, 1),
                ("outcome=refused,error.type=malformed_token", 1),
                ("outcome=refused,error.type=invalid_signature", 1),
            ],
        );
    });
}

#[test]
fn a_token_that_waited_for_its_key_counts_once() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        let validator = issuer.validator();
        let layer = EntraAuthLayer::new(validator.clone());
        block_on(async {
            // For the first keys, through the layer and without it.
            send(&layer, &[&format!("Bearer {}", issuer.user().mint())], None).await;
            issuer.rotate();
            let admitted = validator.validate(&issuer.user().mint()).await;
            assert!(admitted.is_ok());
        });
        assert_verdicts(recorder, &[(USER, 2)]);
    });
}

#[test]
fn a_request_that_goes_away_while_it_waits_counts_as_one_without_keys() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        issuer.fail(Fault::Hang);
        let validator = issuer.validator();
        let token = issuer.user().mint();
        block_on(async {
            let waiting = validator.validate(&token);
            let limit = std::time::Duration::from_millis(20);
            assert!(tokio::time::timeout(limit, waiting).await.is_err());
        });
        assert_verdicts(
            recorder,
            &[("outcome=refused,error.type=keys_unavailable", 1)],
        );
    });
}

#[test]
fn an_outage_of_the_keys_counts_as_that() {
    Recorder::during(|recorder| {
        let issuer = Issuer::start_blocking();
        issuer.fail(Fault::Status(500));
        let settings = KeySettings::default().with_wait(std::time::Duration::from_millis(20));
        let validator = issuer.validator_builder().key_settings(settings);
        let validator = validator.build().unwrap();
        block_on(async {
            let refused = validator.validate(&issuer.user().mint()).await;
            assert!(refused.is_err());
        });
        assert_verdicts(
            recorder,
            &[("outcome=refused,error.type=keys_unavailable", 1)],
        );
    });
}

#[test]
fn the_cache_counts_what_it_knew_and_what_not() {
    Recorder::during(|recorder| {
        let caching = issuer().validator_builder().token_cache(10);
        let validator: Validator = caching.build().unwrap();
        block_on(async {
            validator.ready().await;
            let [one, other] = [issuer().user().mint(), issuer().agent_user().mint()];
            for token in [&one, &one, &other, &one] {
                assert!(validator.validate(token).await.is_ok());
            }
            // What cannot be a token is not looked up.
            assert!(validator.validate("x").await.is_err());
        });
        let expected = [("result=hit", 2), ("result=miss", 2)];
        let expected = expected.map(|(labels, count)| (labels.to_owned(), count));
        assert_eq!(
            counts(recorder, names::TOKEN_CACHE_LOOKUPS),
            expected.into()
        );
        assert_verdicts(
            recorder,
            &[
                (USER, 3),
                ("outcome=admitted,kind=agent_user,agent_status=attested", 1),
                ("outcome=refused,error.type=malformed_token", 1),
            ],
        );
        // Without a cache there is nothing to count.
        block_on(async {
            let _ = issuer().validator().validate(&issuer().user().mint()).await;
        });
        let lookups: u64 = counts(recorder, names::TOKEN_CACHE_LOOKUPS).values().sum();
        assert_eq!(lookups, 4);
    });
}
