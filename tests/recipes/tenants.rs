//! Tenants that come and go.

use std::{
    collections::HashSet,
    sync::{Arc, RwLock},
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get as on_get,
};
use tower_entra::{AgentPrincipal, Denial, EntraAuthLayer, TenantId, testing::Issuer};

use super::{get, serve};
use crate::support::{OTHER_TENANT, PERSONAL_TENANT, block_on};

/// As the guide has it.
#[derive(Clone, Default)]
struct Customers(Arc<RwLock<HashSet<TenantId>>>);

async fn customers_only(
    State(customers): State<Customers>,
    caller: AgentPrincipal,
    request: Request,
    next: Next,
) -> Result<Response, Denial> {
    let is_customer = customers.0.read().unwrap().contains(&caller.tenant_id());
    match is_customer {
        true => Ok(next.run(request).await),
        false => Err(Denial::new()),
    }
}

#[test]
fn a_tenant_is_let_in_from_when_it_is_listed_until_it_is_removed() {
    let issuer = Issuer::builder().multi_tenant().start_blocking();
    let customers = Customers::default();
    let app = Router::new()
        .route("/orders", on_get(async || "orders"))
        .layer(from_fn_with_state(customers.clone(), customers_only))
        .layer(EntraAuthLayer::new(issuer.validator()));
    let home = issuer.user().mint();
    let other = issuer.user().tenant(OTHER_TENANT).mint();
    let personal = issuer.user().tenant(PERSONAL_TENANT).mint();
    let tenant: TenantId = OTHER_TENANT.parse().unwrap();
    let list = || customers.0.write().unwrap();
    block_on(async {
        let address = serve(app).await;
        let statuses = async || {
            let mut statuses = Vec::new();
            for token in [&home, &other, &personal] {
                statuses.push(get(address, "/orders", Some(token)).await.0);
            }
            statuses
        };
        assert_eq!(statuses().await, [403, 403, 401]);
        list().insert(tenant);
        assert_eq!(statuses().await, [403, 200, 401]);
        list().insert(issuer.tenant_id().parse().unwrap());
        assert_eq!(statuses().await, [200, 200, 401]);
        list().remove(&tenant);
        assert_eq!(statuses().await, [200, 403, 401]);
        assert_eq!(get(address, "/orders", None).await.0, 401);
    });
}
