//! A signed token, edited: nothing but what was signed is admitted, and all of that is.
//!
//! The fuzz target `validate` uses this file too, so it needs nothing from the others.

use std::{
    pin::pin,
    sync::OnceLock,
    task::{Context, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::runtime::{Builder, Runtime};
use tower_entra::{Validator, testing::Issuer};

/// Follows a script of edits and asks a validator with one fixed set of keys what it makes of the
/// result.
///
/// The first byte picks a token, and every three bytes after it are an edit: what, where, and with
/// what.
pub(crate) fn check(script: &[u8]) {
    let world = World::get();
    let Some((pick, edits)) = script.split_first() else {
        return;
    };
    let mut token = world.token(*pick).to_owned();
    for edit in edits.chunks_exact(3).take(MAX_EDITS) {
        let [what, place, with] = [edit[0], edit[1], edit[2]];
        token = world.edited(&token, what, place, with);
    }
    let is_signed = world.tokens.contains(&token);
    assert_eq!(world.admits(&token), is_signed, "{script:?}: {token}");
}

const MAX_EDITS: usize = 16;

struct World {
    runtime: Runtime,
    validator: Validator,
    tokens: Vec<String>,
    kid: String,
    _issuer: Issuer,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(Self::new)
    }

    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime");
        let issuer = Issuer::start_blocking();
        let client = documents::Client::of(&issuer);
        let validator = issuer.validator_builder().http_client(client).build();
        let validator = validator.expect("a validator");
        runtime.block_on(validator.ready());
        let tokens = [
            issuer.user(),
            issuer.agent_user(),
            issuer.agent_on_behalf_of("alice"),
            issuer.autonomous_agent(),
            issuer.application().v1(),
            issuer.token(),
        ];
        let tokens = tokens.map(|token| token.expires_at(IN_2100).mint());
        Self {
            runtime,
            validator,
            tokens: tokens.to_vec(),
            kid: issuer.current_kid(),
            _issuer: issuer,
        }
    }

    fn token(&self, pick: u8) -> &str {
        &self.tokens[usize::from(pick) % self.tokens.len()]
    }

    /// Whether the token is admitted at once. One that would wait for a key is not.
    fn admits(&self, token: &str) -> bool {
        let _inside = self.runtime.enter();
        let verdict = pin!(self.validator.validate(token));
        let verdict = verdict.poll(&mut Context::from_waker(Waker::noop()));
        matches!(verdict, Poll::Ready(Ok(_)))
    }

    fn edited(&self, token: &str, what: u8, place: u8, with: u8) -> String {
        let mut characters: Vec<char> = token.chars().collect();
        let letter = LETTERS[usize::from(with) % LETTERS.len()];
        // A place among all the characters, the last few of each kind of edit included.
        let at = usize::from(place) * characters.len() / 255;
        let mut segments: Vec<String> = token.split('.').map(str::to_owned).collect();
        let segment = usize::from(place) % segments.len();
        match what % 10 {
            0 if at < characters.len() => characters[at] = letter,
            1 => characters.insert(at, letter),
            2 if at < characters.len() => drop(characters.remove(at)),
            3 => characters.truncate(at),
            4 => characters.push(letter),
            // A segment of another token, or of an earlier edit.
            5 => {
                let other = self.token(with).split('.').nth(segment);
                segments[segment] = other.unwrap_or_default().to_owned();
                return segments.join(".");
            }
            6 => {
                drop(segments.remove(segment));
                return segments.join(".");
            }
            7 => {
                segments.insert(
                    segment,
                    segments[usize::from(with) % segments.len()].clone(),
                );
                return segments.join(".");
            }
            // Another header over the same payload and signature.
            8 => {
                let header = HEADERS[usize::from(with) % HEADERS.len()];
                segments[0] = URL_SAFE_NO_PAD.encode(header.replace("KID", &self.kid));
                return segments.join(".");
            }
            // One byte of what a segment decodes to.
            9 => {
                if let Ok(mut bytes) = URL_SAFE_NO_PAD.decode(&segments[segment])
                    && !bytes.is_empty()
                {
                    let at = usize::from(with) * bytes.len() / 256;
                    bytes[at] ^= 1 << (place / 3 % 8);
                    segments[segment] = URL_SAFE_NO_PAD.encode(bytes);
                }
                return segments.join(".");
            }
            _ => {}
        }
        characters.into_iter().collect()
    }
}

const LETTERS: [char; 20] = [
    'A', 'B', 'Q', 'g', 'w', 'z', '0', '9', '-', '_', '.', '=', '+', '/', ' ', '\n', '"', '{',
    '\0', 'é',
];

const HEADERS: [&str; 8] = [
    r#"{"alg":"none"}"#,
    r#"{"alg":"none","kid":"KID"}"#,
    r#"{"alg":"HS256","kid":"KID"}"#,
    r#"{"alg":"RS256","kid":"KID"}"#,
    r#"{"alg":"RS256","kid":"KID","crit":[]}"#,
    r#"{"typ":"JWT","alg":"RS256","kid":"KID","x":1}"#,
    r#"{"typ":"JWT","alg":"PS256","kid":"KID"}"#,
    r#"{"typ":"JWT","alg":"RS256","kid":"unknown"}"#,
];

const IN_2100: i64 = 4_102_444_800;

mod documents {
    //! Answers with the documents of an issuer without a word over the network, so that nothing
    //! happens at times of its own.

    use std::{error::Error as StdError, pin::Pin};

    use http::{Request, Response};
    use tower_entra::{HttpClient, testing::Issuer};

    pub(super) struct Client {
        discovery: String,
        keys: Vec<u8>,
    }

    impl Client {
        pub(super) fn of(issuer: &Issuer) -> Self {
            let (url, tenant) = (issuer.url(), issuer.tenant_id());
            Self {
                discovery: format!(
                    r#"{{"issuer":"{url}/{tenant}/v2.0","jwks_uri":"{url}/{tenant}/keys"}}"#
                ),
                keys: issuer.keys_document(),
            }
        }
    }

    impl HttpClient for Client {
        fn send(
            &self,
            request: Request<Vec<u8>>,
            _: usize,
        ) -> Pin<
            Box<
                dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>>
                    + Send,
            >,
        > {
            let body = match request.uri().path().ends_with("/openid-configuration") {
                true => self.discovery.clone().into_bytes(),
                false => self.keys.clone(),
            };
            Box::pin(async { Ok(Response::new(body)) })
        }
    }
}
