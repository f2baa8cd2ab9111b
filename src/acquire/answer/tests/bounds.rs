//! How much of an error counts and is shown.

use super::{
    refusal::{and, error, refused},
    *,
};

#[test]
fn the_first_eight_codes_of_an_answer_count() {
    for (before, kind) in [
        (7, AcquireErrorKind::ConsentRequired),
        (8, AcquireErrorKind::CredentialRefused),
    ] {
        let mut codes = vec![1; before];
        codes.push(65_001);
        let body = and(error("invalid_grant", 1), "error_codes", json!(codes));
        let error = refused(Flow::App, 400, &body);
        assert_eq!(error.kind(), kind, "{body}");
    }
}

#[test]
fn a_word_of_40_letters_is_shown_and_a_longer_one_is_not() {
    let text = |word: &str| refused(Flow::App, 400, &json!({ "error": word })).to_string();
    let longest = "a_".repeat(20);
    let shown = format!("a token for an agent: Entra refused (400 {longest})");
    assert_eq!(text(&longest), shown);
    let without = "a token for an agent: Entra refused (400)";
    assert_eq!(text(&format!("{longest}a")), without);
}
