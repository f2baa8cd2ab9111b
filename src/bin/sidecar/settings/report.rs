//! What is wrong with a configuration, and what is doubtful.

use std::fmt;

/// One line about one key: what was found, what is accepted, what to do. It never has the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding(String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is wrong: as text, a line for each.
#[derive(Debug)]
pub(crate) struct Problems(pub(super) Vec<Finding>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, finding) in self.0.iter().enumerate() {
            let end_of_line = if at == 0 { "" } else { "\n" };
            write!(f, "{end_of_line}{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
