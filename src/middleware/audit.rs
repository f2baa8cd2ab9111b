//! One line in the log for each request that was decided.

use tracing::{Level, field};

use crate::{
    diagnosis::ASK_FOR_FACETS,
    error::Error,
    principal::{AgentPrincipal, AgentStatus, AuditFields},
};

/// Whether a layer keeps an audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audit {
    On,
    Off,
}

impl Audit {
    /// A request goes on. Returns its caller if a denial would have to name it.
    pub(super) fn admitted(self, caller: Option<&AgentPrincipal>) -> Option<AgentPrincipal> {
        if self == Self::Off || !tracing::enabled!(target: TARGET, Level::INFO) {
            return None;
        }
        let Some(caller) = caller else {
            // Who calls without a token is for the access log.
            tracing::debug!(target: TARGET, "request let through without a token");
            return None;
        };
        let fields = AuditFields::of(caller);
        tracing::info!(
            target: TARGET,
            tid = %fields.tid,
            oid = fields.oid.map(field::display),
            client_id = fields.client_id.map(field::display),
            kind = %fields.kind,
            agent_status = %fields.agent_status,
            actor_facets = fields.actor_facets.map(field::display),
            subject_facets = fields.subject_facets.map(field::display),
            tenant_facets = fields.tenant_facets.map(field::display),
            parent_agent_blueprint = fields.parent_agent_blueprint.map(field::display),
            uti = fields.uti.map(field::display),
            token_version = fields.token_version,
            hint = hint_about(caller),
            "request admitted",
        );
        Some(caller.clone())
    }

    /// A request was refused: by the layer, or, if its caller is known, by a handler.
    pub(super) fn refused(self, error: &Error, caller: Option<&AgentPrincipal>) {
        let code = error.kind().as_str();
        if self == Self::Off {
            tracing::debug!(
                target: "tower_entra",
                code,
                reason = %error,
                hint = error.hint(),
                "request refused",
            );
            return;
        }
        let Some(caller) = caller else {
            tracing::info!(
                target: TARGET,
                code,
                reason = %error,
                hint = error.hint(),
                "request refused",
            );
            return;
        };
        let fields = AuditFields::of(caller);
        tracing::info!(
            target: TARGET,
            code,
            reason = %error,
            hint = error.hint(),
            tid = %fields.tid,
            oid = fields.oid.map(field::display),
            client_id = fields.client_id.map(field::display),
            kind = %fields.kind,
            agent_status = %fields.agent_status,
            actor_facets = fields.actor_facets.map(field::display),
            subject_facets = fields.subject_facets.map(field::display),
            tenant_facets = fields.tenant_facets.map(field::display),
            parent_agent_blueprint = fields.parent_agent_blueprint.map(field::display),
            uti = fields.uti.map(field::display),
            token_version = fields.token_version,
            "request refused",
        );
    }
}

/// What would tell whether an agent is calling, where nobody knows.
fn hint_about(caller: &AgentPrincipal) -> Option<&'static str> {
    let is_unattested = caller.agent_status() == AgentStatus::Unattested;
    is_unattested.then_some(ASK_FOR_FACETS)
}

const TARGET: &str = "tower_entra::audit";
