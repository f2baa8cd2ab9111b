//! A certificate in a file, which is read again when the file changes.

use std::{
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::acquire::{
    certificate::{Certificate, MAX_PEM, Unusable},
    files::{Reads, Stamp, Unreadable, read, shown_path, stamp},
    no_proof::NoProof,
};

pub(super) struct CertificateFile {
    shared: Arc<Shared>,
    reads: Reads,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last certificate that was good.
    loaded: Option<Arc<Certificate>>,
    /// The file that was read last, good or bad.
    seen: Option<Stamp>,
    /// Whether to read a file that has not changed.
    is_doubted: bool,
}

/// A certificate. If it is that of an earlier file, what is wrong with the one that is there now, once.
type Found = Result<(Arc<Certificate>, Option<NoProof>), NoProof>;

impl CertificateFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            shared: Arc::new(Shared {
                path,
                state: Mutex::default(),
            }),
            reads: Reads::new(),
        }
    }

    /// The certificate that is in the file now. If that cannot be read, the one that was there before, with
    /// a warning.
    pub(super) async fn certificate(&self) -> Result<Arc<Certificate>, NoProof> {
        let shared = Arc::clone(&self.shared);
        let found = self.reads.run(move || shared.look()).await;
        let slow = || {
            self.shared
                .earlier(self.shared.unreadable(Unreadable::Slow))
        };
        let (certificate, problem) = found.unwrap_or_else(slow)?;
        if let Some(NoProof { problem, hint, .. }) = problem {
            tracing::warn!(target: TARGET, hint, "{problem}; the earlier certificate stays in use");
        }
        Ok(certificate)
    }

    /// Has the file read for the next assertion, even if it has not changed.
    pub(super) fn read_again(&self) {
        self.shared.state().is_doubted = true;
    }
}

/// Blocking, but for `state` and `earlier`.
impl Shared {
    /// Looks at the date and the length of the file, and reads it if they have changed.
    fn look(&self) -> Found {
        let (is_loaded, seen) = {
            let mut state = self.state();
            let is_doubted = std::mem::take(&mut state.is_doubted);
            let seen = state.seen.filter(|_| !is_doubted);
            (state.loaded.clone(), seen)
        };
        // Before the file is read: if it changes between the two, the next look finds that.
        let now = match stamp(&self.path) {
            Ok(now) => now,
            Err(why) => return self.earlier(self.unreadable(why)),
        };
        if let Some(certificate) = is_loaded
            && seen == Some(now)
        {
            return Ok((certificate, None));
        }
        let text = match read(&self.path, MAX_PEM) {
            Ok(text) => text,
            Err(why) => return self.earlier(self.unreadable(why)),
        };
        let loaded = Certificate::from_pem(&text);
        let mut state = self.state();
        state.seen = Some(now);
        match loaded {
            Ok(certificate) => {
                let certificate = Arc::new(certificate);
                state.loaded = Some(Arc::clone(&certificate));
                Ok((certificate, None))
            }
            Err(problem) => {
                drop(state);
                self.earlier(self.unusable(problem))
            }
        }
    }

    fn earlier(&self, problem: NoProof) -> Found {
        match &self.state().loaded {
            Some(certificate) => Ok((Arc::clone(certificate), Some(problem))),
            None => Err(problem),
        }
    }

    fn unreadable(&self, why: Unreadable) -> NoProof {
        why.no_proof(&self.path)
    }

    fn unusable(&self, unusable: Unusable) -> NoProof {
        let Unusable {
            problem,
            hint,
            is_incomplete,
        } = unusable;
        NoProof {
            problem: format!("the file {}: {problem}", shown_path(&self.path)),
            hint,
            is_transient: is_incomplete,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CertificateFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateFile")
            .field(&self.shared.path)
            .finish()
    }
}

const TARGET: &str = "tower_entra::acquire";
