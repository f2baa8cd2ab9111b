//! The MCP server, run. See the README.

use std::{env, error::Error, net::Ipv4Addr};

use mcp::{Site, app};
use tokio::net::TcpListener;
use tower_entra::{Tenants, Validator, testing::Issuer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let here = format!("http://{}", listener.local_addr()?);

    let settings = ["AZURE_TENANT_ID", "EXPECTED_AUDIENCE", "PUBLIC_ORIGIN"];
    if settings.iter().all(|name| env::var_os(name).is_none()) {
        // No tenant is configured: use an Entra look-alike on this machine.
        let issuer = Issuer::start().await;
        let site = Site {
            origin: here,
            authorization_server: issuer.v2_issuer(),
        };
        invite(&issuer, &site.resource());
        let app = app(issuer.validator(), site)?;
        return Ok(axum::serve(listener, app).await?);
    }
    let tenant = env::var("AZURE_TENANT_ID").map_err(|_| "AZURE_TENANT_ID is not set")?;
    let audience = env::var("EXPECTED_AUDIENCE").map_err(|_| "EXPECTED_AUDIENCE is not set")?;
    let site = Site {
        origin: env::var("PUBLIC_ORIGIN").unwrap_or(here),
        authorization_server: format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    };
    let validator = Validator::builder(Tenants::single(tenant), [audience]).build()?;
    // Fetch keys before the first request needs them.
    let warm_up = validator.clone();
    tokio::spawn(async move { warm_up.ready().await });
    println!("an MCP server: {}", site.resource());
    Ok(axum::serve(listener, app(validator, site)?).await?)
}

fn invite(issuer: &Issuer, url: &str) {
    println!("An MCP server, until Ctrl-C. Tokens are good for an hour.\n\nURL='{url}'");
    println!("AGENT='{}'", issuer.autonomous_agent().mint());
    println!(
        "AGENT_FOR_ALICE='{}'",
        issuer.agent_on_behalf_of("alice").mint()
    );
    let alice = issuer.user().scope("Orders.Read Orders.Write");
    println!("ALICE='{}'", alice.mint());
    println!(
        r#"
call() {{ curl -isSw '\n' "$URL" -H "Authorization: Bearer $1" -H 'Content-Type: application/json' \
  -H 'Accept: application/json, text/event-stream' \
  -d '{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"'$2'","arguments":'"$3"'}}}}'; }}
call "$ALICE" place_order '{{"item":"tea"}}'
call "$AGENT" list_orders '{{}}'
call "$AGENT_FOR_ALICE" list_orders '{{}}'
call "$AGENT_FOR_ALICE" place_order '{{"item":"cocoa"}}'
curl -i -X POST "$URL"
"#
    );
}
