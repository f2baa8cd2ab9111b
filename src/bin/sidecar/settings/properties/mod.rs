//! The configuration: files, variables, arguments, and what is typed of them.

mod managed_identity;

mod plain_json;

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
};

pub(crate) use self::managed_identity::managed_identity;
use self::plain_json::{Json, parsed};
use super::{
    command::Arguments,
    environment::Variables,
    json,
    report::Finding,
    tree as tree_of,
    tree::{MAX_PARTS, Origin, Tree, fold},
    types::Settings,
    typing,
};

/// The settings of these keys.
pub(crate) fn settings(keys: &[(&str, &str)]) -> Settings {
    let mut tree = Tree::default();
    for (path, value) in keys {
        tree.set(path, Some((*value).to_owned()), &Origin::Argument);
    }
    typing::settings(&tree.root(), "Production")
        .expect("settings")
        .0
}

/// A file, variables and arguments, each behind a line of three hyphens: a variable is a line `NAME=value`, an
/// argument a line.
pub(crate) fn configuration(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let mut parts = text.splitn(3, "\n---\n");
    let file = parts.next().unwrap_or_default();
    let lines = |part: Option<&'_ str>| {
        let part = part.filter(|part| !part.is_empty());
        part.map(|part| part.split('\n').map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let (variables, arguments) = (lines(parts.next()), lines(parts.next()));
    let variables: BTreeMap<String, String> = variables
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();

    let values = values_of_file(file);
    let owned = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let read_variables = Variables::of(owned);
    let given: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let read_arguments = Arguments::parse(&given);
    let mut problems = Vec::new();
    let name = "a.json".to_owned();
    let tree = tree_of(
        &[(name, file.to_owned())],
        &read_variables,
        &read_arguments,
        &mut problems,
    );
    assert_eq!(read_arguments.values, pairs(&arguments));
    let sources = Sources {
        file: values.clone().unwrap_or_default(),
        variables: &variables,
        arguments: &read_arguments.values,
    };
    sources.are_in(&tree);
    let typed = typing::settings(&tree.root(), "Production");
    let mut texts: Vec<String> = problems.iter().map(Finding::to_string).collect();
    match &typed {
        Ok((settings, warnings)) => {
            texts.extend(warnings.iter().map(Finding::to_string));
            texts.push(format!("{settings:?}").escape_default().to_string());
            if problems.is_empty() {
                is_as_configured(settings, &tree);
            }
        }
        Err(problems) => texts.extend(problems.to_string().split('\n').map(str::to_owned)),
    }
    for shown in &texts {
        assert!(
            shown.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{shown:?}"
        );
        assert!(
            !sources.has_a_secret_alone() || !shown.contains(SECRET),
            "{shown}"
        );
    }
}

/// Read as the second reading does, or refused.
fn values_of_file(text: &str) -> Option<Vec<(String, Option<String>)>> {
    let expected = parsed(text).and_then(|json| {
        let mut flat = Flat::default();
        flat.value("", &json, 0).then_some(flat.values)
    });
    let read = json::values(text);
    match (&read, &expected) {
        (Ok(read), Some(expected)) => assert_eq!(read, expected, "{text}"),
        (Err(problem), None) => {
            assert!(problem.len() < 400, "{problem}");
            let hides = !problem.contains(SECRET) || is_of_a_key(text);
            assert!(hides, "{problem}");
        }
        _ => panic!("{text}: {read:?} and not {expected:?}"),
    }
    expected
}

/// A problem names the key that appears twice.
fn is_of_a_key(text: &str) -> bool {
    text.match_indices(SECRET).any(|(at, _)| {
        let behind = text[at + SECRET.len()..]
            .split('"')
            .nth(1)
            .unwrap_or_default();
        behind.trim_start().starts_with([':', '/'])
    })
}

/// The values by their paths.
#[derive(Default)]
struct Flat {
    values: Vec<(String, Option<String>)>,
    seen: BTreeSet<String>,
}

impl Flat {
    /// Whether .NET takes it.
    fn value(&mut self, path: &str, json: &Json, depth: usize) -> bool {
        let join = |name: &str| match path.is_empty() {
            true => name.to_owned(),
            false => format!("{path}:{name}"),
        };
        if depth >= 64 || path.len() > 1_024 || self.values.len() >= 10_000 {
            return false;
        }
        let text = match json {
            Json::Object(members) if members.is_empty() => {
                if !path.is_empty() {
                    self.seen.insert(upper(path));
                    self.values.push((path.to_owned(), None));
                }
                return true;
            }
            Json::Object(members) => {
                return members
                    .iter()
                    .all(|(name, value)| self.value(&join(name), value, depth + 1));
            }
            _ if depth == 0 => return false,
            Json::List(items) if items.is_empty() => {
                let name = path.rsplit(':').next().unwrap_or_default();
                let is_element = name.chars().all(|c| c.is_ascii_digit());
                (!is_element).then(String::new)
            }
            Json::List(items) => {
                let mut items = items.iter().enumerate();
                return items.all(|(at, item)| self.value(&join(&at.to_string()), item, depth + 1));
            }
            Json::Text(text) | Json::Number(text) => Some(text.clone()),
            Json::Bool(true) => Some("True".to_owned()),
            Json::Bool(false) => Some("False".to_owned()),
            Json::Null => None,
        };
        self.values.push((path.to_owned(), text));
        self.seen.insert(upper(path))
    }
}

fn upper(path: &str) -> String {
    match path.is_ascii() {
        true => path.to_ascii_uppercase(),
        false => fold(path),
    }
}

/// Keys and values of a command line, in the forms of .NET. What has another form is a problem.
fn pairs(arguments: &[String]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (key, value) = match argument.find('=') {
            Some(at) => (&argument[..at], Some(&argument[at + 1..])),
            None => (argument.as_str(), None),
        };
        let name = match key.as_bytes() {
            [b'-', b'-', ..] => Some(&key[2..]),
            [b'/', ..] => Some(&key[1..]),
            _ => None,
        };
        match (name, value) {
            (Some("check" | "help" | "version" | ""), _) => {}
            (Some("config"), Some(_)) => {}
            (Some("config"), None) => drop(rest.next()),
            (Some(name), Some(value)) => pairs.push((name.to_owned(), value.to_owned())),
            (Some(name), None) => {
                pairs.extend(rest.next().map(|value| (name.to_owned(), value.clone())));
            }
            (None, Some(value)) if !key.is_empty() && !key.starts_with('-') => {
                pairs.push((key.to_owned(), value.to_owned()));
            }
            (None, _) => {}
        }
    }
    pairs
}

struct Sources<'s> {
    file: Vec<(String, Option<String>)>,
    variables: &'s BTreeMap<String, String>,
    arguments: &'s [(String, String)],
}

impl Sources<'_> {
    /// The last source that has a key wins, whatever the letter case.
    fn are_in(&self, tree: &Tree) {
        let mut expected: BTreeMap<String, Option<&str>> = BTreeMap::new();
        for (path, value) in &self.file {
            expected.insert(path.to_ascii_uppercase(), value.as_deref());
        }
        // Two variables that are one key are a problem, and either may be taken.
        let mut ambiguous = BTreeSet::new();
        let mut of_variables = BTreeSet::new();
        for (name, value) in self.variables {
            let path = name.replace("__", ":").to_ascii_uppercase();
            if path.contains(':') {
                if !of_variables.insert(path.clone()) {
                    ambiguous.insert(path.clone());
                }
                expected.insert(path, Some(value));
            } else {
                ambiguous.insert(path);
            }
        }
        for name in self.variables.keys() {
            for prefix in ["ASPNETCORE_", "DOTNET_"] {
                let path = name.to_ascii_uppercase();
                if let Some(rest) = path.strip_prefix(prefix) {
                    ambiguous.insert(rest.replace("__", ":"));
                }
            }
        }
        for (path, value) in self.arguments {
            let path = path.to_ascii_uppercase();
            ambiguous.remove(&path);
            expected.insert(path, Some(value));
        }
        for (path, value) in expected {
            let is_deep = path.split(':').count() > MAX_PARTS;
            if path.is_ascii() && !is_deep && !ambiguous.contains(&path) {
                assert_eq!(
                    tree.root().at(&path.to_ascii_lowercase()).raw(),
                    value,
                    "{path}"
                );
            }
        }
    }

    /// Whether the marked secret is in the value of a key for secrets, and nowhere else.
    fn has_a_secret_alone(&self) -> bool {
        let is_secret = |path: &str| {
            let path = path.replace("__", ":").to_ascii_uppercase();
            let parts: Vec<&str> = path.split(':').collect();
            match parts.as_slice() {
                ["AZUREAD", "CLIENTSECRET"] => true,
                [
                    "AZUREAD",
                    "CLIENTCREDENTIALS",
                    number,
                    "CLIENTSECRET" | "BASE64ENCODEDVALUE",
                ] => !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
                _ => false,
            }
        };
        let file = self.file.iter();
        let file = file.map(|(path, value)| (&**path, value.as_deref().unwrap_or_default()));
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (&**name, &**value));
        let arguments = self
            .arguments
            .iter()
            .map(|(path, value)| (&**path, &**value));
        let mut others = file.chain(variables).chain(arguments);
        others.all(|(path, value)| {
            !path.contains(SECRET) && (is_secret(path) || !value.contains(SECRET))
        })
    }
}

/// The settings that decide who acts and where calls go are those of the tree.
fn is_as_configured(settings: &Settings, tree: &Tree) {
    let root = tree.root();
    let is = |path: &str, id: &str| {
        let section = root.at(path);
        let text = section.text();
        text.is_none_or(|text| text.eq_ignore_ascii_case(id))
    };
    let azure_ad = &settings.azure_ad;
    assert!(is("AzureAd:TenantId", azure_ad.tenant.as_str()));
    assert!(is("AzureAd:ClientId", azure_ad.client_id.as_str()));
    assert!(!settings.listen.is_empty());
    for (name, api) in &settings.apis {
        let Some(url) = &api.base_url else { continue };
        let host = url.strip_prefix("http://").map(|rest| {
            let end = rest.find(['/', ':']).filter(|_| !rest.starts_with('['));
            let end = end.or_else(|| Some(rest.find(']')? + 1));
            rest[..end.unwrap_or(rest.len())].to_ascii_lowercase()
        });
        let is_here = |host: &str| {
            host == "localhost"
                || host.starts_with('[')
                || host.starts_with(|c: char| c.is_ascii_digit())
        };
        let is_sound = url.to_ascii_lowercase().starts_with("https://")
            || settings.allow_plain_http
            || host.as_deref().is_none_or(is_here);
        assert!(
            is_sound && !url.contains(['?', '#', '@', '\\']),
            "{name}: {url}"
        );
    }
    for flag in [
        ("Sidecar:IgnoreDeniedAgents", settings.ignore_denied_agents),
        (
            "Sidecar:LenientAgentParameters",
            settings.lenient_agent_parameters,
        ),
        ("Sidecar:AllowPlainHttp", settings.allow_plain_http),
        ("Sidecar:AllowOutboundRedirects", settings.follow_redirects),
    ] {
        let (path, is_on) = flag;
        let section = root.at(path);
        let is_true = section
            .text()
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        assert_eq!(is_on, is_true, "{path}");
    }
}

/// A mark in a value.
const SECRET: &str = "hunter2";
