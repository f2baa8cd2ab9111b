//! An HTTP client that keeps none of its promises: its words, and its time.

use std::{
    collections::BTreeSet,
    error::Error as StdError,
    future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower_entra::{
    HttpClient,
    acquire::{
        AcquireErrorKind as Kind, AcquireSettings, ClientCredential, ConfidentialClient, Scopes,
    },
};

use super::{leaks::Shown, plain_line::fields};

const TENANT: &str = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
const CLIENT: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";

#[derive(Clone, Default)]
struct Hostile {
    requests: Arc<AtomicUsize>,
    /// When each request came, and how long an answer it takes.
    asked: Arc<Mutex<Vec<(Instant, usize)>>>,
    /// How long the first answer takes, and each other one.
    takes: [Duration; 2],
    /// The error, in the place of a token that lives a second.
    fails: Option<&'static str>,
    hangs: bool,
}

type Failed = Box<dyn StdError + Send + Sync>;

impl HttpClient for Hostile {
    fn send(
        &self,
        _: Request<Vec<u8>>,
        max: usize,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Failed>> + Send>> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        self.asked.lock().unwrap().push((Instant::now(), max));
        let Self {
            takes,
            fails,
            hangs,
            ..
        } = self.clone();
        Box::pin(async move {
            sleep(takes[number.min(1)]).await;
            if hangs {
                future::pending::<()>().await;
            }
            if let Some(words) = fails {
                return Err(words.into());
            }
            let token = format!("token-{number}");
            let body = json!({"token_type": "Bearer", "expires_in": 1, "access_token": token});
            Ok(Response::new(body.to_string().into_bytes()))
        })
    }
}

fn client(http: &Hostile, settings: AcquireSettings) -> ConfidentialClient {
    ConfidentialClient::builder(TENANT, CLIENT, ClientCredential::secret("hunter2"))
        .http_client(http.clone())
        .settings(settings)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_client_are_one_line_without_a_credential() {
    for (words, shown) in [
        ("reset\r\nlevel=INFO admin", "reset\\r\\nlevel=INFO admin"),
        ("\u{1b}[31m\u{202e}red", "\\u{1b}[31m\\u{202e}red"),
        (
            "the body was client_assertion=eyJhbGciOiJSUzI1NiJ9.e30.x",
            "(withheld: it looks like a credential)",
        ),
    ] {
        let http = Hostile {
            fails: Some(words),
            ..Hostile::default()
        };
        let client = client(&http, AcquireSettings::default());
        let scopes = Scopes::default_of("api://orders").unwrap();
        let error = client.itself().token(&scopes).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(text.ends_with(shown), "{text:?}");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_client_are_cut_after_300_characters() {
    let scopes = Scopes::default_of("api://orders").unwrap();
    let whole: &str = "lost it. ".repeat(40).leak();
    for length in [299, 300, 301, 360] {
        let http = Hostile {
            fails: Some(&whole[..length]),
            ..Hostile::default()
        };
        let client = client(&http, AcquireSettings::default());
        let error = client.itself().token(&scopes).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(text.contains(&whole[..length]), length <= 300, "{text}");
        assert!(text.contains(&whole[..290]), "{text}");
    }
}

/// Callers that failed at once are not to come again at once.
#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_sent_once_more_after_1_to_1_5_s() {
    let scopes = Scopes::default_of("api://orders").unwrap();
    let mut pauses = Vec::new();
    for _ in 0..64 {
        let http = Hostile {
            fails: Some("reset"),
            ..Hostile::default()
        };
        let client = client(&http, AcquireSettings::default());
        client.itself().token(&scopes).await.unwrap_err();
        let asked = http.asked.lock().unwrap();
        let [(first, max), (second, _)] = asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(max, 256 * 1_024);
        pauses.push((second - first).as_millis());
    }
    // Which of them are the shorter ones is random: that none is has a chance of 1 in 2^64.
    assert!(
        pauses.iter().all(|pause| (1_000..=1_501).contains(pause)),
        "{pauses:?}"
    );
    assert!(pauses.iter().any(|pause| *pause < 1_250), "{pauses:?}");
    assert!(pauses.iter().any(|pause| *pause > 1_250), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn the_words_of_a_client_add_no_field_to_a_plain_line() {
    let scopes = Scopes::default_of("api://orders").unwrap();
    let fail = async |words| {
        let http = Hostile {
            fails: Some(words),
            ..Hostile::default()
        };
        let client = client(&http, AcquireSettings::default());
        client.itself().token(&scopes).await.unwrap_err();
    };
    let (log, _guard) = Shown::of_this_thread();
    for words in [
        "reset code=ok tenant=00000000-0000-0000-0000-000000000000 forged=1",
        "reset\" code=\"ok\" forged=\"1",
        "reset\\\" code=\"ok\" forged=\"1",
        "reset\\",
    ] {
        fail(words).await;
    }
    let text = log.text();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("not acquired"))
        .collect();
    assert_eq!(lines.len(), 4, "{text}");
    for line in lines {
        let found = fields(line);
        let names: BTreeSet<_> = found.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), found.len(), "{line}");
        assert!(!names.contains("forged"), "{line}");
        assert!(found.contains(&("code", "\"unavailable\"")), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_scopes_in_an_error_are_cut() {
    let http = Hostile {
        fails: Some("reset"),
        ..Hostile::default()
    };
    let client = client(&http, AcquireSettings::default());
    let resource = "orders-".repeat(1_000);
    let scopes = Scopes::default_of(&resource).unwrap();
    let error = client.itself().token(&scopes).await.unwrap_err();
    assert!(
        error.to_string().len() < 1_000,
        "{}",
        error.to_string().len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expired_on_its_way_is_asked_for_once_more_and_never_handed_out() {
    let second = Duration::from_secs(1);
    for (takes, expected) in [
        ([second / 2, second / 2], Ok("token-0")),
        ([2 * second, second / 2], Ok("token-1")),
        ([second, second / 2], Ok("token-1")),
        ([2 * second, 2 * second], Err(Kind::Unavailable)),
    ] {
        let http = Hostile {
            takes,
            ..Hostile::default()
        };
        let client = client(&http, AcquireSettings::default());
        let scopes = Scopes::default_of("api://orders").unwrap();
        let got = client.itself().token(&scopes).await;
        let got = got.as_ref().map(|token| token.secret());
        assert_eq!(got.map_err(|error| error.kind()), expected, "{takes:?}");
        assert!(http.requests.load(Ordering::Relaxed) <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_its_limit_ends_is_logged_like_any_other_that_failed() {
    let http = Hostile {
        hangs: true,
        ..Hostile::default()
    };
    let settings = AcquireSettings::default().with_total_timeout(Duration::from_secs(5));
    let client = client(&http, settings);
    let scopes = Scopes::default_of("api://orders").unwrap();
    let (log, _guard) = Shown::of_this_thread();
    let error = client.itself().token(&scopes).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let text = log.text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("not acquired"))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    for part in ["WARN", "code=\"unavailable\"", CLIENT, "correlation_id="] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_that_succeeds_is_logged_once_as_one() {
    let http = Hostile {
        takes: [Duration::from_millis(70); 2],
        ..Hostile::default()
    };
    let client = client(&http, AcquireSettings::default());
    let scopes = Scopes::default_of("api://orders").unwrap();
    let (log, _guard) = Shown::of_this_thread();
    client.itself().token(&scopes).await.unwrap();
    let text = log.text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("tower_entra::acquire:") && !line.contains("TRACE"))
        .collect();
    assert_eq!(lines.len(), 1, "{text}");
    for part in [
        "INFO tower_entra::acquire: acquired flow=",
        "lives_s=1 ",
        "took_ms=7",
        CLIENT,
        TENANT,
        "correlation_id=",
    ] {
        assert!(lines[0].contains(part), "{part}: {}", lines[0]);
    }
}
