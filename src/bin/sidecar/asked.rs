//! What the query of a request asks for: an agent, and overrides.

use std::{borrow::Cow, fmt};

use tower_entra::{AppId, ObjectId, acquire::AgentUser};

use crate::{
    guid,
    overrides::{self, Overrides, PREFIX},
    problem::Problem,
    route::Route,
    settings::Settings,
};

/// What the query of a request asks for, as far as its route allows it. `Debug` shows no value.
#[derive(Debug)]
pub(crate) struct Asked {
    agent: AgentParameters,
    pub(crate) overrides: Overrides,
}

/// An agent, and perhaps its user, as whom a caller wants to act.
#[derive(Clone, Debug)]
pub(crate) struct AskedAgent {
    pub(crate) id: AppId,
    pub(crate) user: Option<AskedUser>,
}

/// The user of an agent.
#[derive(Clone, Debug)]
pub(crate) struct AskedUser {
    pub(crate) user: AgentUser,
    /// For the audit log.
    pub(crate) kind: &'static str,
}

/// The three parameters of an agent.
#[derive(Debug, Default)]
struct AgentParameters {
    identity: Parameter,
    user_name: Parameter,
    user_id: Parameter,
}

/// A parameter that may be given once.
#[derive(Default)]
struct Parameter {
    value: Option<String>,
    is_repeated: bool,
}

impl Asked {
    /// Reads a query once. Names are read without regard to ASCII letter case; a parameter that is unknown
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// - 400 for more than 64 KiB or 1,000 parameters, a name that is nearly that of an agent's parameter, an
    ///   override that is not offered, a tenant that is no GUID
    /// - 403 for an agent or a tenant where the route allows no overrides, unless
    ///   [`ignore_denied_agents`](Settings::ignore_denied_agents) drops them; other overrides are dropped there
    pub(crate) fn read(
        query: Option<&str>,
        route: Route,
        settings: &Settings,
    ) -> Result<Self, Problem> {
        let mut asked = Self::bind(query.unwrap_or_default())?;
        if asked.overrides.has_base_url() {
            tracing::warn!(
                route = route.as_str(),
                "optionsOverride.BaseUrl is ignored: only the configuration names the host of an API"
            );
        }
        match route.allows_overrides(settings.allow_overrides) {
            true => asked.overrides.check()?,
            false => asked.drop_denied(route, settings)?,
        }
        Ok(asked)
    }

    /// The agent as whom the caller wants to act.
    ///
    /// # Errors
    ///
    /// 400 for a parameter that is empty or given twice, an id that is no GUID or all zeros, a user without
    /// an agent, and a user that is named twice. With
    /// [`lenient_agent_parameters`](Settings::lenient_agent_parameters) a user without an agent is ignored,
    /// and a user's name wins over an object id.
    pub(crate) fn agent(&self, settings: &Settings) -> Result<Option<AskedAgent>, Problem> {
        let AgentParameters {
            identity,
            user_name,
            user_id,
        } = &self.agent;
        let is_lenient = settings.lenient_agent_parameters;
        let identity = identity.once(IDENTITY, "must be a non-empty GUID")?;
        let user_name = user_name.once(USER_NAME, "must not be empty")?;
        let user_id = user_id.once(USER_ID, "must be a non-empty GUID")?;
        let Some(identity) = identity else {
            let user = match (user_name, user_id) {
                (Some(_), _) => USER_NAME,
                (None, Some(_)) => USER_ID,
                (None, None) => return Ok(None),
            };
            if is_lenient {
                tracing::warn!("{user} is ignored: it needs {IDENTITY}");
                return Ok(None);
            }
            let problem = Problem::bad_request(format!("{user} needs {IDENTITY}."));
            return Err(problem.with_hint("Name the agent whose user it is."));
        };
        if user_name.is_some() && user_id.is_some() && !is_lenient {
            let detail = format!("{USER_NAME} and {USER_ID} are mutually exclusive.");
            return Err(Problem::bad_request(detail).with_hint("Name the user in one way."));
        }
        let id: AppId = known_id(IDENTITY, identity)?;
        let user = match (user_name, user_id) {
            (Some(name), _) => Some(AskedUser {
                user: AgentUser::principal_name(name),
                kind: "agent_user_name",
            }),
            (None, Some(id)) => Some(AskedUser {
                user: AgentUser::object_id(known_id::<ObjectId>(USER_ID, id)?),
                kind: "agent_user_id",
            }),
            (None, None) => None,
        };
        Ok(Some(AskedAgent { id, user }))
    }

    fn bind(query: &str) -> Result<Self, Problem> {
        let mut asked = Self {
            agent: AgentParameters::default(),
            overrides: Overrides::default(),
        };
        if query.len() > MAX_QUERY {
            return Err(Problem::bad_request("The query has more than 64 KiB."));
        }
        for (at, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            if at >= MAX_PARAMETERS {
                let detail = "The query has more than 1,000 parameters.";
                return Err(Problem::bad_request(detail));
            }
            asked.take(&name, value)?;
        }
        Ok(asked)
    }

    fn take(&mut self, name: &str, value: Cow<'_, str>) -> Result<(), Problem> {
        let agent = &mut self.agent;
        for (known, parameter) in [
            (IDENTITY, &mut agent.identity),
            (USER_NAME, &mut agent.user_name),
            (USER_ID, &mut agent.user_id),
        ] {
            if name.eq_ignore_ascii_case(known) {
                parameter.set(value.into_owned());
                return Ok(());
            }
        }
        let of_override = name
            .split_at_checked(PREFIX.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(PREFIX))
            .map(|(_, rest)| rest);
        let is_free_text = of_override.is_some_and(overrides::is_free_text);
        // Ignored, it would have the blueprint act in the place of the agent that it names.
        if !is_free_text && names_an_agent(name, &value) {
            let detail = format!("A parameter is nearly {IDENTITY}, {USER_NAME} or {USER_ID}.");
            return Err(Problem::bad_request(detail).with_hint(
                "Write its name as it is here, with nothing before or behind it, and put & between parameters.",
            ));
        }
        if let Some(name) = of_override {
            self.overrides.take(name, value.into_owned());
        }
        Ok(())
    }

    /// Drops what the route does not allow, and refuses what would name another identity than the one whose
    /// token then comes back.
    fn drop_denied(&mut self, route: Route, settings: &Settings) -> Result<(), Problem> {
        let (key, name) = (route.key(), route.as_str());
        let denied = match self.agent.first() {
            Some(parameter) => Some(parameter),
            None if self.overrides.names_a_tenant() => Some(TENANT),
            None => None,
        };
        if let Some(parameter) = denied {
            if !settings.ignore_denied_agents {
                let detail = format!("{parameter} is not allowed on /{name}: {key} is false.");
                return Err(Problem::forbidden(detail).with_hint(format!(
                    "Set {key} to true if each process that reaches this port may name agents and change \
                     options, or leave the parameter out."
                )));
            }
            tracing::warn!(
                route = name,
                key,
                "agents and tenants are ignored on this route, which gives the token of what is configured"
            );
            self.agent = AgentParameters::default();
        }
        if self.overrides.is_given() {
            tracing::warn!(route = name, key, "overrides are ignored on this route");
        }
        self.overrides = Overrides::default();
        Ok(())
    }
}

impl AgentParameters {
    /// The name of the first that is given, empty or not.
    fn first(&self) -> Option<&'static str> {
        let all = [
            (IDENTITY, &self.identity),
            (USER_NAME, &self.user_name),
            (USER_ID, &self.user_id),
        ];
        let mut given = all
            .into_iter()
            .filter(|(_, parameter)| parameter.value.is_some());
        given.next().map(|(name, _)| name)
    }
}

impl Parameter {
    fn set(&mut self, value: String) {
        self.is_repeated = self.value.is_some();
        self.value = Some(value);
    }

    /// Its value, if it is given. `must` says what an empty one is not.
    fn once(&self, name: &str, must: &str) -> Result<Option<&str>, Problem> {
        if self.is_repeated {
            let detail = format!("{name} is given more than once.");
            return Err(Problem::bad_request(detail).with_hint("Give each parameter once."));
        }
        match &self.value {
            Some(value) if value.trim().is_empty() => {
                Err(Problem::bad_request(format!("{name} {must}.")).with_hint(NO_EMPTY))
            }
            value => Ok(value.as_deref()),
        }
    }
}

/// Without the value: a user's name is a personal name.
impl fmt::Debug for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameter")
            .field("is_given", &self.value.is_some())
            .field("is_repeated", &self.is_repeated)
            .finish()
    }
}

/// Whether an agent's parameter is meant: by the name (`AgentIdentity[]`, `agent_id`, `x-AgentUser`), or behind
/// what separates parameters elsewhere, in a value or where a whole query was escaped. In a value only the
/// whole names count: it may be a URL with a query of its own.
fn names_an_agent(name: &str, value: &str) -> bool {
    let has_one = |part: &str, of: &[&str]| {
        let letters = letters(part.split('=').next().unwrap_or_default());
        of.iter().any(|known| letters.contains(known))
    };
    let mut of_name = name.split(SEPARATORS);
    let mut of_value = value.split(SEPARATORS).skip(1);
    of_name.any(|part| has_one(part, &LIKE_AN_AGENTS))
        || of_value.any(|part| has_one(part, &OF_AGENTS))
}

/// Those of ASCII, without their letter case in Unicode: in Turkish, `AgentIdentity` in lower case has dotless
/// letters.
fn letters(name: &str) -> String {
    let folded = name.chars().flat_map(char::to_uppercase);
    let folded = folded.flat_map(char::to_lowercase);
    folded.filter(char::is_ascii_alphabetic).collect()
}

/// A GUID that is not all zeros. The text is not repeated.
fn known_id<T>(name: &str, text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr + AsRef<str>,
{
    let is_zero = |id: &T| id.as_ref().bytes().all(|byte| b"0-".contains(&byte));
    let id = guid::parse(text).filter(|id| !is_zero(id));
    id.ok_or_else(|| {
        let problem = Problem::bad_request(format!("{name} must be a non-empty GUID."));
        problem.with_hint(match name {
            IDENTITY => "Name the agent by its client id.",
            _ => "Name the user by object id, or by user principal name with AgentUsername.",
        })
    })
}

const IDENTITY: &str = "AgentIdentity";
const USER_NAME: &str = "AgentUsername";
const USER_ID: &str = "AgentUserId";
/// What the three names begin with, in lower case.
const LIKE_AN_AGENTS: [&str; 2] = ["agentid", "agentuser"];
/// The three names, in lower case.
const OF_AGENTS: [&str; 3] = ["agentidentity", "agentusername", "agentuserid"];
const SEPARATORS: [char; 3] = ['&', ';', '?'];
const TENANT: &str = "optionsOverride.AcquireTokenOptions.Tenant";

const NO_EMPTY: &str = "Leave out what has no value.";

const MAX_QUERY: usize = 64 * 1024;
const MAX_PARAMETERS: usize = 1_000;

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
