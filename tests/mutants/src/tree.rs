//! The copy of the crate in which the mutants are.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Failure;

pub struct Tree {
    /// The crate as it is.
    pub original: PathBuf,
    /// The copy.
    pub root: PathBuf,
    /// Where the builds, lists and results are.
    pub folder: PathBuf,
}

impl Tree {
    pub fn new() -> Result<Self, Failure> {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let original = original.canonicalize()?;
        let folder = original.join("target/mutants");
        let root = folder.join("tree");
        fs::create_dir_all(&root)?;
        Ok(Self {
            original,
            root,
            folder,
        })
    }

    /// The files of the crate that git knows or could know.
    pub fn files(&self) -> Result<Vec<String>, Failure> {
        let mut git = Command::new("git");
        git.args(["ls-files", "-co", "--exclude-standard"]);
        let output = git.current_dir(&self.original).output()?;
        let text = String::from_utf8(output.stdout)?;
        let files = text.lines().filter(|file| {
            !file.starts_with("tests/mutants/") && self.original.join(file).is_file()
        });
        Ok(files.map(str::to_owned).collect())
    }

    pub fn read(&self, file: &str) -> Result<Vec<u8>, Failure> {
        Ok(fs::read(self.original.join(file))?)
    }

    /// Writes a file of the copy, unless it is there already: cargo looks at times.
    pub fn write(&self, file: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.root.join(file);
        if fs::read(&path).is_ok_and(|there| there == content) {
            return Ok(());
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, content)?)
    }

    /// Removes the files of the copy that are not among these.
    pub fn keep_only(&self, files: &BTreeSet<String>) -> Result<(), Failure> {
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let file = path.strip_prefix(&self.root)?.to_string_lossy();
                if !files.contains(&*file) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }

    /// A file beside the copy; empty if it is not there.
    pub fn list(&self, name: &str) -> Result<String, Failure> {
        match fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }
}
