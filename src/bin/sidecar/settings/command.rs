//! What the program is asked to do.

use std::ffi::OsString;

/// What the program is asked to do. `Help` and `Version` need no configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Serve,
    /// `--check`: read the configuration, try it, and end.
    Check,
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

impl Command {
    /// Of these arguments, of which the first is not the program.
    pub(crate) fn of(arguments: &[OsString]) -> Self {
        let has = |name: &str| arguments.iter().any(|argument| argument == name);
        if has("--help") {
            Self::Help
        } else if has("--version") {
            Self::Version
        } else if has("--check") {
            Self::Check
        } else {
            Self::Serve
        }
    }
}

/// The answer to `--help`.
pub(crate) const HELP: &str = "";
