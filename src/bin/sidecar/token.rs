//! One token, as a request asks for it.

use tower_entra::{
    AppId, TenantId,
    acquire::{AccessToken, AcquireError, AcquireErrorKind, Scopes, TokenOptions, TokenSource},
};

use crate::{
    answer::{self, Fault},
    app::{App, AskedScopes},
    asked::{Asked, AskedAgent},
    audit::TokenRequest,
    identity::{Identity, Wish},
    inbound::Inbound,
    overrides::Overrides,
    problem::Problem,
    settings::{Api, TokenSettings},
};

/// One token that a request asks for: who acts, for which scopes, with which options. All of it is of this
/// request and of the configuration. The token itself can be one that another request has had fetched for the
/// same identity and scopes, and then with that request's claims.
#[derive(Clone, Debug)]
pub(crate) struct Acquisition<'r> {
    api: &'r str,
    client: AppId,
    tenant: TenantId,
    agent: Option<AppId>,
    identity: Identity,
    scopes: Scopes,
    options: Options,
    fault: Fault,
}

/// `AcquireTokenOptions`, of the caller and of the configuration. `Debug` shows no claims.
#[derive(Clone, Default)]
struct Options {
    claims: Option<String>,
    force_refresh: bool,
    correlation_id: Option<String>,
}

impl<'r> Acquisition<'r> {
    /// What this request asks for.
    ///
    /// # Errors
    ///
    /// - 400 without scopes, for agent parameters that fit nothing, for an app token beside a user that the
    ///   caller names, and for scopes of the caller that no token has
    /// - 401 and 503 where a user is needed: [`Identity::of`]
    /// - 500 without a credential, and for scopes of the configuration that no token has
    pub(crate) fn new(
        app: &App,
        api: &'r str,
        asked: &Asked,
        inbound: &Inbound,
    ) -> Result<Self, Problem> {
        let configured = app.settings.apis.get(api);
        let overrides = &asked.overrides;
        let of_caller = AskedScopes::of(&overrides.scopes);
        let scopes_by_caller = of_caller.is_some();
        let Some(scopes) = of_caller.as_ref().or_else(|| app.scopes.get(api)) else {
            return Err(no_scopes(api));
        };
        let agent = asked.agent(&app.settings)?;
        let has_user = |agent: &AskedAgent| agent.user.is_some();
        if overrides.request_app_token && agent.as_ref().is_some_and(has_user) {
            return Err(app_token_of_a_user());
        }
        let Some(client) = &app.client else {
            return Err(Problem::unexpected().with_hint(
                "Configure AzureAd:ClientCredentials: without a credential only /Validate works.",
            ));
        };
        let tenant = overrides.tenant.or_else(|| configured?.token.tenant);
        let identity = Identity::of(
            client,
            Wish {
                agent: agent.as_ref(),
                app_token: overrides.request_app_token || configured.is_some_and(wants_app_token),
                inbound,
                tenant,
            },
        )?;
        let asked_for = match identity.is_app {
            true => &scopes.of_app,
            false => &scopes.of_user,
        };
        let scopes = asked_for.clone().map_err(|error| {
            tracing::warn!(
                api,
                hint = error.hint(),
                "no token can be asked for with these scopes"
            );
            answer::problem(&error, fault_of(scopes_by_caller))
        })?;
        let by_caller = overrides.claims.is_some()
            || overrides.tenant.is_some()
            || agent.as_ref().is_some_and(has_user)
            || (identity.is_app && (scopes_by_caller || overrides.request_app_token));
        Ok(Self {
            api,
            client: client.client_id(),
            tenant: tenant.unwrap_or(app.settings.azure_ad.tenant),
            agent: agent.map(|agent| agent.id),
            identity,
            scopes,
            options: Options::of(overrides, configured.map(|api| &api.token)),
            fault: fault_of(by_caller),
        })
    }

    /// Who acts.
    pub(crate) fn source(&self) -> &TokenSource {
        &self.identity.source
    }

    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The token. Writes a line of the audit log.
    ///
    /// # Errors
    ///
    /// As [`answer::problem`] says.
    pub(crate) async fn token(&self) -> Result<AccessToken, Problem> {
        let Options {
            claims,
            force_refresh,
            correlation_id,
        } = &self.options;
        let mut options = TokenOptions::default().force_refresh(*force_refresh);
        if let Some(claims) = claims {
            options = options.claims(claims);
        }
        if let Some(id) = correlation_id {
            options = options.correlation_id(id);
        }
        self.ended(self.source().token_with(&self.scopes, options).await)
    }

    /// There is no token any more, or none for the claims of an API's challenge. Writes a line of the audit log.
    pub(crate) fn refused(&self, error: &AcquireError) -> Problem {
        self.audit().ended(Err(error));
        answer::problem(error, self.fault)
    }

    /// An API has asked for claims, and a token for them was acquired. Writes a line of the audit log.
    pub(crate) fn got_for_claims(&self) {
        self.audit().got_for_claims();
    }

    fn ended(&self, got: Result<AccessToken, AcquireError>) -> Result<AccessToken, Problem> {
        self.audit().ended(got.as_ref());
        got.map_err(|error| match (error.kind(), &self.options.claims) {
            (AcquireErrorKind::Busy, Some(_)) => answer::too_many_claims(&error),
            _ => answer::problem(&error, self.fault),
        })
    }

    fn audit(&self) -> TokenRequest<'_> {
        TokenRequest {
            api: self.api,
            client: self.client.as_str(),
            agent: self.agent.as_ref().map(AppId::as_str),
            user_kind: self.identity.user_kind,
            tenant: self.tenant.as_str(),
        }
    }
}

impl Options {
    /// An override of whatever kind takes `ForceRefresh` and `CorrelationId` with it, given or not, as in
    /// Microsoft's sidecar.
    fn of(overrides: &Overrides, configured: Option<&TokenSettings>) -> Self {
        let claims = overrides
            .claims
            .as_ref()
            .or_else(|| configured?.claims.as_ref());
        let (force_refresh, correlation_id) = match configured {
            Some(configured) if !overrides.is_given() => {
                (configured.force_refresh, &configured.correlation_id)
            }
            _ => (overrides.force_refresh, &overrides.correlation_id),
        };
        Self {
            claims: claims.cloned(),
            force_refresh,
            correlation_id: correlation_id.clone(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("has_claims", &self.claims.is_some())
            .field("force_refresh", &self.force_refresh)
            .field("correlation_id", &self.correlation_id)
            .finish()
    }
}

fn wants_app_token(api: &Api) -> bool {
    api.request_app_token
}

fn fault_of(by_caller: bool) -> Fault {
    match by_caller {
        true => Fault::Caller,
        false => Fault::Configuration,
    }
}

/// Microsoft's text. The name is the caller's own, from the path.
fn no_scopes(api: &str) -> Problem {
    let detail = format!(
        "No scopes found for the API '{api}' or in optionsOverride. 'scopes' needs to be either a single value \
         or a list of values."
    );
    Problem::bad_request(detail).with_hint(
        "Configure DownstreamApis with an API of this name, letter case included, and its Scopes.",
    )
}

fn app_token_of_a_user() -> Problem {
    let detail = "optionsOverride.RequestAppToken and a user (AgentUsername, AgentUserId) are mutually exclusive.";
    Problem::bad_request(detail).with_hint(
        "Leave out RequestAppToken to act as the agent's user, or the user to act as the agent.",
    )
}
