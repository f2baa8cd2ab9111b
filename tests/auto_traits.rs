//! What can cross threads, and what can be cloned.

use tower_entra::{
    AgentPrincipal, Audiences, Authority, ConfigError, ConfigErrors, Denial, DenialReason,
    EntraAuth, EntraAuthLayer, EntraConfig, Error, ErrorKind, ExpiringBody, ExpiringStreams,
    ExpiringStreamsLayer, Facets, KeyError, KeySettings, KeyStatus, NotReady, Require,
    RequireLayer, RequireRoutes, RequireRoutesLayer, Requirement, TenantId, Tenants, Validator,
    ValidatorBuilder,
};

const fn shared<T: Send + Sync + 'static>() {}
const fn cloned<T: Clone>() {}
const fn copied<T: Copy>() {}

const _: () = {
    shared::<AgentPrincipal>();
    shared::<Audiences>();
    shared::<Authority>();
    shared::<ConfigError>();
    shared::<ConfigErrors>();
    shared::<Denial>();
    shared::<EntraAuth<()>>();
    shared::<EntraAuthLayer>();
    shared::<EntraConfig>();
    shared::<Error>();
    shared::<ExpiringBody<()>>();
    shared::<ExpiringStreams<()>>();
    shared::<ExpiringStreamsLayer>();
    shared::<Facets>();
    shared::<KeyError>();
    shared::<KeySettings>();
    shared::<NotReady>();
    shared::<Require<()>>();
    shared::<RequireLayer>();
    shared::<RequireRoutes<()>>();
    shared::<RequireRoutesLayer>();
    shared::<Requirement>();
    shared::<Tenants>();
    shared::<Validator>();
    shared::<ValidatorBuilder>();
    cloned::<AgentPrincipal>();
    cloned::<EntraAuthLayer>();
    cloned::<ExpiringStreamsLayer>();
    cloned::<RequireLayer>();
    cloned::<Requirement>();
    cloned::<Error>();
    cloned::<KeyError>();
    cloned::<NotReady>();
    cloned::<Validator>();
    copied::<DenialReason>();
    copied::<ErrorKind>();
    copied::<KeyStatus>();
    copied::<TenantId>();
};

#[cfg(feature = "acquire")]
const _: () = {
    use tower_entra::acquire::{ClientCredential, UserAssertion};

    shared::<ClientCredential>();
    shared::<UserAssertion>();
    cloned::<ClientCredential>();
    cloned::<UserAssertion>();
};

#[test]
fn an_error_is_small_enough_to_be_returned_by_value() {
    assert!(size_of::<Error>() <= 32);
    // What clippy allows in a `Result`.
    assert!(size_of::<Denial>() <= 128);
}
