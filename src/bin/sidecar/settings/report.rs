//! What is wrong with a configuration, and what is doubtful.

use std::{collections::BTreeSet, fmt};

use super::{
    shown::plain,
    tree::{Origin, Section, fold},
};

/// One line about one key: what was found, what is accepted, what to do. It never has the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding(String);

impl Finding {
    /// About something that is no key, such as a file.
    pub(super) fn of(subject: &str, text: impl fmt::Display) -> Self {
        Self(format!("{}: {text}", plain(subject)))
    }

    /// About this key, with where its value comes from.
    fn about(section: &Section<'_>, text: impl fmt::Display) -> Self {
        Self::from(section, section.origin(), text)
    }

    fn from(section: &Section<'_>, origin: Option<&Origin>, text: impl fmt::Display) -> Self {
        let key = plain(section.path());
        Self(match origin {
            Some(origin) => format!("{key} ({}): {text}", plain(&origin.to_string())),
            None => format!("{key}: {text}"),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that is wrong: as text, a line for each.
#[derive(Debug)]
pub(crate) struct Problems(Vec<Finding>);

impl Problems {
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        Self(findings)
    }
}

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

/// What is found while a configuration is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    problems: Vec<Finding>,
    warnings: Vec<Finding>,
    /// The paths of what is misshapen, in one letter case.
    misshapen: BTreeSet<String>,
}

impl Report {
    /// There is a section or a list in the place of a value, or the reverse. A key has one such line, and no other.
    pub(super) fn misshapen(
        &mut self,
        section: &Section<'_>,
        found: &str,
        accepted: &str,
        advice: &str,
    ) {
        if self.misshapen.insert(fold(section.path())) {
            let text = format!("{found}. Accepted: {accepted}. {advice}");
            let place = section.first_given();
            let origin = place.as_ref().and_then(Section::origin);
            self.problems.push(Finding::from(section, origin, text));
        }
    }

    /// A value is wrong. The advice is one imperative sentence.
    pub(super) fn wrong(
        &mut self,
        section: &Section<'_>,
        found: impl fmt::Display,
        accepted: &str,
        advice: &str,
    ) {
        self.refused(section, format!("{found}. Accepted: {accepted}. {advice}"));
    }

    /// Something is wrong for which no value would be right.
    pub(super) fn refused(&mut self, section: &Section<'_>, text: impl fmt::Display) {
        if !self.misshapen.contains(&fold(section.path())) {
            self.problems.push(Finding::about(section, text));
        }
    }

    pub(super) fn warn(&mut self, section: &Section<'_>, text: impl fmt::Display) {
        self.warnings.push(Finding::about(section, text));
    }

    #[cfg(test)]
    pub(super) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The value and the warnings, unless something is wrong.
    pub(super) fn finish<T>(self, value: Option<T>) -> Result<(T, Vec<Finding>), Problems> {
        match value {
            Some(value) if self.problems.is_empty() => Ok((value, self.warnings)),
            _ => Err(Problems(self.problems)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tree::Tree;

    #[test]
    fn a_key_of_the_wrong_shape_has_one_line_whatever_its_letter_case() {
        let tree = Tree::default();
        let mut report = Report::default();
        for key in ["a:b", "A:B"] {
            report.misshapen(&tree.root().at(key), "is a list", "one value", "Set it.");
        }
        report.wrong(&tree.root().at("a:B"), "is wrong", "another", "Set it.");
        report.wrong(&tree.root().at("a:c"), "is wrong", "another", "Set it.");
        let problems = report.finish(Some(())).expect_err("problems").to_string();
        assert_eq!(
            problems,
            "a:b: is a list. Accepted: one value. Set it.\na:c: is wrong. Accepted: another. Set it."
        );
    }
}
