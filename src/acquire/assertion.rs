//! Assertions that are not signed here: those of a file, and those of the program.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::{
    acquire::{
        files::{Reads, Unreadable, read, shown_path},
        no_proof::NoProof,
    },
    secret::Secret,
};

/// A file with an assertion, which is read for each proof.
#[derive(Debug)]
pub(super) struct AssertionFile {
    path: PathBuf,
    reads: Reads,
}

impl AssertionFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            reads: Reads::new(),
        }
    }

    /// The assertion that is in the file now.
    pub(super) async fn assertion(&self) -> Result<Secret, NoProof> {
        let path = self.path.clone();
        let read = self.reads.run(move || {
            let bytes = read(&path, MAX_ASSERTION)?;
            Ok(assertion(&bytes))
        });
        match read.await.unwrap_or(Err(Unreadable::Slow)) {
            Ok(Ok(assertion)) => Ok(assertion),
            Ok(Err(unfit)) => Err(NoProof {
                problem: format!("the file {} {}", shown_path(&self.path), unfit.in_words()),
                hint: "Name the file of a federated token, as AZURE_FEDERATED_TOKEN_FILE does, and replace \
                       it in one step.",
                is_transient: true,
            }),
            Err(why) => Err(why.no_proof(&self.path)),
        }
    }
}

/// What cannot be an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Empty,
    TooLarge,
    /// Not three parts in base64url, of which the first two are JSON objects.
    NotAJwt,
}

impl Unfit {
    /// What it is said of is the subject.
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Empty => "is empty",
            Self::TooLarge => "is larger than 64 KiB",
            Self::NotAJwt => "is not a signed JWT",
        }
    }
}

/// The assertion in this text, without white space around it. Its form is looked at, so that what is no
/// token at all, or half of one, is not sent; nothing in it is believed.
pub(super) fn assertion(text: &[u8]) -> Result<Secret, Unfit> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Err(Unfit::Empty);
    }
    if text.len() > MAX_ASSERTION {
        return Err(Unfit::TooLarge);
    }
    let text = str::from_utf8(text).map_err(|_| Unfit::NotAJwt)?;
    let mut parts = text.split('.');
    let mut decoded = || {
        URL_SAFE_NO_PAD
            .decode(parts.next()?)
            .ok()
            .map(Zeroizing::new)
    };
    let (header, claims, signature) = (decoded(), decoded(), decoded());
    let is_jwt = header.is_some_and(|header| is_object(&header))
        && claims.is_some_and(|claims| is_object(&claims))
        && signature.is_some_and(|signature| !signature.is_empty())
        && parts.next().is_none();
    is_jwt.then(|| Secret::new(text)).ok_or(Unfit::NotAJwt)
}

fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<IgnoredAny>(json).is_ok()
}

/// The longest assertion, in bytes.
pub(super) const MAX_ASSERTION: usize = 64 * 1024;
