//! What the two processes log, searched for what must be in no log.

use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::world::Failed;

#[derive(Default)]
pub(crate) struct Log {
    forbidden: RwLock<Vec<String>>,
    lines: [AtomicU64; 2],
    found: Mutex<Vec<String>>,
}

/// Whose log it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    ThisProcess,
    Sidecar,
}

impl Log {
    /// No line may have this text.
    pub(crate) fn forbid(&self, text: &str) {
        let mut forbidden = self
            .forbidden
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        forbidden.push(text.to_owned());
    }

    /// No line may have the beginning of this private key.
    pub(crate) fn forbid_key(&self, pem: &str) {
        if let Some(line) = pem.lines().nth(1) {
            let beginning = line.get(..64).unwrap_or(line);
            // The first bytes of all keys are the same.
            self.forbid(beginning.get(40..).unwrap_or(beginning));
        }
    }

    pub(crate) fn read(&self, of: Of, line: &str) {
        self.lines(of).fetch_add(1, Ordering::Relaxed);
        if self.is_forbidden(line) {
            self.found().push(format!("{of:?}: {line}"));
        }
    }

    fn is_forbidden(&self, line: &str) -> bool {
        let forbidden = self
            .forbidden
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        has_token(line) || forbidden.iter().any(|text| line.contains(text))
    }

    pub(crate) fn in_words(&self) -> String {
        let [own, sidecar] =
            [Of::ThisProcess, Of::Sidecar].map(|of| self.lines(of).load(Ordering::Relaxed));
        let found = self.found().len();
        format!("{own} lines; the sidecar {sidecar}; {found} with a token, a secret or a name")
    }

    /// What is wrong with the logs.
    pub(crate) fn problem(&self) -> Option<String> {
        let is_silent = |of| self.lines(of).load(Ordering::Relaxed) == 0;
        match self.found().first() {
            Some(line) => Some(format!("in a log: {line}")),
            None if is_silent(Of::ThisProcess) || is_silent(Of::Sidecar) => {
                Some("a log is empty".to_owned())
            }
            None => None,
        }
    }

    fn lines(&self, of: Of) -> &AtomicU64 {
        let [own, sidecar] = &self.lines;
        match of {
            Of::ThisProcess => own,
            Of::Sidecar => sidecar,
        }
    }

    fn found(&self) -> MutexGuard<'_, Vec<String>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is something like a JWT: the beginning of a JSON object in base64url, and more of it.
fn has_token(line: &str) -> bool {
    line.match_indices("eyJ").any(|(at, _)| {
        let characters = line[at..].bytes();
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        characters.take_while(is_base64).count() >= 16
    })
}

/// Everything that the crate logs in this process is read from now on.
///
/// # Errors
///
/// Fails if a token, a secret or a name in a line is not found, or another subscriber is set.
pub(crate) fn watch(log: &Arc<Log>) -> Result<(), Failed> {
    let names = log
        .forbidden
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let token = "a token: eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxIn0.c2lnbmF0dXJl".to_owned();
    for line in names.into_iter().chain([token]) {
        if !log.is_forbidden(&format!("before {line} after")) {
            return Err("the search of the logs finds nothing".into());
        }
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn,tower_entra=trace"))
        .with_ansi(false)
        .with_writer(Lines(Arc::clone(log)))
        .try_init()?;
    Ok(())
}

/// Writes nothing, and reads what it is given: one event at a time.
struct Lines(Arc<Log>);

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Line<'w>;

    fn make_writer(&'w self) -> Self::Writer {
        Line(&self.0)
    }
}

struct Line<'w>(&'w Log);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .read(Of::ThisProcess, &String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
