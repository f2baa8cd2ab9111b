//! An agent that runs in Azure: a managed identity is its blueprint's first credential, and clients of the
//! Azure SDK act as the agent.
//!
//! ```sh
//! AZURE_TENANT_ID=<tenant GUID> BLUEPRINT_ID=<client id> AGENT_ID=<client id> \
//!     cargo run --manifest-path examples/azure/Cargo.toml -- https://vault.azure.net/.default
//! ```
//!
//! The managed identity is that of the host, or with `MANAGED_IDENTITY_ID` the user-assigned one with this
//! client id. The blueprint has a federated credential for it: issuer
//! `https://login.microsoftonline.com/<tenant GUID>/v2.0`, subject its object id, audience
//! `api://AzureADTokenExchange`.

use std::{env, error::Error, sync::Arc};

use azure_core::credentials::TokenCredential;
use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};
use tower_entra::acquire::{ClientCredential, ConfidentialClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let setting = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let [tenant, blueprint, agent] = [
        setting("AZURE_TENANT_ID")?,
        setting("BLUEPRINT_ID")?,
        setting("AGENT_ID")?,
    ];
    let scope = env::args().nth(1);
    let scope = scope.unwrap_or_else(|| "https://management.azure.com/.default".to_owned());

    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: env::var("MANAGED_IDENTITY_ID")
            .ok()
            .map(UserAssignedId::ClientId),
        ..Default::default()
    };
    let managed_identity = ManagedIdentityCredential::new(Some(options))?;
    let credential = ClientCredential::from_token_credential(managed_identity);
    let client = ConfidentialClient::builder(tenant, blueprint, credential).build()?;

    // Every client of the Azure SDK takes this, such as that of Key Vault or of storage.
    let agent: Arc<dyn TokenCredential> = Arc::new(client.agent(agent).itself());
    let token = agent.get_token(&[&scope], None).await?;
    println!("a token for {scope} until {}", token.expires_on);
    Ok(())
}
