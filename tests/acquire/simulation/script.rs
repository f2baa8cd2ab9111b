//! What goes wrong, and when: decided by a seed before the simulation starts.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::super::endpoint::{Call, Fate, Key, Reply, jwt};

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// Whether something happens that happens this often in a thousand times.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    pub(crate) fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let at = self.below(u64::try_from(all.len()).unwrap());
        all[usize::try_from(at).unwrap()]
    }
}

/// What is wrong with the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429 or 503 with `Retry-After`, in seconds or as a date.
    Throttled {
        seconds: u64,
        as_date: bool,
    },
    ThrottledWithoutTime,
    Failed(u16),
    NoConnection,
    Hang,
    /// A sign-in page, with this status.
    Html(u16),
    Redirect,
    Truncated,
    /// `access_token` twice.
    TwoTokens,
    /// `expires_in` is 0.
    NoLife,
    /// The token of another client.
    OtherIdentity,
    /// `invalid_client`, with the code of a certificate that is not known.
    InvalidClient,
    /// `invalid_grant`, with no code of a row that is about the user.
    InvalidGrant,
    ConsentWithdrawn,
    ForbiddenByPolicy,
    UserDisabled,
    StepUp,
}

/// What the rules of the client say about such an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Class {
    /// It passes by itself: an old token serves meanwhile.
    pub(crate) is_transient: bool,
    /// It is tried once more after a second.
    pub(crate) is_retried: bool,
    /// An old T1 or T2 of the request is dropped.
    pub(crate) drops: bool,
    /// The credential is read again.
    pub(crate) rereads: bool,
    /// The least time for which it is remembered.
    pub(crate) remembered: Duration,
}

impl Fault {
    pub(crate) fn class(self) -> Class {
        let by_default = Class {
            remembered: Duration::from_secs(5),
            ..Class::default()
        };
        let transient = Class {
            is_transient: true,
            ..by_default
        };
        match self {
            Self::Throttled { seconds, as_date } => {
                // A date has no fractions of a second, and the real clock goes on meanwhile.
                let least = if as_date {
                    seconds.saturating_sub(5)
                } else {
                    seconds
                };
                Class {
                    remembered: Duration::from_secs(least.clamp(1, 3_600)),
                    ..transient
                }
            }
            Self::ThrottledWithoutTime
            | Self::Html(200)
            | Self::Redirect
            | Self::Truncated
            | Self::TwoTokens
            | Self::NoLife => transient,
            Self::Failed(_) | Self::NoConnection | Self::Hang | Self::Html(_) => Class {
                is_retried: true,
                ..transient
            },
            Self::InvalidClient => Class {
                drops: true,
                rereads: true,
                ..by_default
            },
            Self::InvalidGrant => Class {
                drops: true,
                ..by_default
            },
            Self::OtherIdentity
            | Self::ConsentWithdrawn
            | Self::ForbiddenByPolicy
            | Self::UserDisabled
            | Self::StepUp => by_default,
        }
    }

    pub(crate) fn fate(self, call: &Call, after: Duration) -> Fate {
        let html = |status| Reply::Answer {
            status,
            retry_after: None,
            body: "<!doctype html><title>Sign in</title>".to_owned(),
        };
        let token = jwt(&call.claims_of_token());
        let granted = |text: String| Reply::Answer {
            status: 200,
            retry_after: None,
            body: text,
        };
        let refused = |error: &str, suberror: &str, code: u32| {
            let body = json!({
                "error": error,
                "suberror": suberror,
                "error_codes": [code],
                "claims": (code == 65_001 || code == 50_076).then_some("{\"a\":1}"),
            });
            Reply::json(400, &body)
        };
        match self {
            Self::Throttled { seconds, as_date } => {
                let status = if seconds % 2 == 0 { 429 } else { 503 };
                let time = SystemTime::now() + Duration::from_secs(seconds);
                let value = if as_date {
                    httpdate::fmt_http_date(time)
                } else {
                    seconds.to_string()
                };
                Reply::json(status, &json!({ "error": "temporarily_unavailable" }))
                    .with_retry_after(value)
            }
            Self::ThrottledWithoutTime => Reply::json(429, &json!({ "error": "throttled" })),
            Self::Failed(status) => Reply::json(status, &json!({ "error": "server_error" })),
            Self::NoConnection => Reply::NoConnection,
            Self::Hang => Reply::Hang,
            Self::Html(status) => html(status),
            Self::Redirect => html(302).with_retry_after("x"),
            Self::Truncated => granted(format!("{{\"access_token\":\"{token}")),
            Self::TwoTokens => granted(format!(
                "{{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"{token}\",\
                 \"access_token\":\"{token}\"}}"
            )),
            Self::NoLife => Reply::granted(&token, 0),
            Self::OtherIdentity => {
                let mut claims = call.claims_of_token();
                claims["azp"] = "99999999-9999-4999-8999-999999999999".into();
                Reply::granted(&jwt(&claims), 3_599)
            }
            Self::InvalidClient => Reply::refusal("invalid_client", 700_027),
            Self::InvalidGrant => Reply::refusal("invalid_grant", 9_999_999),
            Self::ConsentWithdrawn => refused("invalid_grant", "consent_required", 65_001),
            Self::ForbiddenByPolicy => refused("access_denied", "", 53_003),
            Self::UserDisabled => refused("invalid_grant", "", 50_057),
            Self::StepUp => refused("invalid_grant", "basic_action", 50_076),
        }
        .after(after)
    }

    fn random(random: &mut Random) -> Self {
        match random.below(20) {
            0 | 1 => Self::Throttled {
                seconds: random.one_of(&[0, 1, 7, 30, 60, 301, 7_200]),
                as_date: false,
            },
            2 => Self::Throttled {
                seconds: random.one_of(&[8, 61, 300, 7_200]),
                as_date: true,
            },
            3 => Self::ThrottledWithoutTime,
            4 | 5 => Self::Failed(random.one_of(&[500, 502, 503, 504])),
            6 | 7 => Self::NoConnection,
            8 => Self::Hang,
            9 => Self::Html(random.one_of(&[200, 502])),
            10 => Self::Redirect,
            11 => Self::Truncated,
            12 => random.one_of(&[Self::TwoTokens, Self::NoLife]),
            13 => Self::OtherIdentity,
            14 => Self::InvalidClient,
            15 => Self::InvalidGrant,
            16 | 17 => Self::ConsentWithdrawn,
            18 => random.one_of(&[Self::ForbiddenByPolicy, Self::UserDisabled]),
            _ => Self::StepUp,
        }
    }
}

/// Which requests a fault meets.
#[derive(Clone, Debug)]
enum Hits {
    All,
    T1,
    T2,
    Client(String),
    Key(Key),
}

impl Hits {
    fn is_met_by(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::T1 => key.is_t1(),
            Self::T2 => key.is_t2(),
            Self::Client(client) => key.client() == client,
            Self::Key(other) => key == other,
        }
    }
}

struct Trouble {
    from: Duration,
    until: Duration,
    hits: Hits,
    fault: Fault,
}

/// All that is planned.
pub(crate) struct Script {
    troubles: Vec<Trouble>,
    /// When the client's credential is replaced; for how long after it the program still has the old one.
    pub(crate) rotations: Vec<(Duration, Duration)>,
    /// When every T1 and T2 that was issued before is revoked.
    pub(crate) revocations: Vec<Duration>,
    /// Without trouble from then on.
    pub(crate) calm_from: Duration,
}

impl Script {
    pub(crate) fn new(random: &mut Random, length: Duration, keys: &[Key]) -> Self {
        let calm_from = length - Duration::from_secs(2 * 3_600);
        let seconds = calm_from.as_secs();
        let mut time = |most: u64| Duration::from_secs(random.between(1, most));
        let mut rotations: Vec<_> = (0..12).map(|_| (time(seconds), time(90))).collect();
        rotations.sort();
        let mut revocations: Vec<_> = (0..12).map(|_| time(seconds)).collect();
        revocations.sort();
        let troubles = (0..200).map(|_| {
            let from = Duration::from_secs(random.below(seconds));
            let length = match random.below(3) {
                0 => random.between(1, 60),
                1 => random.between(60, 900),
                _ => random.between(900, 5_400),
            };
            let at = usize::try_from(random.below(1_000)).unwrap() % keys.len();
            let key = keys[at].clone();
            let hits = match random.below(10) {
                0 => Hits::All,
                1 | 2 => Hits::T1,
                3 => Hits::T2,
                4 | 5 => Hits::Client(key.client().to_owned()),
                _ => Hits::Key(key),
            };
            Trouble {
                from,
                until: (from + Duration::from_secs(length)).min(calm_from),
                hits,
                fault: Fault::random(random),
            }
        });
        Self {
            troubles: troubles.collect(),
            rotations,
            revocations,
            calm_from,
        }
    }

    /// What is wrong at this time with the answer to a request for this token.
    pub(crate) fn fault(&self, random: &mut Random, at: Duration, key: &Key) -> Option<Fault> {
        if at >= self.calm_from {
            return None;
        }
        let is_met = |trouble: &&Trouble| {
            (trouble.from..trouble.until).contains(&at) && trouble.hits.is_met_by(key)
        };
        let trouble = self.troubles.iter().find(is_met);
        trouble
            .map(|trouble| trouble.fault)
            .or_else(|| random.happens(15).then(|| Fault::random(random)))
    }
}
