//! Why a configuration cannot be used.

/// What is wrong with a configuration, found when it is built.
///
/// The text names the setting and the value. Values are the operator's own, never a caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigError {
    setting: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self {
            setting,
            problem: problem.into(),
        }
    }

    /// The setting that is wrong, such as `tenants` or `audiences`.
    #[must_use]
    pub fn setting(&self) -> &str {
        self.setting
    }

    /// What is wrong with it, with the value: `"contoso" is not a tenant GUID`.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }
}

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
}
