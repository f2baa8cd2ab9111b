//! What holds of the errors of all checks: what they never show, and when two are equal.

use serde_json::json;
use tower_entra::{Error, ErrorKind, testing::TokenBuilder};

use crate::support::*;

#[track_caller]
fn refused(token: TokenBuilder) -> Error {
    error_by(&issuer().validator(), &token.mint())
}

#[test]
fn claims_beyond_the_closed_list_are_never_shown() {
    let personal = [
        ("name", "Zoe Quimby"),
        ("preferred_username", "zoe.q@contoso.example"),
        ("upn", "zoe.upn@contoso.example"),
        ("unique_name", "zoe.unique@contoso.example"),
        ("email", "zoe.mail@contoso.example"),
        ("family_name", "Quimby"),
        ("given_name", "Zoe"),
        ("ipaddr", "192.0.2.7"),
        ("sub", "zoe-subject"),
    ];
    let user = || {
        issuer()
            .user()
            .claims(personal)
            .scope("Zoe.Scope")
            .roles(["Zoe.Role"])
    };
    for token in [
        user().audience("api://x"),
        user().claim("iss", "https://x"),
        user().tenant(OTHER_TENANT),
        user().claim("tid", "x"),
        user().expired(),
        user().claim("appid", OTHER_APP).claim("azp", OTHER_TENANT),
        user().claim("idtyp", "app"),
        user().claim("cnf", json!({"jwk": "zoe"})),
        user().claim("azp", "zoe"),
        user().signed_by_stranger(),
        user().header("kid", "x"),
    ] {
        let error = refused(token);
        for text in [
            error.to_string(),
            format!("{error:?}"),
            format!("{error:#?}"),
        ] {
            assert!(!text.to_lowercase().contains("zoe"), "{text}");
            assert!(
                !text.contains("192.0.2.7") && !text.contains("Quimby"),
                "{text}"
            );
        }
    }
}

#[test]
fn an_error_is_equal_to_its_clone_and_to_no_other() {
    let error = refused(issuer().user().audience("x"));
    assert_eq!(error.clone(), error);
    assert_ne!(error, refused(issuer().user().audience("y")));
    assert_ne!(error, Error::from(ErrorKind::AudienceMismatch));
}

#[test]
fn an_error_made_from_a_kind_alone_has_a_hint_too() {
    let error = Error::from(ErrorKind::AudienceMismatch);
    assert_eq!(error.to_string(), ErrorKind::AudienceMismatch.to_string());
    assert!(error.hint().contains("audience"));
}
