//! What is sent.

use std::collections::BTreeSet;

use http::{
    HeaderValue, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tower_entra::testing::TokenBuilder;

/// What is sent: a token, or a request that is made by hand.
pub(crate) struct Input {
    pub(super) name: String,
    request: Option<Request<String>>,
    pub(super) token: Option<String>,
    /// What neither an answer nor the log may hold.
    pub(super) secrets: Vec<String>,
    /// What the error says of this input.
    pub(super) words: Option<String>,
}

impl Input {
    fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, ..self }
    }

    pub(super) fn request(&self) -> Option<Request<String>> {
        self.request.clone()
    }
}

impl From<String> for Input {
    fn from(token: String) -> Self {
        Self {
            name: String::new(),
            request: with_lines(&[format!("Bearer {token}")]),
            secrets: vec![token.clone()],
            token: Some(token),
            words: None,
        }
    }
}

impl From<&str> for Input {
    fn from(token: &str) -> Self {
        token.to_owned().into()
    }
}

impl From<TokenBuilder> for Input {
    fn from(token: TokenBuilder) -> Self {
        token.mint().into()
    }
}

impl From<Request<String>> for Input {
    fn from(request: Request<String>) -> Self {
        Self {
            name: String::new(),
            secrets: secrets_of(&request),
            request: Some(request),
            token: None,
            words: None,
        }
    }
}

/// Whatever in a request's headers, query and body is long enough to be a token or a part of one.
fn secrets_of(request: &Request<String>) -> Vec<String> {
    let headers = request.headers().iter();
    let headers = headers.filter(|(name, _)| *name != CONTENT_TYPE);
    let mut texts: Vec<_> = headers
        .map(|(_, value)| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    texts.extend([request.body().into()]);
    texts.extend(request.uri().query().map(Into::into));
    let is_outside = |letter: char| !letter.is_ascii_alphanumeric() && !"-._~+/".contains(letter);
    let words = texts.iter().flat_map(|text| text.split(is_outside));
    // A thousand lines with the same token have one secret.
    let secrets: BTreeSet<&str> = words.filter(|word| word.len() > 16).collect();
    secrets.into_iter().map(str::to_owned).collect()
}

/// One input for each item, named after it.
pub(crate) fn each<I, S>(items: impl IntoIterator<Item = I>, send: impl Fn(&I) -> S) -> Vec<Input>
where
    I: std::fmt::Debug,
    S: Into<Input>,
{
    let inputs = items.into_iter().map(|item| {
        let name: String = format!("{item:?}").chars().take(100).collect();
        send(&item).into().named(name)
    });
    inputs.collect()
}

/// These inputs with names of their own.
pub(crate) fn these<S: Into<Input>>(
    inputs: impl IntoIterator<Item = (&'static str, S)>,
) -> Vec<Input> {
    let inputs = inputs.into_iter();
    inputs.map(|(name, sent)| sent.into().named(name)).collect()
}

/// These inputs, each named after words that its error holds.
pub(crate) fn worded<W: Into<String>, S: Into<Input>>(
    inputs: impl IntoIterator<Item = (W, S)>,
) -> Vec<Input> {
    let inputs = inputs.into_iter().map(|(words, sent)| {
        let words = words.into();
        Input {
            words: Some(words.clone()),
            ..sent.into().named(words)
        }
    });
    inputs.collect()
}

pub(crate) fn one(sent: impl Into<Input>) -> Vec<Input> {
    these([("the only one", sent)])
}

/// A request with these `Authorization` lines. None if HTTP has no such lines.
pub(crate) fn with_lines<L: AsRef<[u8]>>(lines: &[L]) -> Option<Request<String>> {
    let mut request = Request::new(String::new());
    for line in lines {
        let value = HeaderValue::from_bytes(line.as_ref()).ok()?;
        request.headers_mut().append(AUTHORIZATION, value);
    }
    Some(request)
}

/// A request with this `Authorization` line.
#[track_caller]
pub(crate) fn with_line(line: impl AsRef<[u8]>) -> Request<String> {
    with_lines(&[line]).expect("a header value")
}

/// A request for `target` without `Authorization`.
#[track_caller]
pub(crate) fn request_for(target: &str) -> Request<String> {
    Request::builder().uri(target).body(String::new()).unwrap()
}
