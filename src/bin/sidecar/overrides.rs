//! `optionsOverride.*`: what a caller changes of what is configured for an API.

use tower_entra::TenantId;

use crate::{guid, problem::Problem};

/// What a caller changes of what is configured for an API. The last value of a parameter counts, but for
/// scopes, of which each counts.
///
/// `BaseUrl` and names that are unknown change nothing. `Debug` shows no value.
#[derive(Default)]
pub(crate) struct Overrides {
    /// They take the place of those that are configured, if there is one.
    pub(crate) scopes: Vec<String>,
    /// Asks for an app token. `false` leaves it to what is configured.
    pub(crate) request_app_token: bool,
    pub(crate) relative_path: Option<String>,
    /// As the caller wrote it.
    pub(crate) http_method: Option<String>,
    /// As the caller wrote it.
    pub(crate) accept: Option<String>,
    pub(crate) headers: Parameters,
    pub(crate) query: Parameters,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) force_refresh: bool,
    /// JSON text.
    pub(crate) claims: Option<String>,
    /// A GUID.
    pub(crate) correlation_id: Option<String>,
    /// Whether there is a parameter, known or not. `BaseUrl` is none.
    is_given: bool,
    has_base_url: bool,
    names_a_tenant: bool,
    refused: Option<Refused>,
}

/// Named parameters, each once. ASCII letter case makes no difference; the first spelling stays.
#[derive(Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// Why an override is refused.
#[derive(Clone, Copy)]
enum Refused {
    /// The name of a parameter that this program does not offer.
    NotOffered(&'static str),
    TenantForm,
}

impl Overrides {
    /// Takes one parameter, whose name is without the prefix.
    pub(crate) fn take(&mut self, name: &str, value: String) {
        let lower_case = name.to_ascii_lowercase();
        if lower_case == "baseurl" {
            self.has_base_url = true;
            return;
        }
        self.is_given = true;
        let given = |value: String| Some(value).filter(|value| !value.is_empty());
        match &*lower_case {
            "scopes" if value.trim().is_empty() => {}
            "scopes" => self.scopes.push(value),
            "requestapptoken" => self.request_app_token = is_true(&value),
            "relativepath" => self.relative_path = given(value),
            "httpmethod" => self.http_method = given(value),
            "acceptheader" => self.accept = given(value),
            _ => {
                if let Some(option) = lower_case.strip_prefix("acquiretokenoptions.") {
                    self.take_option(option, value);
                } else if let Some(header) = after(HEADERS, name) {
                    self.headers.set(header, value);
                } else if let Some(parameter) = after(QUERY, name) {
                    self.query.set(parameter, value);
                }
            }
        }
    }

    fn take_option(&mut self, lower_case: &str, value: String) {
        let given = |value: String| Some(value).filter(|value| !value.is_empty());
        match lower_case {
            "tenant" => {
                self.names_a_tenant = true;
                self.tenant = guid::parse(&value);
                self.refuse_tenant(self.tenant.is_none() && !value.is_empty());
            }
            "forcerefresh" => self.force_refresh = is_true(&value),
            "claims" => self.claims = given(value),
            "correlationid" => {
                let id = guid::parse::<TenantId>(&value);
                self.correlation_id = id.map(|id| id.to_string());
            }
            _ => {
                let is_or_within = |name: &str| {
                    let rest = lower_case.strip_prefix(name);
                    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                let name = NOT_OFFERED.iter().find(|(name, _)| is_or_within(name));
                if let Some((_, name)) = name {
                    self.refused = Some(Refused::NotOffered(name));
                }
            }
        }
    }

    /// The last value counts, so a later one takes an earlier refusal back.
    fn refuse_tenant(&mut self, is_refused: bool) {
        match (self.refused, is_refused) {
            (None, true) => self.refused = Some(Refused::TenantForm),
            (Some(Refused::TenantForm), false) => self.refused = None,
            _ => {}
        }
    }

    /// Whether there is a parameter, known or not, besides `BaseUrl`.
    pub(crate) fn is_given(&self) -> bool {
        self.is_given
    }

    pub(crate) fn has_base_url(&self) -> bool {
        self.has_base_url
    }

    /// Whether the caller asks for a tenant, well-formed or not.
    pub(crate) fn names_a_tenant(&self) -> bool {
        self.names_a_tenant
    }

    /// Refuses what would have a token be another one than the caller asks for.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is not offered, and for a tenant that is no GUID.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        match self.refused {
            None => Ok(()),
            Some(Refused::NotOffered(name)) => {
                let detail = format!("{PREFIX}AcquireTokenOptions.{name} is not supported.");
                Err(Problem::bad_request(detail).with_hint("Leave the parameter out."))
            }
            Some(Refused::TenantForm) => {
                let detail = format!("{PREFIX}AcquireTokenOptions.Tenant must be a GUID.");
                Err(Problem::bad_request(detail).with_hint("Name the tenant by its id."))
            }
        }
    }
}

impl Parameters {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        let given = all.filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (&**name, &**value))
    }

    fn set(&mut self, name: &str, value: String) {
        let mut all = self.0.iter_mut();
        match all.find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

impl std::fmt::Debug for Overrides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overrides")
            .field("is_given", &self.is_given)
            .finish_non_exhaustive()
    }
}

/// Whether the value of this parameter, whose name is without the prefix, is any text: what an API or Entra is
/// to get. A name with what separates parameters in it is a whole query that was escaped.
pub(crate) fn is_free_text(name: &str) -> bool {
    let is_of_api =
        |prefix| after(prefix, name).is_some_and(|name| !name.contains(['&', ';', '?', '=']));
    is_of_api(HEADERS)
        || is_of_api(QUERY)
        || FREE_TEXTS
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

/// What follows this prefix, which is in lower case.
fn after<'n>(prefix: &str, name: &'n str) -> Option<&'n str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    (start.eq_ignore_ascii_case(prefix) && !rest.is_empty()).then_some(rest)
}

/// .NET's `bool.TryParse`, where a text that is none counts as false.
fn is_true(text: &str) -> bool {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    text.eq_ignore_ascii_case("true")
}

const HEADERS: &str = "extraheaderparameters.";
const QUERY: &str = "extraqueryparameters.";
const FREE_TEXTS: [&str; 2] = ["relativepath", "acquiretokenoptions.claims"];

/// Before the name of each, in any letter case.
pub(crate) const PREFIX: &str = "optionsOverride.";

/// In lower case, and as Microsoft writes it. Each would have the token be another one than this program
/// gets: one that is bound to a key, one of another identity, or one that is kept between requests.
const NOT_OFFERED: [(&str, &str); 4] = [
    ("poppublickey", "PopPublicKey"),
    ("longrunningwebapisessionkey", "LongRunningWebApiSessionKey"),
    ("fmipath", "FmiPath"),
    ("managedidentity", "ManagedIdentity.UserAssignedClientId"),
];
