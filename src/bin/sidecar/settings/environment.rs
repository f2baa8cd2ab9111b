//! The variables of the environment, as .NET's `EnvironmentVariablesConfigurationProvider` reads them.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use super::{
    known,
    report::Finding,
    shown::plain,
    tree::{Origin, SEPARATOR, Tree, fold},
};

/// The variables, sorted by name: the order of an environment is arbitrary.
pub(super) struct Variables(BTreeMap<String, OsString>);

impl Variables {
    /// A variable whose name is not UTF-8 is none of the configuration.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = variables.into_iter();
        Self(
            named
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// The value of this variable, whose name is compared as it is.
    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    /// What the prefixes `ASPNETCORE_` and `DOTNET_` give, which every other source overrides.
    pub(super) fn set_host(&self, tree: &mut Tree, problems: &mut Vec<Finding>) {
        for (prefix, is_dotnet) in [("ASPNETCORE_", false), ("DOTNET_", true)] {
            let origin = |name: &str| Origin::Host {
                name: name.to_owned(),
                is_dotnet,
            };
            let cut = |name: &str| {
                let start = name.get(..prefix.len())?;
                start
                    .eq_ignore_ascii_case(prefix)
                    .then(|| name[prefix.len()..].to_owned())
            };
            self.set(tree, problems, cut, origin, known::is_root);
        }
    }

    /// What all variables give under their own names.
    pub(super) fn set_all(&self, tree: &mut Tree, problems: &mut Vec<Finding>) {
        let origin = |name: &str| Origin::Variable(name.to_owned());
        // Without a prefix the name of the environment is a variable of other programs.
        let is_read =
            |root: &str| known::is_root(root) && !root.eq_ignore_ascii_case("Environment");
        self.set(
            tree,
            problems,
            |name| Some(name.to_owned()),
            origin,
            is_read,
        );
    }

    fn set(
        &self,
        tree: &mut Tree,
        problems: &mut Vec<Finding>,
        name_of: impl Fn(&str) -> Option<String>,
        origin: impl Fn(&str) -> Origin,
        is_read: impl Fn(&str) -> bool,
    ) {
        let mut seen: BTreeMap<String, (&str, &OsStr)> = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(path) = name_of(name) else { continue };
            let path = path.replace("__", ":");
            if !is_of_the_configuration(&path) {
                continue;
            }
            let mut wrong = |text: &str| {
                // A variable of another program can be anything.
                if !is_read(path.split(SEPARATOR).next().unwrap_or_default()) {
                    return;
                }
                let subject = format!("environment {}", plain(name));
                problems.push(Finding::of(&subject, text));
            };
            let Some(text) = value.to_str() else {
                wrong("is not UTF-8. Accepted: UTF-8. Set it again.");
                continue;
            };
            match seen.insert(fold(&path), (name, value)) {
                // .NET takes one of the two, and which one is arbitrary.
                Some((other, earlier)) if earlier != value => wrong(&format!(
                    "is the same key as {}, with another value. Accepted: one value for a key, whose letter case \
                     makes no difference. Remove one of them.",
                    plain(other)
                )),
                _ => tree.set(&path, Some(text.to_owned()), &origin(name)),
            }
        }
    }
}

/// Variables that other programs read, such as `http_proxy`, are none of this one's business.
fn is_of_the_configuration(path: &str) -> bool {
    let root = path.split(SEPARATOR).next().unwrap_or_default();
    path.contains(SEPARATOR)
        || SINGLE.iter().any(|name| name.eq_ignore_ascii_case(root))
        || root.starts_with("DATA_PROTECTION_")
}

/// The keys that are no section.
const SINGLE: [&str; 8] = [
    "AllowedHosts",
    "AZURE_FEDERATED_TOKEN_FILE",
    "Environment",
    "ForwardedHeaders_Enabled",
    "HTTP_PORTS",
    "HTTPS_PORTS",
    "TokenDecryptionCredentialsDescription",
    "Urls",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree of these variables, and the problems.
    fn read(variables: &[(&str, &str)]) -> (Tree, Vec<String>) {
        let owned = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let variables = Variables::of(owned);
        let (mut tree, mut problems) = (Tree::default(), Vec::new());
        variables.set_host(&mut tree, &mut problems);
        variables.set_all(&mut tree, &mut problems);
        (tree, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn two_underscores_are_a_colon_and_the_prefixes_come_first() {
        let (tree, problems) = read(&[
            ("AzureAd__ClientCredentials__0__SourceType", "Path"),
            ("AzureAd:TenantId", "t"),
            ("ASPNETCORE_URLS", "http://a"),
            ("aspnetcore_azuread__clientid", "low"),
            ("DOTNET_ENVIRONMENT", "Staging"),
            ("ASPNETCORE_ENVIRONMENT", "Production"),
            ("DOTNET_HTTP_PORTS", "1"),
            ("HTTP_PORTS", "2"),
            ("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true"),
            ("DATA_PROTECTION_KEYS_PATH", "/keys"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        for (path, value) in [
            ("AzureAd:ClientCredentials:0:SourceType", "Path"),
            ("AzureAd:TenantId", "t"),
            ("Urls", "http://a"),
            ("AzureAd:ClientId", "low"),
            ("Environment", "Staging"),
            ("HTTP_PORTS", "2"),
            ("ForwardedHeaders_Enabled", "true"),
            ("DATA_PROTECTION_KEYS_PATH", "/keys"),
        ] {
            assert_eq!(tree.root().at(path).text(), Some(value), "{path}");
        }
    }

    #[test]
    fn a_variable_that_is_empty_is_none() {
        let variables = [("EMPTY", ""), ("SIDECAR_CONFIG", "a.json")];
        let variables = Variables::of(variables.map(|(name, value)| (name.into(), value.into())));
        assert_eq!(variables.get("EMPTY"), None);
        assert_eq!(variables.get("SIDECAR_CONFIG"), Some("a.json".as_ref()));
        assert_eq!(variables.get("sidecar_config"), None);
    }

    #[test]
    fn a_section_of_one_part_and_another_prefix_are_none_of_the_configuration() {
        let (tree, problems) = read(&[
            ("SIDECAR", "a"),
            ("ASPNETCORE_LOGGING", "a"),
            ("OTHER_CORE_URLS", "http://a"),
            ("OTHER__HTTP_PORTS", "1"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        for path in ["Sidecar", "Logging", "Urls", "HTTP_PORTS"] {
            assert_eq!(tree.root().at(path).raw(), None, "{path}");
        }
    }

    #[test]
    fn one_key_with_two_values_is_a_problem() {
        let (_, problems) = read(&[("AzureAd__TenantId", "a"), ("AZUREAD__TENANTID", "b")]);
        assert_eq!(problems.len(), 1);
        let line = "environment AzureAd__TenantId: is the same key as AZUREAD__TENANTID, ";
        assert!(problems[0].starts_with(line), "{problems:?}");
        let same = [("AzureAd__TenantId", "a"), ("AZUREAD__TENANTID", "a")];
        assert!(read(&same).1.is_empty());
    }

    #[test]
    fn variables_of_other_programs_are_no_problem() {
        for others in [
            [("http_proxy", "a"), ("HTTP_PROXY", "b")],
            [("FOO__BAR", "a"), ("foo__bar", "b")],
            [("Environment", "a"), ("ENVIRONMENT", "b")],
            [
                ("APPLICATIONINSIGHTS__X", "a"),
                ("ApplicationInsights__x", "b"),
            ],
            [("ASPNETCORE_Foo__Bar", "a"), ("ASPNETCORE_FOO__BAR", "b")],
        ] {
            let problems = read(&others).1;
            assert!(problems.is_empty(), "{problems:?}");
        }
        for own in [
            [
                ("ASPNETCORE_Environment", "a"),
                ("ASPNETCORE_ENVIRONMENT", "b"),
            ],
            [("Sidecar__MetricsUrl", "a"), ("SIDECAR__METRICSURL", "b")],
            [("Urls", "a"), ("URLS", "b")],
            [("Logging__LogLevel__X", "a"), ("LOGGING__LOGLEVEL__X", "b")],
        ] {
            assert_eq!(read(&own).1.len(), 1, "{own:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_if_it_is_one_of_the_configuration() {
        use std::os::unix::ffi::OsStringExt;

        let odd = || OsString::from_vec(b"\xff".to_vec());
        let variables = [
            ("AzureAd__TenantId".into(), odd()),
            ("LS_COLORS".into(), odd()),
            ("FOO__BAR".into(), odd()),
            (odd(), "x".into()),
        ];
        let mut problems = Vec::new();
        Variables::of(variables).set_all(&mut Tree::default(), &mut problems);
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            ["environment AzureAd__TenantId: is not UTF-8. Accepted: UTF-8. Set it again."]
        );
    }
}
