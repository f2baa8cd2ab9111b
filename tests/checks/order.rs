//! A token that is wrong in two ways is refused for the earlier one.

use serde_json::json;
use tower_entra::{
    ErrorKind::{self, *},
    testing::{Issuer, TokenBuilder},
};

use crate::support::*;

/// A change to a good token, and the kind of its refusal. One takes the `kid` of a key that may not
/// sign.
type Fault = (ErrorKind, fn(TokenBuilder, &str) -> TokenBuilder);

/// One fault for each check that a token can fail by itself, and for its parts, in their order.
const FAULTS: [Fault; 18] = [
    // Check 3.
    (AlgorithmNotAllowed, |token, _| token.header("alg", "none")),
    (InvalidKeyId, |token, _| token.header("kid", "")),
    (UnsupportedTokenType, |token, _| token.header("typ", "x")),
    (UnsupportedHeader, |token, _| token.header("crit", ["x"])),
    // Check 4.
    (UnknownKey, |token, _| token.header("kid", "unpublished")),
    // Check 5.
    (InvalidSignature, |token, _| token.signature([1; 256])),
    // Check 6.
    (MalformedClaims, |token, _| token.claim("sub", 5)),
    // Check 7.
    (UnsupportedVersion, |token, _| token.claim("ver", "3.0")),
    (InvalidTenant, |token, _| token.claim("tid", "common")),
    (IssuerMismatch, |token, _| token.claim("iss", "https://x")),
    (TenantNotAllowed, |token, _| token.tenant(OTHER_TENANT)),
    // Check 8.
    (KeyNotForIssuer, |token, kid| token.signed_by(kid)),
    // Check 9.
    (AudienceMismatch, |token, _| token.audience("api://other")),
    // Check 10.
    (Expired, |token, _| token.expired()),
    // Check 11: an ID token is told before a contradiction.
    (IdToken, |token, _| {
        token.claim("nonce", "x").without_claim("scp")
    }),
    (ContradictoryClaims, |token, _| {
        token.claim("appid", OTHER_TENANT)
    }),
    // Check 12.
    (SenderConstrained, |token, _| token.claim("cnf", json!({}))),
    // Check 13.
    (NothingGranted, |token, _| token.without_claim("scp")),
];

#[test]
fn of_two_faults_the_one_of_the_earlier_check_is_named() {
    let issuer = Issuer::start_blocking();
    let foreign = issuer.publish_key();
    let elsewhere = "https://login.microsoftonline.com/x/v2.0";
    issuer.set_key_member(&foreign, "issuer", elsewhere);
    let validator = issuer.validator();
    for (at, (kind, earlier)) in FAULTS.iter().enumerate() {
        let alone = earlier(issuer.user(), &foreign).mint();
        assert_eq!(refusal_by(&validator, &alone), *kind, "alone");
        for (other, later) in &FAULTS[at + 1..] {
            let both = earlier(later(issuer.user(), &foreign), &foreign).mint();
            assert_eq!(refusal_by(&validator, &both), *kind, "with {other:?}");
        }
    }
}
