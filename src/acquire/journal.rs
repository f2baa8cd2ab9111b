//! What is logged and counted of acquisitions: ids and codes, never a token.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    acquire::{
        acting::Acting, cache::Source, error::AcquireError, flight_error::cut_off,
        kind::AcquireErrorKind, scopes::Scopes, token::AccessToken,
    },
    ids::{AppId, TenantId},
    metrics,
    moment::Moment,
};

/// A request to the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegName {
    /// An app's own.
    Client,
    /// T1.
    AgentAssertion,
    /// T2.
    AgentExchange,
    /// The last one of an agent.
    Agent,
}

impl LegName {
    const ALL: [Self; 4] = [
        Self::Client,
        Self::AgentAssertion,
        Self::AgentExchange,
        Self::Agent,
    ];

    /// A value of the label `leg`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "app",
            Self::AgentAssertion => "agent_assertion",
            Self::AgentExchange => "agent_exchange",
            Self::Agent => "agent",
        }
    }
}

/// The log of one flight. One that is dropped without a result, because it took too long, panicked or
/// lost its runtime, is logged as a failure.
pub(super) struct Journal {
    began: Moment,
    flow: &'static str,
    client: AppId,
    agent: Option<AppId>,
    tenant: TenantId,
    scopes: Scopes,
    correlation_id: Option<String>,
    has_ended: bool,
}

impl Journal {
    pub(super) fn begin(
        acting: &Acting,
        client: AppId,
        tenant: TenantId,
        scopes: &Scopes,
        correlation_id: Option<String>,
    ) -> Self {
        Self {
            began: Moment::now(),
            flow: acting.as_str(),
            client,
            agent: acting.agent(),
            tenant,
            scopes: scopes.clone(),
            correlation_id,
            has_ended: false,
        }
    }

    pub(super) fn ended(mut self, result: &Result<AccessToken, AcquireError>) {
        self.has_ended = true;
        self.write(result);
    }

    fn write(&self, result: &Result<AccessToken, AcquireError>) {
        let correlation_id = self.correlation_id.as_deref();
        let took = Moment::now().since(self.began);
        let agent = self.agent.as_ref().map(AppId::as_str);
        match result {
            Ok(token) => tracing::info!(
                target: TARGET,
                flow = self.flow,
                client = self.client.as_str(),
                agent,
                tenant = self.tenant.as_str(),
                scopes = self.scopes.as_str(),
                lives_s = token.lives().as_secs(),
                took_ms = milliseconds(took),
                correlation_id,
                "acquired",
            ),
            Err(error) => tracing::warn!(
                target: TARGET,
                flow = self.flow,
                client = self.client.as_str(),
                agent,
                tenant = self.tenant.as_str(),
                scopes = self.scopes.as_str(),
                code = error.kind().as_str(),
                aadsts = error.code(),
                // As a text, so that it is quoted: Entra's words, or those of an HTTP client, add no field.
                reason = error.to_string(),
                hint = error.hint(),
                retry_after_s = error.retry_after().map(|after| after.as_secs()),
                took_ms = milliseconds(took),
                correlation_id,
                trace_id = error.trace_id(),
                "not acquired",
            ),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // The subscriber belongs to the program: a panic here may come in the midst of another.
        let _ = catch_unwind(AssertUnwindSafe(|| self.write(&Err(cut_off()))));
    }
}

/// Registers the series of the metrics.
pub(super) fn start() {
    let kinds = AcquireErrorKind::ALL.map(AcquireErrorKind::as_str);
    metrics::start_acquiring(&Acting::FLOWS, &LegName::ALL.map(LegName::as_str), &kinds);
}

/// Counts one answer of a token source.
pub(super) fn answered(acting: &Acting, got: Result<Source, &AcquireError>) {
    let got = match got {
        Ok(Source::Cache) => Ok("cache"),
        Ok(Source::Started | Source::Joined) => Ok("entra"),
        Err(error) => Err(error.kind().as_str()),
    };
    metrics::acquired(acting.as_str(), got);
}

/// Counts one request to the token endpoint.
pub(super) fn requested(leg: LegName, began: Moment, failed: Option<&AcquireError>) {
    let took = Moment::now().since(began);
    let kind = failed.map(AcquireError::kind).map(AcquireErrorKind::as_str);
    metrics::token_requested(leg.as_str(), kind, took);
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

const TARGET: &str = "tower_entra::acquire";
