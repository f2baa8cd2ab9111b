//! A configuration in variables of the environment, and in the files that they name.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Read,
    path::Path,
};

use super::given::{Given, MAX_BYTES, Meaning, Name, Setting, Value, meaning};
use crate::{config_error::ConfigError, shown::Shown};

/// The variables of a configuration.
#[derive(Debug, Default)]
pub(super) struct Variables(Vec<Variable>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Variable {
    name: String,
    value: OsString,
}

impl Variables {
    /// Notes a variable if it is one of the configuration. Of a name that is not Unicode it is not.
    pub(super) fn note(&mut self, name: &OsStr, value: &OsStr) {
        let is_read = |name: &str| place(name).is_some_and(|p| p.meaning != Meaning::NotRead);
        if let Some(name) = name.to_str().filter(|name| is_read(name)) {
            self.0.push(Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    /// The values of all settings, and what is wrong with those that have none.
    pub(super) fn take(mut self) -> (Vec<Given>, Vec<ConfigError>) {
        // The order of an environment is arbitrary; that of the problems is not.
        self.0.sort_unstable();
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for Variable { name, value } in self.0 {
            let Some(place) = place(&name) else { continue };
            let name = Name::of(&name);
            let (setting, index) = match place.meaning {
                Meaning::NotRead => continue,
                Meaning::Refused(problem) => {
                    problems.push(name.problem(problem));
                    continue;
                }
                Meaning::Setting(setting) => (setting, place.index),
            };
            let is_from_file = place.is_file && !value.is_empty();
            let value = if is_from_file {
                text_of_file(Path::new(&value))
            } else {
                text_of(&value)
            };
            let value = value.unwrap_or_else(|problem| {
                problems.push(name.problem(problem));
                Value::Bad
            });
            all.push(Given {
                setting,
                name,
                index,
                value,
                is_from_file,
            });
        }
        (all, problems)
    }
}

/// What the name of a variable says.
struct Place {
    meaning: Meaning,
    index: Option<usize>,
    is_file: bool,
}

/// What the name of a variable says, if it is one of a configuration.
fn place(name: &str) -> Option<Place> {
    let name = name.to_ascii_lowercase();
    let (name, is_file) = match name.strip_suffix("_file") {
        Some(name) => (name, true),
        None => (name.as_str(), false),
    };
    let (meaning, index) = match name {
        "azure_tenant_id" => (Meaning::Setting(Setting::TenantId), None),
        "azure_client_id" => (Meaning::Setting(Setting::ClientId), None),
        "azure_authority_host" => (Meaning::Setting(Setting::Instance), None),
        _ => {
            // .NET reads `__` as `:`.
            let path = name.replace("__", ":");
            meaning_of(path.strip_prefix("azuread:")?)
        }
    };
    Some(Place {
        meaning,
        index,
        is_file,
    })
}

/// What `TenantId` or `Audiences:0` means.
fn meaning_of(path: &str) -> (Meaning, Option<usize>) {
    let (first, rest) = match path.split_once(':') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    match (meaning(first), rest) {
        (Meaning::Setting(setting), Some(rest)) => match rest.parse() {
            Ok(index) if setting.is_list() => (Meaning::Setting(setting), Some(index)),
            _ => (Meaning::Refused(NO_PART), None),
        },
        (meaning, _) => (meaning, None),
    }
}

fn text_of(value: &OsStr) -> Result<Value, String> {
    let text = value.to_str().ok_or("is not UTF-8")?;
    Value::text(text)
}

/// The contents of a file. Only of a regular one: a pipe could keep the program waiting.
fn text_of_file(path: &Path) -> Result<Value, String> {
    let shown = Shown::of(&path.to_string_lossy());
    let cannot_be_read = |error| format!("{shown} cannot be read: {error}");
    if !fs::metadata(path).map_err(cannot_be_read)?.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    let mut contents = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut contents))
        .map_err(cannot_be_read)?;
    if contents.len() > MAX_BYTES {
        return Err(format!("{shown} has more than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(contents).map_err(|_| format!("{shown} is not UTF-8"))?;
    if text.trim().is_empty() {
        return Err(format!("{shown} is empty"));
    }
    Value::text(&text)
}

const NO_PART: &str = "is not a setting; a list has a number, as in AzureAd__Audiences__0";
