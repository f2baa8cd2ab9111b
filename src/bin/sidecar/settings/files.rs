//! The files of a configuration: the only place where a configuration is read from a disk.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

use super::{report::Finding, shown::plain};

/// A file's name, as it is shown, and its text.
pub(super) type Text = (String, String);

/// The file of this path, or `appsettings.json` if none is named and it is there; then
/// `appsettings.{environment}.json` beside it, if it is there.
pub(super) fn read(
    named: Option<&Path>,
    environment: &str,
    problems: &mut Vec<Finding>,
) -> Vec<Text> {
    let first = named.unwrap_or_else(|| Path::new("appsettings.json"));
    let beside = first.with_file_name(format!("appsettings.{environment}.json"));
    let mut texts = Vec::new();
    for (path, must_exist) in [(first.to_owned(), named.is_some()), (beside, false)] {
        if let Some(text) = text(&path, must_exist, problems) {
            texts.push(text);
        }
    }
    texts
}

fn text(path: &Path, must_exist: bool, problems: &mut Vec<Finding>) -> Option<Text> {
    let name = path.to_string_lossy().into_owned();
    let mut wrong = |found: String, advice: &str| {
        let text = format!("{found}. Accepted: {ACCEPTED}. {advice}");
        problems.push(Finding::of(&format!("file {}", plain(&name)), text));
    };
    let bytes = match bytes(path, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(Unreadable::Missing) if !must_exist => return None,
        Err(why) => {
            wrong(why.found(), why.advice());
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some((name, text)),
        Err(_) => {
            wrong("is not UTF-8".to_owned(), "Save it as UTF-8.");
            None
        }
    }
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Missing,
    /// A directory, a pipe or a device, which could keep the program waiting.
    NotAFile,
    TooLarge(usize),
    Refused(io::ErrorKind),
}

impl Unreadable {
    pub(super) fn found(self) -> String {
        match self {
            Self::Missing => "does not exist".to_owned(),
            Self::NotAFile => "is not a regular file".to_owned(),
            Self::TooLarge(max) => format!("has more than {max} bytes"),
            Self::Refused(kind) => format!("cannot be read: {kind}"),
        }
    }

    /// One sentence.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Missing => "Check the path, and that the volume is mounted.",
            Self::NotAFile | Self::TooLarge(_) => "Name another file.",
            Self::Refused(_) => "Let the user of this process read it.",
        }
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // Part of the path is a file.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            kind => Self::Refused(kind),
        }
    }
}

/// The bytes of a regular file, if there are at most `max`.
pub(super) fn bytes(path: &Path, max: usize) -> Result<Vec<u8>, Unreadable> {
    if !fs::metadata(path)?.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > max {
        return Err(Unreadable::TooLarge(max));
    }
    Ok(bytes)
}

const MAX_FILE: usize = 1024 * 1024;

const ACCEPTED: &str = "a file of UTF-8 text, at most 1 MiB";

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("tower-entra-settings-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }

        fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, bytes).expect("a file");
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn read_named(path: &Path) -> (Vec<Text>, Vec<String>) {
        let mut problems = Vec::new();
        let texts = read(Some(path), "Staging", &mut problems);
        (texts, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_file_of_the_environment_is_read_after_the_one_that_is_named() {
        let folder = Folder::new("beside");
        let named = folder.write("my.json", b"1");
        assert_eq!(read_named(&named).0.len(), 1);
        folder.write("appsettings.Staging.json", b"2");
        folder.write("appsettings.Production.json", b"3");
        let (texts, problems) = read_named(&named);
        assert!(problems.is_empty());
        let texts: Vec<_> = texts.iter().map(|(_, text)| &**text).collect();
        assert_eq!(texts, ["1", "2"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_problem() {
        let folder = Folder::new("unreadable");
        for (path, found) in [
            (folder.0.join("none.json"), "does not exist"),
            (folder.0.clone(), "is not a regular file"),
            (folder.write("latin.json", b"{\"\xe9\": 1}"), "is not UTF-8"),
            (folder.write("wide.json", b"\xff\xfe{\0}\0"), "is not UTF-8"),
            (
                folder.write("large.json", &vec![b' '; MAX_FILE + 1]),
                "has more than 1048576 bytes",
            ),
        ] {
            let (texts, problems) = read_named(&path);
            assert!(texts.is_empty());
            let line = format!("file {}: {found}. Accepted: ", path.display());
            assert!(problems[0].starts_with(&line), "{problems:?}");
        }
        assert_eq!(
            read_named(&folder.write("small.json", &vec![b' '; MAX_FILE]))
                .1
                .len(),
            0
        );
    }
}
