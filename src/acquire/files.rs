//! Files that are read without blocking the runtime, within a limit of bytes and of time.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use zeroize::Zeroizing;

use crate::{acquire::no_proof::NoProof, shown::Shown};

/// One read at a time, on a thread for blocking work. Cheap to clone.
///
/// A file system that hangs, as that of a network can, takes one thread and not one for each read.
#[derive(Clone, Debug)]
pub(super) struct Reads {
    place: Arc<Semaphore>,
    limit: Duration,
}

impl Reads {
    pub(super) fn new() -> Self {
        Self::within(LIMIT)
    }

    fn within(limit: Duration) -> Self {
        let place = Arc::new(Semaphore::new(1));
        Self { place, limit }
    }

    /// What `read` returns. None after [`LIMIT`], the wait for an earlier read included, or if it panics.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let reads = Arc::clone(&self.place);
        let done = async {
            let place = reads.acquire_owned().await.ok()?;
            let read = move || {
                let result = read();
                drop(place);
                result
            };
            spawn_blocking(read).await.ok()
        };
        timeout(self.limit, done).await.ok()?
    }
}

/// What tells whether a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Missing,
    /// A directory, a pipe or a device. None of them is opened: that can block, or has no end.
    NotAFile,
    TooLarge,
    /// The operating system refuses it.
    Refused(ErrorKind),
    /// There was no answer within [`LIMIT`].
    Slow,
}

impl Unreadable {
    pub(super) fn no_proof(self, path: &Path) -> NoProof {
        let (problem, hint, is_transient) = match self {
            Self::Missing => ("does not exist".to_owned(), MISSING, true),
            Self::NotAFile => ("is not a regular file".to_owned(), MISSING, false),
            Self::TooLarge => ("is too large".to_owned(), "Name another file.", false),
            Self::Refused(kind) => (format!("cannot be read: {kind}"), REFUSED, false),
            Self::Slow => (
                format!("was not read within {} s", LIMIT.as_secs()),
                SLOW,
                true,
            ),
        };
        NoProof {
            problem: format!("the file {} {problem}", shown_path(path)),
            hint,
            is_transient,
        }
    }
}

/// A path as an error shows it.
pub(super) fn shown_path(path: &Path) -> Shown {
    Shown::within(MAX_SHOWN_PATH, &path.to_string_lossy())
}

const MISSING: &str = "Check the path, and that the volume is mounted.";
const REFUSED: &str = "Let the user of this process read it.";
const SLOW: &str = "Look at the file system that it is on.";

/// What tells this file, as it is now, from a later one.
pub(super) fn stamp(path: &Path) -> Result<Stamp, Unreadable> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile);
    }
    Ok(Stamp {
        modified: metadata.modified().ok(),
        len: metadata.len(),
    })
}

/// The bytes of a regular file, if there are at most `max`.
pub(super) fn read(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    stamp(path)?;
    let file = File::open(path)?;
    // As large as it can become, so that no copy is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(max.saturating_add(1)));
    let limit = u64::try_from(bytes.capacity()).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(Unreadable::TooLarge);
    }
    Ok(bytes)
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            kind => Self::Refused(kind),
        }
    }
}

/// How long a read may take.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

const MAX_SHOWN_PATH: usize = 200;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_takes_one_thread_and_ends_in_time() {
        // A paused clock does not advance while a thread for blocking work is busy.
        let limit = Duration::from_millis(50);
        let reads = Reads::within(limit);
        let (release, hangs) = mpsc::channel::<()>();
        let hanging = {
            let reads = reads.clone();
            tokio::spawn(async move { reads.run(move || hangs.recv().is_ok()).await })
        };
        while reads.place.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let began = std::time::Instant::now();
        assert_eq!(reads.run(|| 1).await, None);
        assert!(began.elapsed() >= limit);
        assert_eq!(hanging.await.unwrap(), None);
        release.send(()).unwrap();
        assert_eq!(reads.run(|| 2).await, Some(2));
    }

    #[test]
    fn a_read_has_5_s_and_as_many_bytes_as_it_is_given() {
        assert_eq!(Reads::new().limit, Duration::from_secs(5));
        let path = std::env::temp_dir().join(format!("tower-entra-read-{}", std::process::id()));
        for (length, fits) in [(0, true), (8, true), (9, false), (100, false)] {
            fs::write(&path, vec![7; length]).unwrap();
            match read(&path, 8) {
                Ok(bytes) => assert!(fits && *bytes == vec![7; length], "{length}"),
                Err(error) => assert!(
                    !fits && error == Unreadable::TooLarge,
                    "{length}: {error:?}"
                ),
            }
        }
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_path_is_shown_up_to_200_characters() {
        let path = "/var/run".repeat(1_000);
        let shown = |length| shown_path(Path::new(&path[..length])).as_str().to_owned();
        assert_eq!(shown(200), path[..200]);
        assert_ne!(shown(201), path[..201]);
        assert_eq!(shown(201), shown(path.len()));
        assert!(path.starts_with(shown(201).trim_end_matches('.')));
    }

    #[tokio::test]
    async fn a_read_that_panics_holds_up_no_other() {
        let reads = Reads::new();
        assert_eq!(reads.run(|| panic!("a bug")).await, None::<()>);
        assert_eq!(reads.run(|| 2).await, Some(2));
    }
}
