//! The cache of verified tokens: everything that such caches have been broken by elsewhere.

pub(crate) mod table;

use std::time::{Duration, Instant};

use tower_entra::{
    ErrorKind, KeySettings, PrincipalKind, SignatureAlgorithm, Tenants, Validator,
    testing::{Fault, Issuer, KeyKind},
};

use crate::support::{admitted_by, block_on, issuer, now, refusal_by, remembered};

fn caching(capacity: usize) -> Validator {
    let builder = issuer().validator_builder().token_cache(capacity);
    builder.build().unwrap()
}

#[test]
fn a_remembered_token_has_the_same_caller() {
    let validator = caching(10);
    for token in [
        issuer().agent_on_behalf_of("alice").mint(),
        issuer().autonomous_agent().v1().mint(),
    ] {
        let first = admitted_by(&validator, &token);
        let second = admitted_by(&validator, &token);
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        assert_eq!(first.object_id(), second.object_id());
        assert_eq!(first.subject(), second.subject());
        assert_eq!(first.expires_at(), second.expires_at());
        assert!(first.scopes().eq(second.scopes()));
        assert!(first.roles().eq(second.roles()));
    }
    assert_eq!(remembered(&validator), 2);
}

#[test]
fn without_being_asked_for_there_is_no_cache() {
    assert!(format!("{:?}", issuer().validator()).contains("cache: None"));
    let error = issuer()
        .validator_builder()
        .token_cache(0)
        .build()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "token_cache: 0 is not between 1 and 1000000"
    );
}

#[test]
fn a_token_that_differs_in_one_character_is_another() {
    let validator = caching(10);
    let good = issuer().user().mint();
    admitted_by(&validator, &good);
    for at in [
        0,
        good.find('.').unwrap() + 5,
        good.len() - 5,
        good.len() - 1,
    ] {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        refusal_by(&validator, &changed);
    }
    for changed in [format!("{good}="), format!("{good}A"), format!("{good}.")] {
        refusal_by(&validator, &changed);
    }
    // The same signed claims under another signature.
    let (signed, _) = good.rsplit_once('.').unwrap();
    let forged = issuer().user().signature([7; 256]).mint();
    let (_, signature) = forged.rsplit_once('.').unwrap();
    let kind = refusal_by(&validator, &format!("{signed}.{signature}"));
    assert_eq!(kind, ErrorKind::InvalidSignature);
    admitted_by(&validator, &good);
    assert_eq!(remembered(&validator), 1);
}

#[test]
fn a_remembered_token_expires_all_the_same() {
    let builder = issuer().validator_builder().token_cache(10);
    let validator = builder.clock_skew(Duration::ZERO).build().unwrap();
    let token = issuer().user().expires_at(now() + 2).mint();
    admitted_by(&validator, &token);
    let limit = Instant::now() + Duration::from_secs(10);
    let error = block_on(async {
        loop {
            match validator.validate(&token).await {
                Err(error) => return error,
                Ok(_) => assert!(Instant::now() < limit),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert_eq!(error.kind(), ErrorKind::Expired);
    let reason = error.to_string();
    assert!(reason.contains(" s ago, at 20"), "{reason}");
    assert_eq!(remembered(&validator), 0);
}

#[tokio::test]
async fn an_expired_token_is_swept_out_although_nobody_comes_by() {
    let other = issuer().validator();
    other.ready().await;
    // By now the task has lain down until the next fetch.
    tokio::task::yield_now().await;
    let builder = issuer().validator_builder().token_cache(10);
    let builder = builder.share_keys_with(&other);
    let validator = builder.clock_skew(Duration::ZERO).build().unwrap();
    let expires = now() + 2;
    let soon = issuer().user().expires_at(expires).mint();
    validator.validate(&soon).await.unwrap();
    validator.validate(&issuer().user().mint()).await.unwrap();
    assert_eq!(remembered(&validator), 2);
    while now() < expires {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(remembered(&validator), 1);
}

#[test]
fn a_token_that_had_to_wait_for_its_key_is_remembered_if_it_is_good() {
    let validator = caching(10);
    block_on(async {
        let bad = issuer().user().signed_by_stranger().mint();
        validator.validate(&bad).await.unwrap_err();
    });
    assert_eq!(remembered(&validator), 0);
    let validator = caching(10);
    block_on(async {
        let good = issuer().user().mint();
        validator.validate(&good).await.unwrap();
    });
    assert_eq!(remembered(&validator), 1);
}

#[test]
fn refusals_are_not_remembered_and_push_nothing_out() {
    let validator = caching(4);
    let good = issuer().user().mint();
    admitted_by(&validator, &good);
    block_on(async {
        for _ in 0..20 {
            for bad in [
                issuer().user().expired(),
                issuer().user().signed_by_stranger(),
                issuer().user().audience("api://other"),
                issuer().user().payload("[]"),
            ] {
                validator.validate(&bad.mint()).await.unwrap_err();
            }
        }
    });
    assert_eq!(remembered(&validator), 1);
    admitted_by(&validator, &good);
}

#[test]
fn a_flood_of_good_tokens_stays_within_the_capacity() {
    let issuer = Issuer::start_blocking();
    let kid = issuer.publish_key_with(KeyKind::P256);
    let builder = issuer.validator_builder().token_cache(64);
    let validator = builder
        .algorithms([SignatureAlgorithm::Es256])
        .build()
        .unwrap();
    block_on(async {
        for _ in 0..1_000 {
            let token = issuer.user().signed_by(&kid).mint();
            validator.validate(&token).await.unwrap();
        }
    });
    assert!(remembered(&validator) <= 64);
}

#[test]
fn a_withdrawn_key_takes_its_remembered_tokens_with_it() {
    let issuer = Issuer::start_blocking();
    let old = issuer.current_kid();
    let validator = issuer.validator_builder().token_cache(10).build().unwrap();
    let (token, other) = (issuer.user().mint(), issuer.application().mint());
    block_on(async {
        validator.validate(&token).await.unwrap();
        validator.validate(&other).await.unwrap();
        issuer.rotate();
        issuer.withdraw(&old);
        // Still in force here, until a fetch says otherwise.
        validator.validate(&token).await.unwrap();
        validator.validate(&issuer.user().mint()).await.unwrap();
        for token in [&token, &other] {
            let refused = validator.validate(token).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::UnknownKey);
        }
        validator.validate(&issuer.user().mint()).await.unwrap();
    });
    // The two of the new key.
    assert_eq!(remembered(&validator), 2);
}

#[test]
fn validators_with_other_audiences_share_no_verdicts() {
    let first = caching(10);
    let second = Validator::builder(Tenants::single(issuer().tenant_id()), ["api://second"])
        .authority(issuer().authority())
        .share_keys_with(&first)
        .token_cache(10)
        .build()
        .unwrap();
    let token = issuer().user().mint();
    block_on(async {
        first.validate(&token).await.unwrap();
        first.validate(&token).await.unwrap();
        let refused = second.validate(&token).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AudienceMismatch);
    });
}

#[test]
fn what_one_validator_admits_by_acl_the_other_refuses_all_the_same() {
    let strict = caching(10);
    let by_acl = strict.with_authorization_by_acl();
    let token = issuer().application().without_claim("roles").mint();
    for _ in 0..2 {
        assert_eq!(
            admitted_by(&by_acl, &token).kind(),
            PrincipalKind::Application
        );
        assert_eq!(refusal_by(&strict, &token), ErrorKind::NothingGranted);
    }
}

#[test]
fn remembered_tokens_do_not_outlive_the_keys_in_an_outage() {
    let issuer = Issuer::start_blocking();
    let second = Duration::from_secs(1);
    let settings = KeySettings::default()
        .with_refresh_interval(second)
        .with_stale_limit(second)
        .with_wait(Duration::from_millis(1));
    let builder = issuer
        .validator_builder()
        .key_settings(settings)
        .token_cache(10);
    let validator = builder.build().unwrap();
    let token = issuer.user().mint();
    block_on(async {
        validator.ready().await;
        validator.validate(&token).await.unwrap();
        issuer.fail(Fault::Status(500));
        let limit = Instant::now() + Duration::from_secs(10);
        while validator.validate(&token).await.is_ok() {
            assert!(Instant::now() < limit);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = validator.validate(&token).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::KeysUnavailable);
    });
}
