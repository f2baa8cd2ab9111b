//! `/DownstreamApi/{apiName}` and `/DownstreamApiUnauthenticated/{apiName}`.

use std::{error::Error as StdError, iter::successors, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Path, RawQuery, Request, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, LengthLimitError};
use tokio::time::Instant;

use super::{
    client::{Call, Ended, Fault, MAX_BODY, NoAnswer},
    media_type::MediaType,
    memory::{Memory, Overflow},
    prepared::prepared,
};
use crate::{
    app::App, asked::Asked, inbound::Inbound, problem::Problem, route::Route, token::Acquisition,
};

/// Calls the API of this name, and answers with what it answered.
pub(crate) async fn handle(
    State((app, route)): State<(App, Route)>,
    api: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    inbound: Inbound,
    request: Request,
) -> Response {
    let deadline = Instant::now() + CALL_TIME;
    let query = query.as_deref();
    let answered = async {
        let Path(api) =
            api.map_err(|_| Problem::bad_request("The name of the API is not UTF-8."))?;
        let asked = Asked::read(query, route, &app.settings)?;
        let acquisition = Acquisition::new(&app, &api, &asked, &inbound)?;
        let call = prepared(&app.settings, &api, &asked.overrides)?;
        one_content_type(request.headers())?;
        // Before the body, which takes memory. The layer around the call finds the token in the cache.
        acquisition.token().await?;
        let call = with_body(call, request, &app.clients.memory).await?;
        let source = acquisition.source().clone();
        let Ended {
            result,
            was_sent_again,
        } = app
            .clients
            .call(call, acquisition.scopes(), source, deadline)
            .await;
        if was_sent_again {
            acquisition.got_for_claims();
        }
        match result {
            Ok(answer) => Ok(answer.into_response()),
            Err(Fault::NoToken(error)) => Err(acquisition.refused(&error).into()),
            Err(Fault::NoAnswer(fault)) => Err(no_answer(&api, &fault).into()),
        }
    };
    answered.await.unwrap_or_else(|refused: Refused| refused.0)
}

/// An answer without a call, or without an answer of the API.
struct Refused(Response);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(problem.into_response())
    }
}

/// With several, the body would be dropped, or be read by the API as another one than the caller means.
fn one_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get_all(CONTENT_TYPE).iter().count() {
        0 | 1 => Ok(()),
        _ => Err(Problem::bad_request(
            "The request has several Content-Type headers.",
        )),
    }
}

/// The call with the body of the request and the headers that describe it. Without a readable `Content-Type`
/// the body is dropped, as in Microsoft's sidecar.
async fn with_body(call: Call, request: Request, memory: &Memory) -> Result<Call, Refused> {
    let (parts, body) = request.into_parts();
    if MediaType::of(&parts.headers).is_none() {
        return Ok(call);
    }
    let body = read(body, memory).await?;
    let mut headers = call.headers;
    copy(&parts.headers, &mut headers);
    Ok(Call {
        headers,
        body: Some(body),
        ..call
    })
}

fn copy(from: &HeaderMap, to: &mut HeaderMap) {
    for name in OF_BODY {
        for value in from.get_all(&name) {
            to.append(&name, value.clone());
        }
    }
}

/// The body, of at most 30,000,000 bytes, if there is room for it.
async fn read(mut body: Body, memory: &Memory) -> Result<Bytes, Refused> {
    let mut buffer = memory.buffer(MAX_BODY, body.size_hint().exact())?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let error: &(dyn StdError + 'static) = &error;
            let mut causes = successors(Some(error), |error| (*error).source());
            match causes.any(|error| error.is::<LengthLimitError>()) {
                true => Refused::from(Overflow::TooLarge),
                false => Problem::bad_request("The body of the request broke off.").into(),
            }
        })?;
        if let Some(chunk) = frame.data_ref() {
            buffer.push(chunk)?;
        }
    }
    Ok(buffer.into_bytes())
}

/// The rest of the body is not read.
impl From<Overflow> for Refused {
    fn from(overflow: Overflow) -> Self {
        let response = match overflow {
            Overflow::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Overflow::Full => {
                tracing::warn!("the bodies of the calls under way leave no room for another one");
                Problem::unavailable(
                    "The bodies of the calls under way leave no room for this one.",
                )
                .with_retry_after(Some(1))
                .into_response()
            }
        };
        Self(([(CONNECTION, "close")], response).into_response())
    }
}

/// No answer of the API. Addresses are for the log.
fn no_answer(api: &str, fault: &NoAnswer) -> Problem {
    let (what, reason) = match fault {
        NoAnswer::Unreachable(reason) => ("could not be reached", &**reason),
        NoAnswer::TimedOut => ("did not answer in time", ""),
        NoAnswer::TooLarge => ("answered with more than 30,000,000 bytes", ""),
        NoAnswer::NoRoom => {
            tracing::warn!(
                api,
                "the bodies of the calls under way leave no room for an answer"
            );
            let detail = format!(
                "The API '{api}' answered, and the bodies of the calls under way leave no room for its answer."
            );
            // Not 503: the API has done what it was asked for, which a client would have done again.
            return Problem::bad_gateway(detail);
        }
        NoAnswer::BrokeOff(reason) => ("broke off its answer", &**reason),
        NoAnswer::NotSent(reason) => {
            tracing::error!(api, reason, "a downstream API is not called");
            let hint = format!("Check DownstreamApis:{api}:BaseUrl; the log says more.");
            return Problem::unexpected().with_hint(hint);
        }
    };
    tracing::warn!(api, reason, "a downstream API {what}");
    let hint = format!("Check DownstreamApis:{api}:BaseUrl and the API itself; the log says more.");
    Problem::bad_gateway(format!("The API '{api}' {what}.")).with_hint(hint)
}

/// A second less than a request may take, so that the answer can say which API is slow.
const CALL_TIME: Duration = Duration::from_secs(99);
const OF_BODY: [HeaderName; 2] = [CONTENT_TYPE, CONTENT_ENCODING];

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
