//! Coming from Microsoft.Identity.Web: its names, and those of this crate.
//!
//! [`EntraConfig`] reads a section `AzureAd` of there, from a document or from variables such as
//! `AzureAd__TenantId`. A setting that it does not know, or cannot honour, is refused by its name: take it
//! out of this section.
//!
//! | Microsoft.Identity.Web and ASP.NET Core | tower-entra |
//! |---|---|
//! | `AddMicrosoftIdentityWebApi(config.GetSection("AzureAd"))` | [`EntraConfig::from_env`] or serde, then [`validator`](EntraConfig::validator) and [`EntraAuthLayer::new`] |
//! | `Instance` | [`Authority`]; the same URL |
//! | `ClientId` without `Audience` | [`Audiences::client_id`]: the GUID for version 2.0 tokens, `api://` and the GUID for version 1.0 |
//! | `Audience`, `TokenValidationParameters.ValidAudiences` | `Audience`, `Audiences` |
//! | `[Authorize]` | [`EntraAuthLayer`] |
//! | `[AllowAnonymous]` | a route outside of the layer, or [`optional`](EntraAuthLayer::optional) |
//! | `FallbackPolicy` | the layer around the whole router, and a [`RequireRoutesLayer`](crate::RequireRoutesLayer) inside of it |
//! | `[RequiredScope("x")]`, `RequireScope` | [`RequireLayer`] with [`Requirement::scope`] |
//! | `RequiredScopesConfigurationKey = "AzureAd:Scopes"` | `Scopes`, then [`scope_requirement`](EntraConfig::scope_requirement) |
//! | `[RequiredScopeOrAppPermission]` | [`Requirement::scope_or_role`] |
//! | `[Authorize(Roles = "x")]` | [`Requirement::role`] |
//! | a named policy | a [`Requirement`] in a variable; it can be cloned |
//! | `VerifyUserHasAnyAcceptedScope` in a controller | [`Requirement::check`] in a handler, with `?` |
//! | `AllowWebApiToBeAuthorizedByACL` | [`with_authorization_by_acl`](crate::Validator::with_authorization_by_acl), in code only |
//! | `HttpContext.User` | [`AgentPrincipal`], as an extractor (feature `axum`) or from the request's extensions |
//! | `GetTenantId()`, `GetObjectId()` | [`tenant_id`](AgentPrincipal::tenant_id), [`object_id`](AgentPrincipal::object_id) |
//! | `FindFirst("azp")`, `FindFirst("appid")` | [`client_id`](AgentPrincipal::client_id), whatever the version |
//! | `User.IsInRole("x")` | [`has_role`](AgentPrincipal::has_role) |
//! | `GetDisplayName()`, any other claim | [`claims`](AgentPrincipal::claims) into a type of your own |
//! | `IsAgentUserIdentity()`, `GetParentAgentBlueprint()` | [`is_agent_user_identity`](AgentPrincipal::is_agent_user_identity), [`parent_agent_blueprint`](AgentPrincipal::parent_agent_blueprint); [`kind`](AgentPrincipal::kind) tells all kinds of agents |
//! | `JwtBearerEvents.OnTokenValidated` | a middleware inside of the layer |
//! | `JwtBearerEvents.OnChallenge` | [`refusal_body`](EntraAuthLayer::refusal_body); the challenge itself is made by the layer |
//! | `subscribeToJwtBearerMiddlewareDiagnosticsEvents` | the [audit log](EntraAuthLayer#the-audit-log), which is on, and the example `explain` |
//! | `EnablePiiLogging`, `ShowPII` | no such switch: reasons are always logged, and personal data never |
//! | `IDX10214`, `IDX10223`, `IDW10201` … | the codes of [`ErrorKind`](crate::ErrorKind) |
//! | `ReplyForbiddenWithWwwAuthenticateHeader`, `MsalUiRequiredException` of another API | [`Denial::for_claims`](crate::Denial::for_claims) |
//! | `dotnet user-jwts create` | `testing::Issuer` (feature `testing`); the example `quickstart` prints tokens |
//! | B2C, `TokenDecryptionCertificates` | not served; a configuration that has them is refused |
//! | `IDownstreamApi`, `ITokenAcquisition`, token caches | the module `acquire` (feature `acquire`): [`guide`](super) *calling as an agent* |
//!
//! # What differs
//!
//! - **Clock skew** is 60 s at most, where .NET has 300 s:
//!   [`clock_skew`](crate::ValidatorBuilder::clock_skew) sets it.
//! - **Unknown keys** are fetched within the request that brings the first token of a new key. The
//!   default of .NET fetches them at most every 5 minutes.
//! - **Without keys** the answer is 503, not 401 or 500: clients keep their tokens.
//! - **An ID token** is refused also if API and client share one registration.
//! - **`Scopes`** in the configuration does nothing by itself. It is a requirement only where
//!   [`scope_requirement`](EntraConfig::scope_requirement) is put around a route.
//! - **Names of claims** are not mapped: `claims` has `oid`, not
//!   `http://schemas.microsoft.com/identity/claims/objectidentifier`.

#[allow(unused_imports, reason = "for the links above")]
use crate::{
    AgentPrincipal, Audiences, Authority, EntraAuthLayer, EntraConfig, RequireLayer, Requirement,
};
