//! A token that is wrong in two ways is refused for the earlier one.

use serde_json::json;
use tower_entra::{
    ErrorKind,
    testing::{Issuer, TokenBuilder},
};

use crate::support::{OTHER_TENANT, refusal_by};

/// One fault for each check, in the order of the checks.
struct Fault {
    kind: ErrorKind,
    apply: fn(TokenBuilder, foreign_kid: &str) -> TokenBuilder,
}

const FAULTS: [Fault; 18] = [
    // Check 3, and its parts in their order.
    Fault {
        kind: ErrorKind::AlgorithmNotAllowed,
        apply: |token, _| token.header("alg", "none"),
    },
    Fault {
        kind: ErrorKind::InvalidKeyId,
        apply: |token, _| token.header("kid", ""),
    },
    Fault {
        kind: ErrorKind::UnsupportedTokenType,
        apply: |token, _| token.header("typ", "x"),
    },
    Fault {
        kind: ErrorKind::UnsupportedHeader,
        apply: |token, _| token.header("crit", ["x"]),
    },
    // Check 4.
    Fault {
        kind: ErrorKind::UnknownKey,
        apply: |token, _| token.header("kid", "nobody"),
    },
    // Check 5.
    Fault {
        kind: ErrorKind::InvalidSignature,
        apply: |token, _| token.signature([1; 256]),
    },
    // Check 6.
    Fault {
        kind: ErrorKind::MalformedClaims,
        apply: |token, _| token.claim("sub", 5),
    },
    // Check 7, and its parts in their order.
    Fault {
        kind: ErrorKind::UnsupportedVersion,
        apply: |token, _| token.claim("ver", "3.0"),
    },
    Fault {
        kind: ErrorKind::InvalidTenant,
        apply: |token, _| token.claim("tid", "common"),
    },
    Fault {
        kind: ErrorKind::IssuerMismatch,
        apply: |token, _| token.claim("iss", "https://x"),
    },
    Fault {
        kind: ErrorKind::TenantNotAllowed,
        apply: |token, _| token.tenant(OTHER_TENANT),
    },
    // Check 8.
    Fault {
        kind: ErrorKind::KeyNotForIssuer,
        apply: |token, foreign_kid| token.signed_by(foreign_kid),
    },
    // Check 9.
    Fault {
        kind: ErrorKind::AudienceMismatch,
        apply: |token, _| token.audience("api://other"),
    },
    // Check 10.
    Fault {
        kind: ErrorKind::Expired,
        apply: |token, _| token.expired(),
    },
    // Check 11: an ID token is told before a contradiction.
    Fault {
        kind: ErrorKind::IdToken,
        apply: |token, _| token.claim("nonce", "x").without_claim("scp"),
    },
    Fault {
        kind: ErrorKind::ContradictoryClaims,
        apply: |token, _| token.claim("appid", OTHER_TENANT),
    },
    // Check 12.
    Fault {
        kind: ErrorKind::SenderConstrained,
        apply: |token, _| token.claim("cnf", json!({})),
    },
    // Check 13.
    Fault {
        kind: ErrorKind::NothingGranted,
        apply: |token, _| token.without_claim("scp"),
    },
];

#[test]
fn of_two_faults_the_one_of_the_earlier_check_is_named() {
    let issuer = Issuer::start_blocking();
    let foreign_kid = issuer.publish_key();
    issuer.set_key_member(
        &foreign_kid,
        "issuer",
        "https://login.microsoftonline.com/x/v2.0",
    );
    let validator = issuer.validator();
    for (at, earlier) in FAULTS.iter().enumerate() {
        let alone = (earlier.apply)(issuer.user(), &foreign_kid).mint();
        assert_eq!(refusal_by(&validator, &alone), earlier.kind, "alone");
        for later in &FAULTS[at + 1..] {
            let both = (later.apply)(issuer.user(), &foreign_kid);
            let both = (earlier.apply)(both, &foreign_kid).mint();
            assert_eq!(
                refusal_by(&validator, &both),
                earlier.kind,
                "with {:?}",
                later.kind
            );
        }
    }
}
