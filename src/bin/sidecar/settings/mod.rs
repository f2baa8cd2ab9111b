//! What the configuration says, typed: everything is read and checked once, before the program listens.

mod apis;

mod azure_ad;

mod claims;

mod command;

mod credentials;

mod environment;

mod files;

mod json;

mod known;

mod listen;

mod log;

mod managed_identity;

mod nearest;

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

mod report;

mod shown;

mod tree;

mod types;

mod typing;

mod values;

use std::ffi::OsString;

use self::{
    command::Arguments,
    environment::Variables,
    files::Text,
    shown::shown,
    tree::{Origin, Tree},
};
pub(crate) use self::{
    command::{Command, HELP},
    report::{Finding, Problems},
    types::{AllowOverrides, Api, AzureAd, Listen, Log, Settings, TokenSettings},
};

/// Reads the configuration: files, then these variables of the environment, then these arguments, of which
/// the first is not the program. Later ones win, key by key. Blocks: it reads files.
///
/// Returns the settings and the warnings about them, for the log.
///
/// # Errors
///
/// Fails with every key that is wrong: a line each.
pub(crate) fn read(
    arguments: &[OsString],
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(Settings, Vec<Finding>), Problems> {
    let arguments = Arguments::parse(arguments);
    let variables = Variables::of(variables);
    let mut problems = Vec::new();
    let environment = environment(&arguments, &variables, &mut problems);
    let named = match &arguments.config {
        Some(path) => Some(path.as_path()),
        None => variables.get("SIDECAR_CONFIG").map(std::path::Path::new),
    };
    let texts = files::read(named, &environment, &mut problems);
    let tree = tree(&texts, &variables, &arguments, &mut problems);
    if !problems.is_empty() {
        return Err(Problems::of(problems));
    }
    typing::settings(&tree.root(), &environment)
}

/// The name of the environment, which no file can set.
fn environment(
    arguments: &Arguments,
    variables: &Variables,
    problems: &mut Vec<Finding>,
) -> String {
    let mut tree = Tree::default();
    variables.set_host(&mut tree, &mut Vec::new());
    set_arguments(&mut tree, arguments);
    let section = tree.root().at("Environment");
    let name = section.text().unwrap_or("Production");
    if name.contains(['/', '\\', '\0']) {
        let text = format!(
            "{} is no name. Accepted: Production, Development, a name for files. Set it to one of them.",
            shown(name)
        );
        problems.push(Finding::of("ASPNETCORE_ENVIRONMENT", text));
        return "Production".to_owned();
    }
    name.to_owned()
}

/// The values of all sources, which come in the order of .NET: variables with `ASPNETCORE_` and `DOTNET_`,
/// files, all variables, arguments.
fn tree(
    texts: &[Text],
    variables: &Variables,
    arguments: &Arguments,
    problems: &mut Vec<Finding>,
) -> Tree {
    let mut tree = Tree::default();
    variables.set_host(&mut tree, problems);
    for (order, (name, text)) in (0_u8..).zip(texts) {
        let origin = Origin::File {
            name: name.as_str().into(),
            order,
        };
        match json::values(text) {
            Ok(values) => {
                for (path, value) in values {
                    tree.set(&path, value, &origin);
                }
            }
            Err(problem) => {
                let text = format!(
                    "{problem}. Accepted: JSON with one object, perhaps with comments and trailing commas. Correct \
                     the file."
                );
                problems.push(Finding::of(&origin.to_string(), text));
            }
        }
    }
    variables.set_all(&mut tree, problems);
    set_arguments(&mut tree, arguments);
    problems.extend(arguments.problems.iter().cloned());
    tree
}

fn set_arguments(tree: &mut Tree, arguments: &Arguments) {
    for (path, value) in &arguments.values {
        tree.set(path, Some(value.clone()), &Origin::Argument);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use http::{HeaderValue, Method};
    use tower_entra::{acquire::ClientCredential, testing::Issuer};

    use super::{types::Credential, *};

    /// The settings of a sidecar for the issuer's own blueprint, with one API, `orders`, whose scope is the
    /// `.default` of the issuer's API. Nothing else is configured.
    pub(crate) fn settings(issuer: &Issuer) -> Settings {
        let authority = issuer.authority();
        Settings {
            azure_ad: AzureAd {
                authority,
                tenant: issuer.tenant_id().parse().expect("a GUID"),
                client_id: issuer.blueprint_id().parse().expect("a GUID"),
                audiences: None,
                scopes: Vec::new(),
                authorization_by_acl: true,
                error_details: true,
                claims_challenges: false,
                credential: Some(Credential {
                    section: "AzureAd:ClientCredentials:0".to_owned(),
                    source_type: "ClientSecret",
                    credential: ClientCredential::secret(issuer.blueprint().secret()),
                }),
            },
            apis: [("orders".to_owned(), api(issuer.api().resource()))].into(),
            allow_overrides: AllowOverrides::default(),
            ignore_denied_agents: false,
            lenient_agent_parameters: false,
            allow_plain_http: false,
            follow_redirects: false,
            listen: Vec::new(),
            metrics: None,
            is_development: false,
            log: Log::default(),
        }
    }

    /// An API whose scope is the `.default` of this resource.
    pub(crate) fn api(resource: &str) -> Api {
        Api {
            base_url: None,
            relative_path: String::new(),
            scopes: vec![format!("{resource}/.default")],
            request_app_token: false,
            http_method: Method::GET,
            accept: HeaderValue::from_static("application/json"),
            headers: Vec::new(),
            query: Vec::new(),
            token: TokenSettings::default(),
        }
    }

    #[test]
    fn the_environment_of_an_argument_wins() {
        let id = "7090e106-1ad3-4313-9b7a-75cc3e576d40";
        for (argument, variable, is_development) in [
            ("--Environment=Development", "Production", true),
            ("--environment=Production", "Development", false),
        ] {
            let variables = [
                ("AzureAd__TenantId", id),
                ("AzureAd__ClientId", id),
                ("ASPNETCORE_ENVIRONMENT", variable),
            ];
            let variables = variables.map(|(name, value)| (name.into(), value.into()));
            let (settings, _) = read(&[argument.into()], variables).expect("settings");
            assert_eq!(settings.is_development, is_development, "{argument}");
        }
    }

    #[tokio::test]
    async fn an_app_is_made_of_settings() {
        let issuer = Issuer::start().await;
        let app = crate::app::App::new(settings(&issuer)).expect("an app");
        assert!(app.client.is_some());
    }
}
