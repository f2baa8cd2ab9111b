//! What can cross threads, and what can be cloned.

use tower_entra::{
    AgentPrincipal, Authority, ConfigError, EntraAuth, EntraAuthLayer, Error, ErrorKind, Facets,
    KeySettings, KeyStatus, TenantId, Tenants, Validator, ValidatorBuilder,
};

const fn shared<T: Send + Sync + 'static>() {}
const fn cloned<T: Clone>() {}
const fn copied<T: Copy>() {}

const _: () = {
    shared::<AgentPrincipal>();
    shared::<Authority>();
    shared::<ConfigError>();
    shared::<EntraAuth<()>>();
    shared::<EntraAuthLayer>();
    shared::<Error>();
    shared::<Facets>();
    shared::<KeySettings>();
    shared::<Tenants>();
    shared::<Validator>();
    shared::<ValidatorBuilder>();
    cloned::<AgentPrincipal>();
    cloned::<EntraAuthLayer>();
    cloned::<Error>();
    cloned::<Validator>();
    copied::<ErrorKind>();
    copied::<KeyStatus>();
    copied::<TenantId>();
};

#[test]
fn an_error_is_small_enough_to_be_returned_by_value() {
    assert!(size_of::<Error>() <= 32);
}
