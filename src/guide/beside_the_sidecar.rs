//! Beside Microsoft's sidecar: who does what.
//!
//! For programs outside of .NET, Microsoft offers its authentication library as a container: the *Entra
//! SDK for AgentID*, `mcr.microsoft.com/entra-sdk/auth-sidecar`. It listens on loopback beside the
//! program. It checks incoming tokens (`GET /Validate`) and acquires tokens for outgoing calls
//! (`/AuthorizationHeader`, `/DownstreamApi`).
//!
//! | | `GET /Validate` of the sidecar | this crate |
//! |---|---|---|
//! | runs | in a container of its own, one HTTP call for each request | in the process, without a call |
//! | its answer | the token and its claims as JSON | [`AgentPrincipal`](crate::AgentPrincipal): kind, agent status, tenant, scopes, roles |
//! | refusals | 401, which the program hands on | 400, 401, 403 or 503 with the challenges of RFC 6750 and RFC 9728 |
//! | agents | the facets as text, for the program to read | read, with a third state for what is not attested |
//! | scopes and roles | one scope for the whole API (`AzureAd:Scopes`); no roles | [`Requirement`](crate::Requirement)s for each route |
//! | a token that grants nothing | admitted in version 1.1.2 | refused, unless [set otherwise](crate::Validator::with_authorization_by_acl) |
//! | clock skew | 300 s | 60 s |
//! | proof of possession (`PoP`) | checked, in version 1.1.2 | refused |
//! | outgoing tokens | yes: on behalf of a person, for an agent, through its user account | the same, in the process: the feature `acquire` |
//!
//! For agents in other languages this repository has a sidecar of its own, with the same interface:
//! [moving from Microsoft's sidecar](super::from_microsofts_sidecar).
//!
//! # Both
//!
//! An API that calls other APIs needs tokens for them: from the module `acquire` of this crate, or from a
//! sidecar that is there already. Keep the sidecar for that, and check incoming requests here. After [`EntraAuthLayer`](crate::EntraAuthLayer) has admitted a
//! request, its handler still finds the header `Authorization`, and sends it to the sidecar:
//!
//! ```sh
//! curl "http://127.0.0.1:5178/AuthorizationHeader/graph" -H "Authorization: Bearer $TOKEN"
//! # {"authorizationHeader": "Bearer …"}: the value for the call to the other API
//! ```
//!
//! Both read the same variables: `AzureAd__Instance`, `AzureAd__TenantId`, `AzureAd__ClientId`,
//! `AzureAd__Audience`. Two readings differ, and a setting of the sidecar that
//! [`EntraConfig`](crate::EntraConfig) does not know is refused by its name. `AzureAd__Scopes` is one scope
//! to the sidecar, even with spaces in it, and a list here. The sidecar's
//! `AzureAd__AllowWebApiToBeAuthorizedByACL=true` is refused by [`EntraConfig`](crate::EntraConfig), because
//! only code takes a check away.
//!
//! What the sidecar has been told to do for a caller is not limited by this crate: it gives a token to
//! every process that reaches its port. Leave the routes without authentication at their default, without
//! overrides.
//!
//! These facts are those of versions 1.1.1 and 1.1.2 (September 2026), read in its
//! [source](https://github.com/AzureAD/microsoft-identity-web/tree/master/src/Microsoft.Identity.Web.Sidecar)
//! and [documentation](https://learn.microsoft.com/entra/msidweb/agent-id-sdk/endpoints).
