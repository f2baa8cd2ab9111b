//! Check 10: `exp`, `nbf` and `iat`.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tower_entra::{
    ErrorKind::{self, *},
    Validator, ValidatorBuilder,
    testing::{Issuer, TokenBuilder},
};

use super::parts::*;
use crate::support::*;

#[test]
fn a_date_is_judged_as_the_table_says() {
    prove(rows());
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "E01",
            "no `exp`",
            refused_as(InvalidDates, "there is no exp", "exp", |issuer| {
                these([
                    ("none", issuer.user().without_claim("exp")),
                    (
                        "expires_on",
                        issuer
                            .user()
                            .claim("expires_on", now() + 600)
                            .without_claim("exp"),
                    ),
                    (
                        "expires_in",
                        issuer.user().claim("expires_in", 600).without_claim("exp"),
                    ),
                ])
            }),
        ),
        row(
            "E02",
            "an `exp` that is no number",
            refused_as(MalformedClaims, "instead of a number", "policy", |issuer| {
                each(no_numbers(), |exp| issuer.user().claim("exp", exp))
            }),
        ),
        row(
            "E03",
            "an `exp` before 1970, and 1970",
            [
                refused_as(InvalidDates, "exp is no date", "exp", |issuer| {
                    each(
                        [json!(-1), json!(-0.5), json!(-1e300), json!(i64::MIN)],
                        |exp| issuer.user().claim("exp", exp),
                    )
                }),
                refused_as(Expired, "1970-01-01T00:00:0", "new token", |issuer| {
                    each([json!(0), json!(0.9), json!(1)], |exp| {
                        let token = issuer.user().claim("exp", exp);
                        token.without_claim("nbf").without_claim("iat")
                    })
                }),
            ],
        ),
        row(
            "E04",
            "a fraction of a second is cut off",
            [
                admitted_as(
                    |caller| {
                        let expires = caller.expires_at().duration_since(UNIX_EPOCH).unwrap();
                        assert_eq!(expires, Duration::from_secs(4_000_000_000));
                    },
                    |issuer| {
                        each(
                            ["4000000000.9", "4000000000.0", "4e9", "4.0000000009e9"],
                            |exp| issuer.user().payload(payload_expiring(issuer, exp)),
                        )
                    },
                ),
                refused_as(Expired, "expired 6", "NTP", |issuer| {
                    let exp = f64::from(u32::try_from(now() - 60).unwrap()) + 0.99;
                    one(issuer.user().issued_at(now() - 900).claim("exp", exp))
                }),
            ],
        ),
        row(
            "E05",
            "an `exp` beyond the year 9999",
            [
                refused_as(InvalidDates, "exp is no date", "exp", |issuer| {
                    each(
                        [
                            json!(253_402_300_799.5),
                            json!(253_402_300_800_i64),
                            json!(i64::MAX),
                            json!(i64::MAX - 60),
                            json!(u64::MAX),
                            json!(1e308),
                            json!(1.8e19),
                        ],
                        |exp| issuer.user().claim("exp", exp),
                    )
                }),
                refused_as(MalformedClaims, "not JSON", "claims-mapping", |issuer| {
                    each(["NaN", "Infinity", "-Infinity", "1e309"], |exp| {
                        issuer.user().payload(payload_expiring(issuer, exp))
                    })
                }),
                admitted(|issuer| one(issuer.user().claim("exp", 253_402_300_799_i64))),
            ],
        ),
        scene(
            "E06",
            "the last second and the first one after",
            the_boundary_of_expiry,
        ),
        row(
            "E07",
            "an `nbf` in the future",
            [
                refused_as(NotYetValid, "nbf is", "clock_skew", |issuer| {
                    each([90, 1_000, 250_000_000_000], |later| {
                        let token = issuer.user().claim("nbf", now() + later);
                        token.claim("exp", 253_402_300_799_i64)
                    })
                }),
                admitted(|issuer| one(issuer.user().claim("nbf", now() + 50))),
            ],
        ),
        row(
            "E08",
            "an `nbf` that is no number, or no date",
            [
                refused_as(MalformedClaims, "instead of a number", "policy", |issuer| {
                    each(no_numbers(), |nbf| issuer.user().claim("nbf", nbf))
                }),
                refused_as(InvalidDates, "nbf is no date", "nbf", |issuer| {
                    each(no_dates(), |nbf| issuer.user().claim("nbf", nbf))
                }),
                admitted(|issuer| {
                    let mut inputs = each([json!(0), json!(0.5)], |nbf| {
                        issuer.user().claim("nbf", nbf)
                    });
                    inputs.extend(one(issuer.user().without_claim("nbf")));
                    inputs
                }),
            ],
        ),
        row(
            "E09",
            "an `iat` in the future",
            [
                refused_as(NotYetValid, "iat is", "clock_skew", |issuer| {
                    each([90, 1_000], |later| {
                        issuer.user().claim("iat", now() + later)
                    })
                }),
                admitted(|issuer| one(issuer.user().claim("iat", now() + 50))),
            ],
        ),
        row(
            "E10",
            "an `iat` that is no number, or no date",
            [
                refused_as(MalformedClaims, "instead of a number", "policy", |issuer| {
                    each(no_numbers(), |iat| issuer.user().claim("iat", iat))
                }),
                refused_as(InvalidDates, "iat is no date", "iat", |issuer| {
                    each(no_dates(), |iat| issuer.user().claim("iat", iat))
                }),
                admitted_as(
                    |caller| assert!(caller.issued_at().is_none()),
                    |issuer| one(issuer.user().without_claim("iat")),
                ),
            ],
        ),
        row(
            "E11",
            "a token that begins after its end, within the skew of now",
            [
                refused_as(InvalidDates, "nbf is later than exp", "exp", |issuer| {
                    let token = issuer.user().expires_at(now() + 10);
                    one(token.not_before(now() + 11))
                }),
                admitted(|issuer| {
                    let then = now() + 10;
                    one(issuer.user().expires_at(then).not_before(then))
                }),
            ],
        ),
        row(
            "E12",
            "dates in milliseconds",
            refused_as(InvalidDates, "is no date", "1970", |issuer| {
                each(["exp", "nbf", "iat"], |name| {
                    issuer.user().claim(*name, now() * 1_000)
                })
            }),
        ),
        row(
            "E13",
            "a token that has long expired, and the least and the most skew",
            [
                refused_as(Expired, "clock skew is 60 s", "new token", |issuer| {
                    one(issuer.user().expired())
                }),
                refused_as(Expired, "clock skew is 0 s", "NTP", |issuer| {
                    one(past(issuer, 1))
                })
                .with(|issuer| skewed(issuer, 0)),
                admitted(|issuer| one(past(issuer, 290))).with(|issuer| skewed(issuer, 300)),
                refused_as(Expired, "clock skew is 300 s", "NTP", |issuer| {
                    one(past(issuer, 300))
                })
                .with(|issuer| skewed(issuer, 300)),
            ],
        ),
        row(
            "E14",
            "a life of 28 hours, or of a year",
            admitted(|issuer| {
                each([28 * 3_600, 365 * 24 * 3_600], |life| {
                    issuer.user().valid_for(*life)
                })
            }),
        ),
        scene(
            "E15",
            "the last second before a token is valid, and the first one",
            the_boundary_of_beginning,
        ),
        row(
            "E16",
            "dates are told in seconds and as they are",
            [
                refused_as(Expired, "expired 10", "NTP", |issuer| {
                    one(issuer.user().expires_in(-100))
                }),
                refused_as(Expired, "at 1970-01-01T00:17:40Z", "new token", |issuer| {
                    one(issuer.user().issued_at(1_000).valid_for(60))
                }),
                refused_as(NotYetValid, "another 10", "at most 300 s", |issuer| {
                    one(issuer.user().not_before(now() + 109).expires_in(3_600))
                }),
            ],
        ),
    ]
}

fn no_numbers() -> Vec<Value> {
    let text = (now() + 600).to_string();
    vec![
        json!(text),
        json!(""),
        json!("2099-01-01T00:00:00Z"),
        json!(null),
        json!(true),
        json!([]),
        json!([now() + 600]),
        json!({}),
        json!({"$date": now() + 600}),
    ]
}

fn no_dates() -> Vec<Value> {
    vec![
        json!(-1),
        json!(-0.1),
        json!(i64::MIN),
        json!(253_402_300_800_i64),
        json!(u64::MAX),
        json!(1e300),
    ]
}

fn past(issuer: &Issuer, seconds: i64) -> TokenBuilder {
    issuer
        .user()
        .issued_at(now() - 3_600)
        .expires_at(now() - seconds)
}

fn skewed(issuer: &Issuer, seconds: u64) -> ValidatorBuilder {
    issuer
        .validator_builder()
        .clock_skew(Duration::from_secs(seconds))
}

fn the_boundary_of_expiry(issuer: &Issuer) {
    for skew in [0, 60, 300] {
        for caching in [false, true] {
            let validator = built(skewed(issuer, skew), caching);
            let skew = i64::try_from(skew).unwrap();
            let ends = |exp: fn(i64, i64) -> i64| {
                within_one_second(&validator, |now| {
                    let token = issuer.user().issued_at(now - 3_600);
                    token.expires_at(exp(now, skew))
                })
            };
            assert_eq!(ends(|now, skew| now - skew + 1), Ok(()), "one second left");
            assert_eq!(ends(|now, skew| now - skew), Err(Expired), "not one left");
        }
    }
}

#[test]
fn of_two_dates_in_the_future_the_later_is_named_and_of_equal_ones_nbf() {
    for (nbf, iat, named) in [
        (1_000, 2_000, "iat is"),
        (2_000, 1_000, "nbf is"),
        (2_000, 2_000, "nbf is"),
    ] {
        let now = now();
        let token = issuer().user().expires_at(now + 5_000);
        let token = token.claim("nbf", now + nbf).claim("iat", now + iat);
        let error = error_by(&issuer().validator(), &token.mint());
        assert_eq!(error.kind(), NotYetValid);
        assert!(error.to_string().contains(named), "{error}");
    }
}

fn the_boundary_of_beginning(issuer: &Issuer) {
    for skew in [0, 60, 300] {
        let validator = built(skewed(issuer, skew), false);
        let skew = i64::try_from(skew).unwrap();
        for claim in ["nbf", "iat"] {
            let begins = |later: i64| {
                within_one_second(&validator, |now| {
                    issuer.user().claim(claim, now + skew + later)
                })
            };
            assert_eq!(begins(0), Ok(()), "{claim}");
            assert_eq!(begins(1), Err(NotYetValid), "{claim}");
        }
    }
}

fn built(builder: ValidatorBuilder, caching: bool) -> Validator {
    let builder = match caching {
        true => builder.token_cache(8),
        false => builder,
    };
    let validator = builder.build().unwrap();
    block_on(validator.ready());
    validator
}

/// The outcome of a token that is made and judged within one second of the clock.
fn within_one_second(
    validator: &Validator,
    token: impl Fn(i64) -> TokenBuilder,
) -> Result<(), ErrorKind> {
    for _ in 0..100 {
        let before = now();
        let token = token(before).mint();
        let verdict = block_on(outcome(validator, &token));
        if now() == before {
            return verdict;
        }
    }
    panic!("no second was long enough");
}

#[test]
fn an_expired_token_is_no_reason_to_allow_more_skew() {
    let hint = |token: TokenBuilder| {
        let error = error_by(&issuer().validator(), &token.mint());
        error.hint().to_owned()
    };
    let lately = hint(issuer().user().expires_in(-100));
    assert!(!lately.contains("skew"), "{lately}");
    let long_ago = hint(issuer().user().issued_at(1_000).valid_for(60));
    assert!(!long_ago.contains("clock"), "{long_ago}");
}
