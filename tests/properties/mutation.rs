//! Every token that differs from a good one in a bit, a byte, a cut, an insertion or a segment is
//! refused, whether the good one is remembered or not.

use std::collections::BTreeMap;

use tower_entra::{EntraAuthLayer, ErrorKind, KeySettings, Validator, testing::Issuer};

use crate::support::*;

#[test]
fn every_flipped_bit_is_refused() {
    let court = Court::new();
    let good = court.good.as_bytes();
    court.refuses(8 * good.len(), |at| {
        let mut token = good.to_vec();
        token[at / 8] ^= 1 << (at % 8);
        token
    });
}

#[test]
fn every_replaced_byte_is_refused() {
    let court = Court::new();
    let good = court.good.as_bytes();
    court.refuses(good.len() * TELLING.len(), |at| {
        let mut token = good.to_vec();
        token[at / TELLING.len()] = TELLING[at % TELLING.len()];
        token
    });
}

#[test]
fn every_inserted_byte_is_refused() {
    let court = Court::new();
    let good = court.good.as_bytes();
    court.refuses((good.len() + 1) * TELLING.len(), |at| {
        let mut token = good.to_vec();
        token.insert(at / TELLING.len(), TELLING[at % TELLING.len()]);
        token
    });
}

#[test]
fn every_cut_is_refused() {
    let court = Court::new();
    let good = court.good.as_bytes();
    let length = good.len();
    court.refuses(length, |at| good[..at].to_vec());
    court.refuses(length, |at| good[at + 1..].to_vec());
    // One to four bytes out of the middle, and one to four there twice.
    court.refuses(4 * (length - 4), |at| {
        let (from, width) = (at / 4, at % 4 + 1);
        [&good[..from], &good[from + width..]].concat()
    });
    court.refuses(4 * (length - 4), |at| {
        let to = at / 4 + at % 4 + 1;
        [&good[..to], &good[at / 4..]].concat()
    });
    court.refuses(length - 1, |at| {
        let mut token = good.to_vec();
        token.swap(at, at + 1);
        token
    });
    // Another half of another good token.
    let other = court.other.as_bytes();
    court.refuses(length.min(other.len()) - 1, |at| {
        [&good[..=at], &other[at + 1..]].concat()
    });
}

#[test]
fn every_mixture_of_the_segments_of_two_good_tokens_is_refused() {
    let court = Court::new();
    let segments: Vec<&str> = [&court.good, &court.other]
        .into_iter()
        .flat_map(|token| token.split('.'))
        .chain([""])
        .collect();
    let mut mixtures = Vec::new();
    for count in 1..=6 {
        let all = segments.len().pow(count);
        // All of up to four segments, and some of more.
        let step = if count <= 4 { 1 } else { all / 2_000 + 1 };
        for number in (0..all).step_by(step) {
            let picked =
                (0..count).map(|at| segments[number / segments.len().pow(at) % segments.len()]);
            mixtures.push(picked.collect::<Vec<_>>().join("."));
        }
    }
    court.refuses(mixtures.len(), |at| mixtures[at].clone().into_bytes());
}

/// What is put in every place: ends of segments, padding, both alphabets, white space, quotes, and
/// bytes that no text has.
const TELLING: &[u8] = b".=-_+/AQz9 \n\0\"\xff";

/// Two good tokens, and the validators that judge their variants.
struct Court {
    _issuer: Issuer,
    good: String,
    other: String,
    /// Remembers both.
    caching: Validator,
    plain: Validator,
    layer: EntraAuthLayer,
}

impl Court {
    fn new() -> Self {
        let issuer = Issuer::start_blocking();
        // No second fetch for an unknown key while the test lasts.
        let settings = KeySettings::default().with_cool_down(300 * SECOND);
        let builder = || issuer.validator_builder().key_settings(settings.clone());
        let caching = builder().token_cache(64).build().unwrap();
        let court = Self {
            good: good(&issuer, "alice"),
            other: good(&issuer, "bob"),
            plain: builder().build().unwrap(),
            layer: EntraAuthLayer::new(caching.clone())
                .with_realm(REALM)
                .unwrap(),
            caching,
            _issuer: issuer,
        };
        for validator in [&court.caching, &court.plain] {
            block_on(validator.ready());
        }
        court.admits_the_good_ones();
        court
    }

    /// Each of this many variants is refused for a fault of the token, unless it is the token.
    #[track_caller]
    fn refuses(&self, count: usize, variant: impl Fn(usize) -> Vec<u8>) {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        block_on(async {
            for at in 0..count {
                let bytes = variant(at);
                if [&self.good, &self.other]
                    .iter()
                    .any(|good| good.as_bytes() == bytes)
                {
                    continue;
                }
                match String::from_utf8(bytes) {
                    Ok(token) => {
                        let kind = self.refusal(&token).await;
                        *kinds.entry(kind.as_str()).or_default() += 1;
                    }
                    // No text, and so no token; as a header it is no credentials.
                    Err(bytes) => {
                        let bytes = bytes.into_bytes();
                        let latin: String = bytes.iter().copied().map(char::from).collect();
                        assert_eq!(self.refusal(&latin).await, ErrorKind::MalformedToken);
                        let request = with_line([b"Bearer ", bytes.as_slice()].concat());
                        let answer = send(&self.layer, request).await;
                        answer.is_refusal(ErrorKind::MalformedAuthorization);
                        *kinds.entry("no text").or_default() += 1;
                    }
                }
            }
        });
        println!("{count} variants: {kinds:?}");
        self.admits_the_good_ones();
    }

    /// Why this token is refused by all.
    async fn refusal(&self, token: &str) -> ErrorKind {
        let [plain, caching] = [&self.plain, &self.caching].map(|validator| async {
            let verdict = validator.validate(token).await;
            verdict.expect_err(token).kind()
        });
        let (plain, caching) = (plain.await, caching.await);
        assert_eq!(plain, caching, "{token}");
        // In the cool-down a key id that was changed is not looked up.
        let is_refused = is_invalid_token(plain) || plain == ErrorKind::KeysUnavailable;
        assert!(is_refused, "{plain:?}: {token}");
        plain
    }

    #[track_caller]
    fn admits_the_good_ones(&self) {
        block_on(async {
            for validator in [&self.plain, &self.caching] {
                for token in [&self.good, &self.other] {
                    validator.validate(token).await.unwrap();
                }
            }
        });
        assert_eq!(remembered(&self.caching), 2, "nothing else was good");
    }
}

/// A token of 1.5 kB.
fn good(issuer: &Issuer, name: &str) -> String {
    let groups: Vec<String> = (0..4).map(|_| issuer.object_id_of(name)).collect();
    let token = issuer
        .agent_on_behalf_of(name)
        .claim("groups", groups)
        .mint();
    assert!((1_400..1_600).contains(&token.len()), "{}", token.len());
    token
}
