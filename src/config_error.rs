//! Why a configuration cannot be used.

use std::{borrow::Cow, error::Error as StdError, fmt};

/// What is wrong with a configuration, found when it is built.
///
/// The text names the setting and the value. Values are the operator's own, never a caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    setting: Cow<'static, str>,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(setting: impl Into<Cow<'static, str>>, problem: impl Into<String>) -> Self {
        Self {
            setting: setting.into(),
            problem: problem.into(),
        }
    }

    /// The setting that is wrong, such as `tenants` or `audiences`. In a configuration it is the name as
    /// its user wrote it, such as `AZURE_TENANT_ID`.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// What is wrong with it, with the value: `"contoso" is not a tenant GUID`.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

/// Refuses the value of a setting that is below the least or above the most.
pub(crate) fn check_range<T: PartialOrd + fmt::Debug>(
    setting: &'static str,
    value: &T,
    least: &T,
    most: &T,
) -> Result<(), ConfigError> {
    if value < least || value > most {
        let problem = format!("{value:?} is not between {least:?} and {most:?}");
        return Err(ConfigError::new(setting, problem));
    }
    Ok(())
}

/// All that is wrong with a configuration: one line for each problem, also as `Debug`, by which a `main`
/// shows an error that it returns.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn new(problems: Vec<ConfigError>) -> Self {
        Self(problems)
    }

    /// The problems, of which there is at least one.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(problem: ConfigError) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let end_of_line = if at == 0 { "" } else { "\n" };
            write!(f, "{end_of_line}{problem}")?;
        }
        Ok(())
    }
}

impl StdError for ConfigErrors {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_error_is_one_line_with_setting_and_value() {
        let error = ConfigError::new("tenants", "\"contoso\" is not a tenant GUID");
        assert_eq!(
            error.to_string(),
            "tenants: \"contoso\" is not a tenant GUID"
        );
    }

    #[test]
    fn several_config_errors_are_one_line_each() {
        let one = ConfigError::new("tenants", "the list is empty");
        let two = ConfigError::new("audiences".to_owned(), "the list is empty");
        assert_eq!(
            ConfigErrors::new(vec![one.clone(), two]).to_string(),
            "tenants: the list is empty\naudiences: the list is empty"
        );
        assert_eq!(ConfigErrors::from(one).iter().len(), 1);
    }
}
