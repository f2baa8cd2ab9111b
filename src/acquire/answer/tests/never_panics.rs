//! Any bytes.

use proptest::prelude::*;

use super::{
    refusal::{and, error},
    *,
};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(
        status in 0_u16..=999,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read_by(Flow::App, status, &body);
    }

    #[test]
    fn an_answer_that_is_changed_in_some_bytes_is_read_without_a_panic(
        at in prop::collection::vec((0_usize..900, any::<u8>()), 1..6),
        cut in 0_usize..1_200,
        is_error in any::<bool>(),
    ) {
        let answer = match is_error {
            true => and(error("invalid_grant", 50_076), "claims", json!(CLAIMS)),
            false => good(),
        };
        let mut body = answer.to_string().into_bytes();
        body.truncate(cut);
        for (at, byte) in at {
            if let Some(of_body) = body.get_mut(at) {
                *of_body = byte;
            }
        }
        let assertion = assertion(true);
        for status in [200, 400] {
            let read = read_by(Flow::OnBehalfOf(&assertion), status, &body);
            prop_assert!(status == 200 || read.is_err());
        }
    }

    #[test]
    fn a_token_whose_claims_are_changed_is_the_same_identity_or_refused(
        at in 0_usize..300,
        byte in any::<u8>(),
    ) {
        let mut claims = good_claims().to_string().into_bytes();
        if let Some(of_claims) = claims.get_mut(at) {
            *of_claims = byte;
        }
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(&claims));
        let body = good_but("access_token", json!(token));
        if on_behalf_of(&body).is_ok() {
            let claims: Value = serde_json::from_slice(&claims).expect("JSON");
            for (name, id) in [("azp", CLIENT), ("tid", TENANT)] {
                let text = claims[name].as_str().unwrap_or_default();
                prop_assert!(text.eq_ignore_ascii_case(id), "{claims}");
            }
        }
    }
}
