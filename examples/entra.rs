//! A token service on this machine, in the place of Entra: for clients in any language.
//!
//! ```text
//! cargo run --example entra              # what is registered, and curl lines for each flow
//! cargo run --example entra -- --json    # what is registered, in one line of JSON
//! ```
//!
//! It issues the tokens of apps, agents and agents' user accounts at `/{tenant}/oauth2/v2.0/token`, and refuses
//! what Entra refuses. `/` is a page for a browser: who is registered, a token of each caller taken apart, the
//! token requests as they come, and switches for faults. `GET /mint/person` answers with a person's token for the
//! blueprint, `GET /mint/app` with an app-only one. Each token request is a line on stderr, without secrets.
//!
//! `PORT` is its port, 8091 by default; with 0 the system picks one. Behind a proxy with TLS, which MSAL for
//! Python demands, `PUBLIC_URL` is the proxy's URL. `CERTIFICATE` is a file in PEM whose first certificate proves
//! the blueprint and the client, beside their secrets. **Not for production**: its secrets are in this source.

use std::{
    env,
    error::Error as StdError,
    fs,
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Value, json};
use tower_entra::testing::{AgentAccount, Api, Issuer};
use tracing_subscriber::EnvFilter;

fn main() -> Result<ExitCode, Box<dyn StdError>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let as_json = match arguments.as_slice() {
        [] => false,
        [only] if only == "--json" => true,
        _ => {
            eprintln!(
                "usage: entra [--json], with PORT, PUBLIC_URL and CERTIFICATE in the environment"
            );
            return Ok(ExitCode::from(2));
        }
    };
    let port = env::var("PORT").unwrap_or_else(|_| "8091".to_owned());
    let Ok(port) = port.parse() else {
        eprintln!("PORT is no port: {port:?}");
        return Ok(ExitCode::from(2));
    };
    let certificate = match env::var("CERTIFICATE") {
        Ok(path) if !path.is_empty() => match fs::read_to_string(&path) {
            Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Some(pem),
            Ok(_) => {
                eprintln!("CERTIFICATE has no certificate: {path:?}");
                return Ok(ExitCode::from(2));
            }
            Err(error) => {
                eprintln!("CERTIFICATE cannot be read: {path:?}: {error}");
                return Ok(ExitCode::from(2));
            }
        },
        _ => None,
    };
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("tower_entra::testing=debug"))
        .init();
    let builder = Issuer::builder()
        .port(port)
        // The audience of version 2.0 tokens is the client id.
        .audience(API)
        .mints_over_http()
        .serves_page();
    let issuer = match env::var("PUBLIC_URL") {
        Ok(url) if !url.is_empty() => builder.public_url(url),
        _ => builder,
    }
    .start_blocking();
    if let Some(pem) = certificate {
        issuer.blueprint().add_certificate_pem(&pem);
        issuer.client().add_certificate_pem(&pem);
    }
    let registered = Registered::new(&issuer);

    let mut stdout = io::stdout().lock();
    writeln!(stdout, "listening on {}", issuer.url())?;
    match as_json {
        true => writeln!(stdout, "{}", registered.json(&issuer))?,
        false => stdout.write_all(registered.text(&issuer).as_bytes())?,
    }
    stdout.flush()?;
    drop(stdout);
    loop {
        std::thread::park();
    }
}

/// What is there beside the registrations of every issuer.
struct Registered {
    agents: [String; 2],
    user: AgentAccount,
    apis: [Api; 2],
}

impl Registered {
    fn new(issuer: &Issuer) -> Self {
        let (blueprint, api) = (issuer.blueprint(), issuer.api());
        let first = blueprint.agent();
        let second = blueprint.add_agent();
        second.grant_role(&api, ROLE).grant_scope(&api, SCOPE);
        let user = first.user().grant_role(&api, ROLE);
        // Nothing of this API is granted to anyone: AADSTS65001.
        let bills = issuer
            .add_api(BILLS)
            .add_scope("Bills.Read")
            .add_role("Bills.Read.All");
        Self {
            agents: [first.client_id().to_owned(), second.client_id().to_owned()],
            user,
            apis: [api, bills],
        }
    }

    fn json(&self, issuer: &Issuer) -> Value {
        let (blueprint, client) = (issuer.blueprint(), issuer.client());
        let apis = self.apis.iter().map(|api| {
            json!({
                "resource": api.resource(),
                "client_id": api.client_id(),
                "scopes": api.scopes(),
                "roles": api.roles(),
            })
        });
        json!({
            "tenant_id": issuer.tenant_id(),
            "blueprint": {"client_id": blueprint.client_id(), "secret": blueprint.secret()},
            "agents": self.agents.iter().map(|id| json!({"client_id": id})).collect::<Vec<_>>(),
            "agent_user": {
                "object_id": self.user.object_id(),
                "user_principal_name": self.user.principal_name(),
                "agent": self.agents[0],
            },
            "person": {"object_id": issuer.object_id_of("alice")},
            "client": {"client_id": client.client_id(), "secret": client.secret()},
            "apis": apis.collect::<Vec<_>>(),
        })
    }

    fn text(&self, issuer: &Issuer) -> String {
        let (blueprint, client) = (issuer.blueprint(), issuer.client());
        let [first, second] = &self.agents;
        let [api, bills] = &self.apis;
        let list = |api: &Api| format!("{}, {}", api.scopes().join(", "), api.roles().join(", "));
        format!(
            r#"
# page          {base}/
# tenant        {tenant}
# discovery     {issuer_url}/.well-known/openid-configuration
# blueprint     {blueprint}, its secret {blueprint_secret}
# agents        {first}
#               {second}
# agent's user  {user}, {principal_name}, of the first agent
# person        {person}
# client        {client}, its secret {client_secret}
# API           {api}: {api_permissions}
# another API   {bills}: {bills_permissions}
#
# The agents, the agent's user and the client have {SCOPE} and {ROLE}. Nothing of the other API is granted.

# The names that the lines below use.
BASE={base}; TOKEN=$BASE/{tenant}/oauth2/v2.0/token; API={api}; AGENT={first}
EXCHANGE=api://AzureADTokenExchange/.default
JWT=urn:ietf:params:oauth:client-assertion-type:jwt-bearer
access_token() {{ sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p'; }}

# The client as itself.
curl -s -w '\n' $TOKEN -d client_id={client} --data-urlencode 'client_secret={client_secret}' -d grant_type=client_credentials -d scope=$API/.default

# T1: the blueprint's exchange token for the agent.
T1=$(curl -s $TOKEN -d client_id={blueprint} --data-urlencode 'client_secret={blueprint_secret}' -d grant_type=client_credentials -d scope=$EXCHANGE -d fmi_path=$AGENT | access_token)

# The agent as itself.
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=client_credentials -d scope=$API/.default

# The agent on behalf of a person.
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d requested_token_use=on_behalf_of -d assertion=$(curl -s $BASE/mint/person) -d scope=$API/{SCOPE}

# T2, and the agent's user by object id and by sign-in name.
T2=$(curl -s $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=client_credentials -d scope=$EXCHANGE | access_token)
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=user_fic -d user_federated_identity_credential=$T2 -d user_id={user} -d scope=$API/{SCOPE}
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=user_fic -d user_federated_identity_credential=$T2 -d username={principal_name} -d scope=$API/{SCOPE}

# A refresh token, and what it is redeemed for.
REFRESH=$(curl -s $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=user_fic -d user_federated_identity_credential=$T2 -d user_id={user} --data-urlencode "scope=$API/{SCOPE} offline_access" | sed -n 's/.*"refresh_token":"\([^"]*\)".*/\1/p')
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=refresh_token -d refresh_token=$REFRESH -d scope=$API/{SCOPE}

# Refused: no consent, an app-only assertion, the blueprint for an API.
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d requested_token_use=on_behalf_of -d assertion=$(curl -s $BASE/mint/person) -d scope={bills}/Bills.Read
curl -s -w '\n' $TOKEN -d client_id=$AGENT -d client_assertion_type=$JWT -d client_assertion=$T1 -d grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer -d requested_token_use=on_behalf_of -d assertion=$(curl -s $BASE/mint/app) -d scope=$API/{SCOPE}
curl -s -w '\n' $TOKEN -d client_id={blueprint} --data-urlencode 'client_secret={blueprint_secret}' -d grant_type=client_credentials -d scope=$API/.default
"#,
            base = issuer.url(),
            tenant = issuer.tenant_id(),
            issuer_url = issuer.v2_issuer(),
            blueprint = blueprint.client_id(),
            blueprint_secret = blueprint.secret(),
            user = self.user.object_id(),
            principal_name = self.user.principal_name(),
            person = issuer.object_id_of("alice"),
            client = client.client_id(),
            client_secret = client.secret(),
            api = api.resource(),
            api_permissions = list(api),
            bills = bills.resource(),
            bills_permissions = list(bills),
        )
    }
}

const API: &str = "3aa6c2f7-1e0f-4caa-a55a-7c08f5f87a1a";
const BILLS: &str = "api://b3c1f2a0-6d7e-4f5a-9b8c-0d1e2f3a4b5c";
const SCOPE: &str = "Orders.Read";
const ROLE: &str = "Orders.Read.All";
