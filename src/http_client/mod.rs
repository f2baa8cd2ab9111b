//! One HTTP request, one bounded answer.

#[cfg(feature = "http-client")]
mod reqwest;

mod causes;

use std::{
    error::Error as StdError,
    pin::Pin,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, Request, Response, header};

pub(crate) use self::causes::{NoAnswer, with_causes};
#[cfg(feature = "http-client")]
pub(crate) use self::reqwest::ReqwestClient;

/// Sends HTTP requests to the authority. Implement it to bring an HTTP client of your own.
///
/// The default is a `reqwest` client with rustls (feature `http-client`).
///
/// # What an implementation must keep
///
/// - **One request.** Send the method, URI, headers and body of the request as they are, once,
///   without retries. Add only what the connection needs, such as `Host`, `Content-Length` and
///   `User-Agent`; add no credentials and no cookies.
/// - **No redirects.** Return an answer with a 3xx status like any other. A redirect that is
///   followed leads to keys, or sends a credential, to a server that the authority did not name.
/// - **Any status is an answer.** Return it with its headers and body, 4xx and 5xx included.
///   Headers are returned as received: the caller reads `Retry-After` and `Content-Encoding`.
/// - **No decompression.** Neither ask for a content encoding nor undo one.
/// - **A bounded body.** Stop reading once more than `max_body` bytes have arrived, and return
///   those: a body longer than `max_body` is how the caller knows that it is too large. A body cut
///   to exactly `max_body` bytes would pass for a whole one.
/// - **A whole body, or none.** With the status 200, a body that breaks off is an error. With any
///   other status, return the answer with an empty body if its body breaks off or does not arrive
///   in time: an error, or a wait until the caller's limit, would lose its `Retry-After`.
/// - **No logging of headers and bodies.** Both can hold credentials. An error that is returned
///   appears in the log with its causes, so their texts must not hold them either. User and password of
///   a URL with a scheme are taken out, up to the first space or quotation mark.
/// - **Cancellation.** The caller limits the time by dropping the future, at any point. That must
///   end the request and must not affect any other request: hold no lock and lose no shared state.
///   The server may have received the request all the same.
///
/// # Examples
///
/// A client that answers from memory, for a test:
///
/// ```
/// use std::{error::Error, pin::Pin};
///
/// use http::{Request, Response, StatusCode};
/// use tower_entra::HttpClient;
///
/// struct Unavailable;
///
/// impl HttpClient for Unavailable {
///     fn send(
///         &self,
///         _: Request<Vec<u8>>,
///         _: usize,
///     ) -> Pin<
///         Box<
///             dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn Error + Send + Sync>>> + Send,
///         >,
///     > {
///         let mut answer = Response::new(Vec::new());
///         *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
///         Box::pin(async { Ok(answer) })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `HttpClient`",
    label = "not an `HttpClient`",
    note = "wrap it in a type of your own and implement `tower_entra::HttpClient` for that: it must \
            follow no redirects and decompress nothing"
)]
pub trait HttpClient: Send + Sync + 'static {
    /// Sends one request and returns the answer, whatever its status.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer: no connection, no TLS session with a trusted certificate, no
    /// complete header, or none in the client's own time limits. Fails also if the status is 200
    /// and the body breaks off before its end.
    #[expect(
        clippy::type_complexity,
        reason = "an alias would hide what an implementor returns"
    )]
    fn send(
        &self,
        request: Request<Vec<u8>>,
        max_body: usize,
    ) -> Pin<
        Box<dyn Future<Output = Result<Response<Vec<u8>>, Box<dyn StdError + Send + Sync>>> + Send>,
    >;
}

/// [RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3): a number of
/// seconds, or a date. A date in the past counts as no `Retry-After`.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_number {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    date.duration_since(now).ok()
}

/// Whether the body has a content encoding other than `identity`.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .map(|encoding| encoding.as_bytes().trim_ascii())
        .any(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn asked(value: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
        // Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        retry_after(&headers, now).map(|after| after.as_secs())
    }

    #[test]
    fn a_retry_after_is_read_in_both_of_its_forms() {
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked(" 0 "), Some(0));
        assert_eq!(asked("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(asked("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(asked("Sunday, 06-Nov-94 08:51:37 GMT"), Some(120));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
    }

    #[test]
    fn a_date_in_the_past_and_what_is_no_retry_after_count_as_none() {
        for value in [
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "",
            "-1",
            "+1",
            "1.5",
            "soon",
            "Sun, 06 Nov 1994 08:51:37 CET",
        ] {
            assert_eq!(asked(value), None, "{value:?}");
        }
    }

    #[test]
    fn only_a_body_that_is_not_encoded_is_read() {
        let encoded = |value| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            is_encoded(&headers)
        };
        assert!(!is_encoded(&HeaderMap::new()));
        assert!(!encoded("") && !encoded("identity") && !encoded("Identity"));
        assert!(encoded("gzip") && encoded("identity, gzip") && encoded("x"));
    }
}
