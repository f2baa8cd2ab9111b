//! One line for each token request.

use tower_entra::acquire::{AccessToken, AcquireError};

use crate::answer::in_terms_of_the_sidecar;

/// Who asked for which token.
#[derive(Debug)]
pub(crate) struct TokenRequest<'r> {
    /// The name of the API, as it is configured or as the caller wrote it.
    pub(crate) api: &'r str,
    /// The client that authenticates: the blueprint.
    pub(crate) client: &'r str,
    pub(crate) agent: Option<&'r str>,
    /// `none`, `caller` (on behalf of the inbound token's user), `agent_user_id` or `agent_user_name`. No name.
    pub(crate) user_kind: &'static str,
    pub(crate) tenant: &'r str,
}

impl TokenRequest<'_> {
    /// Writes how it ended: target `tower_entra::audit`, level `info` with a token and `warn` without.
    pub(crate) fn ended(&self, outcome: Result<&AccessToken, &AcquireError>) {
        match outcome {
            Ok(token) => self.got(match token.is_from_cache() {
                true => "cache",
                false => ENTRA,
            }),
            Err(error) => tracing::warn!(
                target: TARGET,
                api = self.api,
                client = self.client,
                agent = self.agent,
                user_kind = self.user_kind,
                tenant = self.tenant,
                outcome = error.kind().as_str(),
                reason = error.to_string(),
                hint = error.hint().map(in_terms_of_the_sidecar),
                correlation_id = error.correlation_id(),
                "no token",
            ),
        }
    }

    /// Writes that there is a token for the claims of a challenge, which was acquired for that.
    pub(crate) fn got_for_claims(&self) {
        self.got(ENTRA);
    }

    fn got(&self, source: &str) {
        tracing::info!(
            target: TARGET,
            api = self.api,
            client = self.client,
            agent = self.agent,
            user_kind = self.user_kind,
            tenant = self.tenant,
            outcome = "token",
            source,
            "token",
        );
    }
}

const TARGET: &str = "tower_entra::audit";
const ENTRA: &str = "entra";
