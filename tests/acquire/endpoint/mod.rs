//! A token endpoint in this process, without a socket: an HTTP client that answers by itself, so that the
//! clock can be paused.

mod call;

use std::{
    error::Error as StdError,
    future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::sleep;
use tower_entra::HttpClient;

pub(crate) use self::call::{Call, EXCHANGE, Key, Who, claims_of, end_of, exchange_at, jwt};

/// Decides how each request is answered.
pub(crate) trait Play: Send + 'static {
    fn asked(&mut self, call: &Call) -> Fate;

    /// The answer has been given, or the client has given up.
    fn ended(&mut self, _call: &Call, _given_up: bool) {}
}

/// How a request is answered, and after which time.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    pub(crate) after: Duration,
    pub(crate) reply: Reply,
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        retry_after: Option<String>,
        body: String,
    },
    NoConnection,
    Hang,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Answer {
            status,
            retry_after: None,
            body: body.to_string(),
        }
    }

    /// The token that was asked for.
    pub(crate) fn token(call: &Call, expires_in: u64) -> Self {
        Self::granted(&jwt(&call.claims_of_token()), expires_in)
    }

    pub(crate) fn granted(token: &str, expires_in: u64) -> Self {
        let body = json!({
            "token_type": "Bearer",
            "access_token": token,
            "expires_in": expires_in,
        });
        Self::json(200, &body)
    }

    pub(crate) fn refusal(error: &str, code: u32) -> Self {
        let body = json!({
            "error": error,
            "error_description": format!("AADSTS{code}: refused by the script"),
            "error_codes": [code],
        });
        Self::json(400, &body)
    }

    pub(crate) fn with_retry_after(mut self, value: impl Into<String>) -> Self {
        if let Self::Answer { retry_after, .. } = &mut self {
            *retry_after = Some(value.into());
        }
        self
    }

    pub(crate) fn after(self, after: Duration) -> Fate {
        Fate { after, reply: self }
    }
}

/// Cheap to clone; clones share the play.
pub(crate) struct Endpoint<P>(Arc<Mutex<P>>);

impl<P> Clone for Endpoint<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Play> Endpoint<P> {
    pub(crate) fn new(play: P) -> Self {
        Self(Arc::new(Mutex::new(play)))
    }

    /// # Panics
    ///
    /// If an assertion about a request has failed. The flight survives that, and the test must not.
    #[track_caller]
    pub(crate) fn lock(&self) -> MutexGuard<'_, P> {
        self.0.lock().expect("a request as it should be")
    }
}

impl<P: Play> HttpClient for Endpoint<P> {
    fn send(
        &self,
        request: Request<Vec<u8>>,
        _max_body: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    > {
        let mut play = self.lock();
        let call = Call::read(&request);
        let fate = play.asked(&call);
        drop(play);
        let open = Open {
            endpoint: self.clone(),
            call,
            given_up: true,
        };
        Box::pin(async move {
            if !fate.after.is_zero() {
                sleep(fate.after).await;
            }
            let answer = match fate.reply {
                Reply::Hang => future::pending().await,
                Reply::NoConnection => Err("connection refused".into()),
                Reply::Answer {
                    status,
                    retry_after,
                    body,
                } => {
                    let mut answer = Response::builder().status(status);
                    if let Some(value) = retry_after {
                        answer = answer.header("retry-after", value);
                    }
                    Ok(answer.body(body.into_bytes()).unwrap())
                }
            };
            open.was_answered();
            answer
        })
    }
}

/// A request that is not answered yet.
struct Open<P: Play> {
    endpoint: Endpoint<P>,
    call: Call,
    given_up: bool,
}

impl<P: Play> Open<P> {
    fn was_answered(mut self) {
        self.given_up = false;
    }
}

impl<P: Play> Drop for Open<P> {
    fn drop(&mut self) {
        if let Ok(mut play) = self.endpoint.0.lock() {
            play.ended(&self.call, self.given_up);
        }
    }
}
