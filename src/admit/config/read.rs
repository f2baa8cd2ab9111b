//! Makes a configuration of the settings that are given, or finds all that is wrong with them.

use super::given::{Given, MAX_VALUES, Name, Setting, Source, Value};
use crate::{
    admit::{
        audiences::{Audiences, is_audience},
        requirement::{ASKED_FOR, scope_problem},
        tenants::{PERSONAL_ACCOUNTS, Tenants},
    },
    authority::{Authority, PLACEHOLDER},
    config_error::{ConfigError, ConfigErrors},
    ids::{AppId, TenantId},
    shown::{Shown, shown_url},
};

/// The settings of a configuration, all of them good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) tenants: Tenants,
    pub(super) audiences: Audiences,
    pub(super) authority: Authority,
    pub(super) scopes: Vec<String>,
}

impl Settings {
    /// Reads them. `problems` are those that have been found before.
    pub(super) fn read(
        given: &[Given],
        source: Source,
        problems: Vec<ConfigError>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader {
            given,
            source,
            problems,
        };
        let tenants = reader.tenants();
        let audiences = reader.audiences();
        let authority = reader.authority(tenants.as_ref());
        let scopes = reader.scopes();
        reader.authorization_by_acl();
        let problems = reader.problems;
        match (tenants, audiences, authority, scopes) {
            (Some(tenants), Some(audiences), Some(authority), Some(scopes))
                if problems.is_empty() =>
            {
                Ok(Self {
                    tenants,
                    audiences,
                    authority,
                    scopes,
                })
            }
            _ => Err(ConfigErrors::new(problems)),
        }
    }
}

struct Reader<'g> {
    given: &'g [Given],
    source: Source,
    problems: Vec<ConfigError>,
}

/// Each setting. What is wrong with one is added to the problems, and then there is none.
impl<'g> Reader<'g> {
    fn tenants(&mut self) -> Option<Tenants> {
        let items = self.find(Setting::TenantId)?;
        let tenants = match items.as_slice() {
            [] => return self.is_missing(Setting::TenantId),
            [only] => match only.text.to_ascii_lowercase().as_str() {
                "organizations" => return Some(Tenants::any_organization()),
                "common" => return Some(Tenants::any()),
                "consumers" => return Some(Tenants::single(PERSONAL_ACCOUNTS)),
                _ => Tenants::single(only.text),
            },
            items => Tenants::list(items.iter().map(|item| item.text)),
        };
        let problem = match items.len() {
            1 => "is not a tenant GUID, organizations, common or consumers",
            _ => "is not a tenant GUID",
        };
        self.check(&items, |text| {
            text.parse::<TenantId>().is_err().then_some(problem)
        })?;
        Some(tenants)
    }

    fn audiences(&mut self) -> Option<Audiences> {
        let client_id = self.checked(Setting::ClientId, |text| {
            let is_wrong = text.parse::<AppId>().is_err();
            is_wrong.then_some("is not a client id GUID")
        });
        let audience = self.checked(Setting::Audience, |text| {
            let has_comma = text.contains(',');
            let several = "has a comma; several audiences are set by Audiences";
            audience_problem(text).or_else(|| has_comma.then_some(several))
        });
        let audiences = self.checked(Setting::Audiences, |text| {
            audience_problem(text).or_else(|| comma_problem(text))
        });
        let (client_id, audience, audiences) = (client_id?, audience?, audiences?);
        let listed: Vec<&str> = [audience, audiences]
            .iter()
            .flatten()
            .map(|item| item.text)
            .collect();
        match client_id.first() {
            _ if !listed.is_empty() => Some(Audiences::list(listed)),
            Some(client_id) => Some(Audiences::client_id(client_id.text)),
            None => self.is_missing(Setting::ClientId),
        }
    }

    fn authority(&mut self, tenants: Option<&Tenants>) -> Option<Authority> {
        let items = self.find(Setting::Instance)?;
        let Some(item) = items.first() else {
            return Some(Authority::public());
        };
        let needs_one_tenant =
            item.text.contains(PLACEHOLDER) && tenants.is_some_and(|tenants| !tenants.is_one());
        let authority = match Authority::parse(item.text) {
            Ok(_) if needs_one_tenant => Err("names {tid}, which needs a single tenant"),
            authority => authority,
        };
        authority
            .map_err(|problem| self.problems.push(item.problem_with(problem, shown_url)))
            .ok()
    }

    fn scopes(&mut self) -> Option<Vec<String>> {
        let items = self.checked(Setting::Scopes, |text| {
            // Clients may also ask for a scope of the API by its client id.
            let is_asked_for = text
                .split_once('/')
                .is_some_and(|(api, _)| api.parse::<AppId>().is_ok());
            scope_problem(text)
                .or_else(|| is_asked_for.then_some(ASKED_FOR))
                .or_else(|| comma_problem(text))
        })?;
        let mut scopes: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            if !scopes.iter().any(|scope| scope == item.text) {
                scopes.push(item.text.to_owned());
            }
        }
        Some(scopes)
    }

    /// Only code takes a check away.
    fn authorization_by_acl(&mut self) {
        for given in self.given {
            if given.setting != Setting::AuthorizationByAcl {
                continue;
            }
            let problem = match &given.value {
                Value::Bad | Value::Flag(false) => continue,
                Value::Text(text) if text.is_empty() || text.eq_ignore_ascii_case("false") => {
                    continue;
                }
                Value::Text(text) if !text.eq_ignore_ascii_case("true") => "must be true or false",
                Value::Flag(true) | Value::Text(_) => {
                    "takes a check away, which only code does: Validator::with_authorization_by_acl"
                }
            };
            self.problems.push(given.name.problem(problem));
        }
    }
}

impl<'g> Reader<'g> {
    /// The values of a setting, each of which must be one in which `problem` finds nothing.
    fn checked(
        &mut self,
        setting: Setting,
        problem: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<Vec<Item<'g>>> {
        let items = self.find(setting)?;
        self.check(&items, problem)?;
        Some(items)
    }

    fn check(
        &mut self,
        items: &[Item<'_>],
        problem: impl Fn(&str) -> Option<&'static str>,
    ) -> Option<()> {
        let problems = items
            .iter()
            .filter_map(|item| Some(item.problem(problem(item.text)?)));
        let before = self.problems.len();
        self.problems.extend(problems);
        (self.problems.len() == before).then_some(())
    }

    /// The values of a setting. A blank one counts as not set.
    fn find(&mut self, setting: Setting) -> Option<Vec<Item<'g>>> {
        let given = self.given.iter();
        let mut given: Vec<&Given> = given
            .filter(|given| given.setting == setting && !given.value.is_blank())
            .collect();
        if given.iter().any(|given| matches!(given.value, Value::Bad)) {
            return None;
        }
        // A text before the elements of a list, and these in their order.
        given.sort_by_key(|given| given.index);
        let mut neighbours = given.iter().zip(given.iter().skip(1));
        let twice = neighbours.find(|(one, other)| {
            let is_one_place = one.index == other.index || one.index.is_none();
            is_one_place && (one.index, one.canonical()) != (other.index, other.canonical())
        });
        if let Some((one, other)) = twice {
            let problem = format!("sets the same as {}, to another value", one.name.as_str());
            self.problems.push(other.name.problem(problem));
            return None;
        }
        given.dedup_by_key(|given| given.index);
        let items: Vec<Item<'_>> = given.into_iter().flat_map(Item::all_of).collect();
        if let Some(more) = items.get(MAX_VALUES) {
            let problem = format!("has more than {MAX_VALUES} values");
            self.problems.push(more.name.problem(problem));
            return None;
        }
        Some(items)
    }

    fn is_missing<T>(&mut self, setting: Setting) -> Option<T> {
        let blank = self.given.iter().find(|given| given.setting == setting);
        let (name, variable, problem) = match setting {
            Setting::ClientId => (
                "ClientId",
                "AZURE_CLIENT_ID",
                "is not set, and no audience is",
            ),
            _ => ("TenantId", "AZURE_TENANT_ID", "is not set"),
        };
        let problem = match (blank, self.source) {
            (Some(blank), _) => blank.name.problem("is blank"),
            (None, Source::Document) => ConfigError::new(name, problem),
            (None, Source::Environment) => ConfigError::new(
                format!("AzureAd__{name}"),
                format!("{problem}; {variable} does as well"),
            ),
        };
        self.problems.push(problem);
        None
    }
}

/// One value of a setting.
#[derive(Clone, Copy)]
struct Item<'g> {
    name: &'g Name,
    text: &'g str,
    is_from_file: bool,
}

impl<'g> Item<'g> {
    /// The values that are given as one text.
    fn all_of(given: &'g Given) -> Vec<Self> {
        let item = |text| Self {
            name: &given.name,
            text,
            is_from_file: given.is_from_file,
        };
        let text = given.text();
        if given.setting.is_list() && given.index.is_none() {
            let separates = |c: char| c.is_whitespace() || c == ',';
            let texts = text.split(separates).filter(|text| !text.is_empty());
            texts.map(item).collect()
        } else {
            vec![item(text)]
        }
    }

    fn problem(&self, problem: &str) -> ConfigError {
        self.problem_with(problem, |text| Shown::of(text).to_string())
    }

    /// A wrong file may hold a secret, so what is in it is not shown.
    fn problem_with(&self, problem: &str, shown: impl Fn(&str) -> String) -> ConfigError {
        let shown = if self.is_from_file {
            format!(
                "a text of {} characters in the file",
                self.text.chars().count()
            )
        } else {
            shown(self.text)
        };
        self.name.problem(format!("{shown} {problem}"))
    }
}

/// A value of a list that is written as one value: no token has it.
fn comma_problem(text: &str) -> Option<&'static str> {
    text.contains(',')
        .then_some("has a comma; each value of a list stands alone")
}

fn audience_problem(text: &str) -> Option<&'static str> {
    (!is_audience(text)).then_some("is not a client id or an App ID URI")
}
