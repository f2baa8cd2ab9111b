//! The settings of `whoami` and `explain`, from the environment. The README lists the variables.

use std::{env, fmt, str::FromStr};

use tower_entra::{Authority, ConfigError, Tenants, Validator, ValidatorBuilder};

/// The settings of the environment.
pub(crate) struct Settings {
    pub(crate) tenants: Vec<String>,
    pub(crate) audiences: Vec<String>,
    pub(crate) authority: String,
    pub(crate) port: u16,
    pub(crate) known_agents: Vec<(String, String)>,
    pub(crate) resource_metadata: Option<String>,
    pub(crate) token_cache: Option<usize>,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self, Problem> {
        let mut known_agents = Vec::new();
        for pair in list("KNOWN_AGENTS")? {
            let Some((tenant, client)) = pair.split_once('/') else {
                let problem = format!("{pair:?} is not tenant/client-id");
                return Err(Problem::new("KNOWN_AGENTS", problem));
            };
            known_agents.push((tenant.to_owned(), client.to_owned()));
        }
        Ok(Self {
            tenants: required_list("AZURE_TENANT_ID")?,
            audiences: required_list("EXPECTED_AUDIENCE")?,
            authority: variable("AZURE_AUTHORITY_HOST")?
                .unwrap_or_else(|| "https://login.microsoftonline.com".to_owned()),
            port: parsed("PORT")?.unwrap_or(8080),
            known_agents,
            resource_metadata: variable("RESOURCE_METADATA")?,
            token_cache: parsed("TOKEN_CACHE")?,
        })
    }

    pub(crate) fn validator(&self) -> Result<Validator, Problem> {
        self.builder().build().map_err(Problem::from)
    }

    pub(crate) fn builder(&self) -> ValidatorBuilder {
        let tenants = match self.tenants.as_slice() {
            [tenants] if tenants == "organizations" => Tenants::any_organization(),
            tenants => Tenants::list(tenants),
        };
        let builder = Validator::builder(tenants, self.audiences.iter().cloned())
            .authority(self.authority())
            .known_agents(self.known_agents.iter().cloned());
        match self.token_cache {
            Some(capacity) => builder.token_cache(capacity),
            None => builder,
        }
    }

    fn authority(&self) -> Authority {
        let host = self.host();
        match host.as_str() {
            "https://login.microsoftonline.com" => Authority::public(),
            "https://login.microsoftonline.us" => Authority::us_government(),
            "https://login.partner.microsoftonline.cn" => Authority::china(),
            _ if host.starts_with("http://") => {
                Authority::insecure_loopback(&host).with_v1_issuer(format!("{host}/{{tid}}/"))
            }
            // `{tid}` may be in it.
            _ => Authority::custom(host),
        }
    }

    /// The authority as it appears in issuers: in lower case, without the scheme's default port.
    pub(crate) fn host(&self) -> String {
        let host = self.authority.trim_end_matches('/').to_ascii_lowercase();
        let port = if host.starts_with("http://") {
            ":80"
        } else {
            ":443"
        };
        host.strip_suffix(port).unwrap_or(&host).to_owned()
    }
}

/// One variable. An empty one counts as absent.
fn variable(name: &'static str) -> Result<Option<String>, Problem> {
    match env::var(name) {
        Ok(value) if value.trim().is_empty() => Ok(None),
        Ok(value) => Ok(Some(value.trim().to_owned())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Problem::new(name, "is not text")),
    }
}

fn parsed<T: FromStr>(name: &'static str) -> Result<Option<T>, Problem>
where
    T::Err: fmt::Display,
{
    let Some(value) = variable(name)? else {
        return Ok(None);
    };
    value
        .parse()
        .map(Some)
        .map_err(|error| Problem::new(name, format!("{value:?}: {error}")))
}

fn list(name: &'static str) -> Result<Vec<String>, Problem> {
    let Some(value) = variable(name)? else {
        return Ok(Vec::new());
    };
    let parts: Vec<_> = value
        .split(',')
        .map(|part| part.trim().to_owned())
        .collect();
    if parts.iter().any(String::is_empty) {
        return Err(Problem::new(name, format!("{value:?} has an empty part")));
    }
    Ok(parts)
}

fn required_list(name: &'static str) -> Result<Vec<String>, Problem> {
    let values = list(name)?;
    if values.is_empty() {
        Err(Problem::new(name, "is not set"))
    } else {
        Ok(values)
    }
}

/// One line about one variable.
pub(crate) struct Problem {
    variable: &'static str,
    text: String,
}

impl Problem {
    pub(crate) fn new(variable: &'static str, text: impl fmt::Display) -> Self {
        Self {
            variable,
            text: text.to_string(),
        }
    }
}

impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let variable = match error.setting() {
            "tenants" => "AZURE_TENANT_ID",
            "audiences" | "resource" => "EXPECTED_AUDIENCE",
            "known_agents" => "KNOWN_AGENTS",
            "resource_metadata" => "RESOURCE_METADATA",
            "token_cache" => "TOKEN_CACHE",
            "http_client" => "HTTP client",
            _ => "AZURE_AUTHORITY_HOST",
        };
        Self::new(variable, error.problem())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.text)
    }
}
