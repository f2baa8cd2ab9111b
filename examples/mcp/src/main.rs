//! The MCP server, run. See the README.

use std::{
    env::{self, VarError},
    error::Error,
    net::Ipv4Addr,
};

use mcp::{DeliveriesApi, Site, app, lookalike::Lookalike};
use tokio::net::TcpListener;
use tower_entra::{
    Tenants, Validator,
    acquire::{ClientCredential, ConfidentialClient},
    testing::{Issuer, Policy, TokenBuilder},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let here = format!("http://{}", listener.local_addr()?);

    let settings = [
        "AZURE_TENANT_ID",
        "EXPECTED_AUDIENCE",
        "PUBLIC_ORIGIN",
        "DELIVERIES_URL",
    ];
    if settings.iter().all(|name| env::var_os(name).is_none()) {
        // No tenant is configured: use look-alikes of Entra and of the deliveries API on this machine.
        let lookalike = Lookalike::new(Issuer::start().await);
        // Conditional Access demands a second factor for that API.
        lookalike.api.set_policy(Policy::StepUp);
        let deliveries = lookalike.start(lookalike.deliveries_api()?).await?;
        let site = Site {
            origin: here,
            authorization_server: lookalike.issuer.v2_issuer(),
        };
        invite(&lookalike, &site.resource());
        let validator = lookalike.validator(lookalike.server.client_id())?;
        let app = app(validator, site, Some(deliveries))?;
        return Ok(axum::serve(listener, app).await?);
    }
    let tenant = setting("AZURE_TENANT_ID")?;
    let audience = setting("EXPECTED_AUDIENCE")?;
    let site = Site {
        origin: env::var("PUBLIC_ORIGIN").unwrap_or(here),
        authorization_server: format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    };
    let deliveries = match env::var("DELIVERIES_URL") {
        Ok(url) => Some(deliveries(&url, &tenant, &audience)?),
        Err(VarError::NotPresent) => None,
        Err(error) => return Err(error.into()),
    };
    let validator = Validator::builder(Tenants::single(tenant), [audience]).build()?;
    // Fetch keys before the first request needs them.
    let warm_up = validator.clone();
    tokio::spawn(async move { warm_up.ready().await });
    println!("an MCP server: {}", site.resource());
    Ok(axum::serve(listener, app(validator, site, deliveries)?).await?)
}

/// The deliveries API, asked by the registration whose client id the callers' tokens are for.
fn deliveries(url: &str, tenant: &str, client_id: &str) -> Result<DeliveriesApi, Box<dyn Error>> {
    let credential = match env::var_os("AZURE_FEDERATED_TOKEN_FILE") {
        Some(file) => ClientCredential::assertion_file(file),
        None => ClientCredential::secret(setting("AZURE_CLIENT_SECRET")?),
    };
    let server = ConfidentialClient::builder(tenant, client_id, credential)
        // `DeliveriesApi` answers the challenges of the API.
        .claims_challenges(true)
        .build()?;
    DeliveriesApi::new(url, &setting("DELIVERIES_SCOPE")?, server)
}

fn setting(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set"))
}

fn invite(lookalike: &Lookalike, url: &str) {
    let Lookalike { issuer, server, .. } = lookalike;
    let token = |caller: TokenBuilder| caller.audience(server.client_id()).mint();
    // Its client can answer claims challenges.
    let for_alice = || issuer.agent_on_behalf_of("alice").claim("xms_cc", ["cp1"]);
    println!("An MCP server, until Ctrl-C. Tokens are good for an hour.\n\nURL='{url}'");
    println!("AGENT='{}'", token(issuer.autonomous_agent()));
    println!("AGENT_FOR_ALICE='{}'", token(for_alice()));
    println!(
        "AGENT_AFTER_STEP_UP='{}'",
        token(for_alice().claim("amr", ["pwd", "mfa"]))
    );
    println!(
        "ALICE='{}'",
        token(issuer.user().scope("Orders.Read Orders.Write"))
    );
    println!(
        r#"
call() {{ curl -isSw '\n' "$URL" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"'$2'","arguments":'"$3"'}}}}'; }}
call "$ALICE" place_order '{{"item":"tea"}}'
call "$AGENT" list_orders '{{}}'
call "$AGENT_FOR_ALICE" list_orders '{{}}'
call "$AGENT_FOR_ALICE" place_order '{{"item":"cocoa"}}'
call "$AGENT_FOR_ALICE" list_deliveries '{{}}'
call "$AGENT_FOR_ALICE" list_deliveries '{{}}' | sed -n 's/.*claims="\([^"]*\)".*/\1/p' | base64 -d
call "$AGENT_AFTER_STEP_UP" list_deliveries '{{}}'
call "$AGENT" list_deliveries '{{}}'
curl -i -X POST "$URL"
"#
    );
}
