//! What a validation costs, as ratios to what cannot be done without.
//!
//! ```text
//! cargo bench --bench validate
//! ```
//!
//! Every row of the table in `README.md` but those on other crates comes from one run of this.

#[path = "common/bare.rs"]
mod bare;
#[path = "common/contest.rs"]
mod contest;
#[path = "common/poll.rs"]
mod poll;
#[path = "common/threads.rs"]
mod threads;
#[path = "common/tokens.rs"]
mod tokens;

use std::{convert::Infallible, future, time::Duration};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{SHA256, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use quick_cache::sync::Cache;
use tokio::runtime::Runtime;
use tower::{Layer as _, Service, service_fn};
use tower_entra::{
    AgentPrincipal, EntraAuthLayer, ErrorKind, KeySettings, SignatureAlgorithm, Validator,
    testing::{Issuer, KeyKind},
};

use self::{
    bare::{Bare, jwk_of, member},
    contest::Contest,
    poll::at_once,
    threads::Work,
};

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let issuer = Issuer::start_blocking();
    let pss = issuer.publish_key_with(KeyKind::RsaPss);
    let p256 = issuer.publish_key_with(KeyKind::P256);
    let setting = Setting::new(&runtime, &issuer);

    let agent = tokens::agent(&issuer).mint();
    let groups = tokens::agent_with_groups(&issuer).mint();
    let ps256 = tokens::agent(&issuer).signed_by(pss).mint();
    let es256 = tokens::agent(&issuer).signed_by(p256).mint();
    println!("tokens of {} and {} bytes\n", agent.len(), groups.len());

    costs(&setting, &agent, &groups, [&ps256, &es256]);
    two_threads(&setting, &agent);
}

/// An issuer and validators of its tokens.
struct Setting<'i> {
    issuer: &'i Issuer,
    cold: Validator,
    cached: Validator,
    /// Admits ES256 and PS256 as well.
    lenient: Validator,
}

impl<'i> Setting<'i> {
    fn new(runtime: &Runtime, issuer: &'i Issuer) -> Self {
        // The refusals that are measured happen while a fetch has just been made.
        let keys = KeySettings::default().with_cool_down(Duration::from_secs(600));
        let builder = || issuer.validator_builder().key_settings(keys.clone());
        let [cold, cached, lenient] = [
            builder(),
            builder().token_cache(1_024),
            builder().algorithms([
                SignatureAlgorithm::Rs256,
                SignatureAlgorithm::Ps256,
                SignatureAlgorithm::Es256,
            ]),
        ]
        .map(|builder| {
            let validator = builder.build().expect("a good configuration");
            runtime.block_on(validator.ready());
            let strange = tokens::agent(issuer).header("kid", "strange").mint();
            let verdict = runtime.block_on(validator.validate(&strange));
            assert_eq!(kind(&verdict), Some(ErrorKind::UnknownKey));
            validator
        });
        Self {
            issuer,
            cold,
            cached,
            lenient,
        }
    }
}

fn costs(setting: &Setting<'_>, agent: &str, groups: &str, others: [&str; 2]) {
    let mut contest = Contest::default();
    enter_admissions(&mut contest, setting, agent, &AGENT);
    enter_admissions(&mut contest, setting, groups, &GROUPS);
    enter_refusals(&mut contest, setting, agent);
    enter_laborious_refusals(&mut contest, setting);
    enter_other_algorithms(&mut contest, setting, others);

    let results = contest.run(ROUNDS);
    results.print();
    for names in [&AGENT, &GROUPS] {
        results.ratio(names.validate, names.bare, Some(1.10));
        results.ratio(names.layer, names.validate, Some(1.08));
        results.ratio(names.hit, names.hash, Some(1.35));
        results.ratio(names.hit, names.mac, None);
        results.ratio(names.hit, names.validate, Some(0.035));
        results.ratio(names.hash, names.validate, None);
        results.ratio(names.layer_hit, names.hit, Some(1.6));
    }
    for refusal in REFUSALS {
        // In the cool-down: its claims are read to answer 401 or 503.
        let is_unknown = refusal.starts_with("unknown kid");
        let limit = if is_unknown { 0.20 } else { 0.10 };
        results.ratio(refusal, AGENT.bare, Some(limit));
    }
    for laborious in LABORIOUS {
        results.ratio(laborious, LONGEST, Some(4.0));
    }
    results.ratio("validate PS256", "verify PS256", None);
    results.ratio("validate ES256", "verify ES256", None);
    println!();
}

/// What the same thing is called for one token and for another.
struct Names {
    bare: &'static str,
    validate: &'static str,
    layer: &'static str,
    inside: &'static str,
    hash: &'static str,
    mac: &'static str,
    hit: &'static str,
    layer_hit: &'static str,
}

const AGENT: Names = Names {
    bare: "verify",
    validate: "validate",
    layer: "EntraAuth",
    inside: "service inside alone",
    hash: "SHA-256 and look-up",
    mac: "GMAC and look-up",
    hit: "validate, cached",
    layer_hit: "EntraAuth, cached",
};

const GROUPS: Names = Names {
    bare: "verify, 60 groups",
    validate: "validate, 60 groups",
    layer: "EntraAuth, 60 groups",
    inside: "service inside alone, 60 groups",
    hash: "SHA-256 and look-up, 60 groups",
    mac: "GMAC and look-up, 60 groups",
    hit: "validate, cached, 60 groups",
    layer_hit: "EntraAuth, cached, 60 groups",
};

fn enter_admissions<'f>(
    contest: &mut Contest<'f>,
    setting: &'f Setting<'_>,
    token: &'f str,
    names: &Names,
) {
    let bare = Bare::rs256(setting.issuer, token);
    contest.enter(names.bare, move || bare.verify());
    contest.enter(names.validate, || admit(&setting.cold, token));
    contest.enter(names.hit, || admit(&setting.cached, token));

    // An entry that can be handed out, as that of any cache of callers.
    let cache: Cache<[u8; 32], std::sync::Arc<str>> = Cache::new(1_024);
    cache.insert(hash(token), token.into());
    contest.enter(names.hash, move || cache.get(&hash(token)));

    let (key, cache) = (
        mac_key(),
        Cache::<[u8; 16], std::sync::Arc<str>>::new(1_024),
    );
    cache.insert(mac(&key, token), token.into());
    contest.enter(names.mac, move || cache.get(&mac(&key, token)));

    let request = request(token);
    let mut layer = EntraAuthLayer::new(setting.cold.clone()).layer(service_fn(answer));
    contest.enter_with(names.layer, request.clone(), move |request| {
        serve(&mut layer, request)
    });
    let mut layer = EntraAuthLayer::new(setting.cached.clone()).layer(service_fn(answer));
    contest.enter_with(names.layer_hit, request.clone(), move |request| {
        serve(&mut layer, request)
    });
    contest.enter_with(names.inside, request, |request| {
        serve(&mut service_fn(answer), request)
    });
}

const REFUSALS: [&str; 7] = [
    "two segments",
    "a bad letter at the end",
    "RS384",
    "unknown kid",
    "unknown kid, 60 groups",
    "a bad letter at the end, with a cache",
    "unknown kid, with a cache",
];

fn enter_refusals<'f>(contest: &mut Contest<'f>, setting: &'f Setting<'_>, agent: &str) {
    let mint = || tokens::agent(setting.issuer);
    let two_segments = agent.rsplit_once('.').expect("a token has dots").0;
    let bad_letter = format!("{}=", &agent[..agent.len() - 1]);
    let unknown = mint().header("kid", "never-seen").mint();
    let unknown_groups = tokens::agent_with_groups(setting.issuer)
        .header("kid", "never-seen")
        .mint();
    let cases = [
        (two_segments.to_owned(), ErrorKind::MalformedToken, false),
        (bad_letter.clone(), ErrorKind::MalformedToken, false),
        (
            mint().algorithm("RS384").mint(),
            ErrorKind::AlgorithmNotAllowed,
            false,
        ),
        (unknown.clone(), ErrorKind::KeysUnavailable, false),
        (unknown_groups, ErrorKind::KeysUnavailable, false),
        (bad_letter, ErrorKind::MalformedToken, true),
        (unknown, ErrorKind::KeysUnavailable, true),
    ];
    for (name, (token, expected, is_cached)) in REFUSALS.into_iter().zip(cases) {
        let validator = match is_cached {
            true => &setting.cached,
            false => &setting.cold,
        };
        let verdict = at_once(validator.validate(&token));
        assert_eq!(kind(&verdict), Some(expected), "{name}");
        contest.enter(name, move || at_once(validator.validate(&token)));
    }
}

const LABORIOUS: [&str; 7] = [
    "16,000 dots",
    "a header of 1,000 members",
    "a header of 600 escaped names",
    "a header of 440 long numbers",
    "claims of 420 long numbers, unknown kid",
    "claims of 1,200 names in capitals, unknown kid",
    "claims of 2,200 groups with escapes, unknown kid",
];

/// A good token of nearly 16 KiB.
const LONGEST: &str = "validate, 16 KiB";

/// The slowest inputs that a client can send in 16 KiB, without a signature check.
fn enter_laborious_refusals<'f>(contest: &mut Contest<'f>, setting: &'f Setting<'_>) {
    let members = |count: usize, name: &dyn Fn(usize) -> String| {
        (0..count)
            .fold(tokens::agent(setting.issuer), |token, number| {
                token.header(name(number), 1)
            })
            .header("kid", "never-seen")
            .mint()
    };
    // Each lies halfway between two doubles, but for its last digits.
    let long_numbers = |count| format!("[{}0]", "17000000000000002382e289,".repeat(count));
    let members_of = |count: usize, member: &dyn Fn(usize) -> String| {
        let members: Vec<_> = (0..count).map(member).collect();
        members.join(",")
    };
    // Claims that are worth a fetch, but for one: those of a good token, and these.
    let with_claims = |more: &str| {
        let claims = claims_of(&tokens::agent(setting.issuer).mint());
        let claims = format!("{},{more}}}", &claims[..claims.len() - 1]);
        let token = tokens::agent(setting.issuer).header("kid", "never-seen");
        token.payload(claims).mint()
    };
    let tokens = [
        ".".repeat(16_000),
        members(1_000, &|number| format!("{number:04}")),
        // A name that cannot be borrowed.
        members(600, &|number| format!("\"{number:04}")),
        tokens::agent(setting.issuer)
            .header_text(format!(
                r#"{{"alg":"RS256","kid":"never-seen","x":{}}}"#,
                long_numbers(440)
            ))
            .mint(),
        with_claims(&format!(r#""x":{}"#, long_numbers(420))),
        with_claims(&members_of(1_200, &|number| {
            format!(r#""A{:02}":0"#, number % 100)
        })),
        with_claims(&format!(
            r#""groups":[{}]"#,
            members_of(2_200, &|_| r#""\n""#.to_owned())
        )),
    ];
    let longest = tokens::agent_with(setting.issuer, 280).mint();
    assert!((15_000..=16 * 1_024).contains(&longest.len()));
    contest.enter(LONGEST, move || admit(&setting.cold, &longest));
    for (name, token) in LABORIOUS.into_iter().zip(tokens) {
        let verdict = at_once(setting.cold.validate(&token));
        assert!(token.len() <= 16 * 1_024, "{name}");
        assert!(kind(&verdict) != Some(ErrorKind::TokenTooLarge), "{name}");
        assert!(verdict.is_err(), "{name}");
        contest.enter(name, move || at_once(setting.cold.validate(&token)));
    }
}

/// The claims of a token, as text.
fn claims_of(token: &str) -> String {
    let segment = token.split('.').nth(1).expect("a token has claims");
    let claims = URL_SAFE_NO_PAD.decode(segment).expect("the issuer encodes");
    String::from_utf8(claims).expect("claims are text")
}

fn enter_other_algorithms<'f>(
    contest: &mut Contest<'f>,
    setting: &'f Setting<'_>,
    [ps256, es256]: [&'f str; 2],
) {
    let jwk = jwk_of(setting.issuer, ps256);
    let (n, e) = (member(&jwk, "n"), member(&jwk, "e"));
    let key = RsaPublicKeyComponents { n, e }
        .to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
        .expect("the issuer's key is good");
    let bare = Bare::new(ps256, key);
    contest.enter("verify PS256", move || bare.verify());
    contest.enter("validate PS256", || admit(&setting.lenient, ps256));

    let jwk = jwk_of(setting.issuer, es256);
    let point = [vec![4], member(&jwk, "x"), member(&jwk, "y")].concat();
    let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let bare = Bare::new(es256, key.expect("the issuer's key is good"));
    contest.enter("verify ES256", move || bare.verify());
    contest.enter("validate ES256", || admit(&setting.lenient, es256));
}

fn two_threads(setting: &Setting<'_>, agent: &str) {
    let bare = Bare::rs256(setting.issuer, agent);
    let key = mac_key();
    let of_each = [agent.to_owned(), tokens::agent(setting.issuer).mint()];
    let mut works = [
        Work::new("verify", "verify", |_| bare.verify()),
        Work::new("validate", "verify", |_| admit(&setting.cold, agent)),
        Work::new("GMAC", "GMAC", |_| mac(&key, agent)),
        Work::new("validate, cached, the same token", "GMAC", |_| {
            admit(&setting.cached, agent)
        }),
        Work::new("validate, cached, a token each", "GMAC", |thread| {
            admit(&setting.cached, &of_each[thread])
        }),
    ];
    threads::run(&mut works, SLICES);
    threads::print(&works);
}

fn admit(validator: &Validator, token: &str) -> AgentPrincipal {
    at_once(validator.validate(token)).expect("a good token is admitted")
}

fn kind(verdict: &Result<AgentPrincipal, tower_entra::Error>) -> Option<ErrorKind> {
    verdict.as_ref().err().map(tower_entra::Error::kind)
}

fn hash(token: &str) -> [u8; 32] {
    let hash = digest(&SHA256, token.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn mac_key() -> LessSafeKey {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key of AES-256 has 32 bytes");
    LessSafeKey::new(key)
}

/// The tag of no plaintext, with the token as the associated data: what the cache finds a token by.
fn mac(key: &LessSafeKey, token: &str) -> [u8; 16] {
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(token), &mut [])
        .expect("a token is not too long to be associated data");
    tag.as_ref().try_into().expect("a tag has 16 bytes")
}

fn request(token: &str) -> impl Fn() -> Request<()> + Clone {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is visible");
    move || {
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, value.clone());
        request
    }
}

fn answer(_request: Request<()>) -> future::Ready<Result<Response<()>, Infallible>> {
    future::ready(Ok(Response::new(())))
}

fn serve<S>(service: &mut S, request: Request<()>) -> Response<()>
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let Ok(response) = at_once(service.call(request));
    assert!(response.status().is_success(), "a good token was refused");
    response
}

const ROUNDS: usize = 600;
const SLICES: usize = 100;
