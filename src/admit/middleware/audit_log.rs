//! One event for each request that was decided.
//!
//! What can hold a text from outside is recorded as a text and not by `Display`: subscribers that write
//! plain lines quote the first only. Otherwise an unsigned `aud` such as `x code=ok` adds a field.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tracing::{Level, field};

use crate::admit::{
    error::ASK_FOR_FACETS,
    error::Error,
    principal::{AgentPrincipal, AgentStatus, AuditFields, Plain},
    requirement::DenialReason,
};

/// An event of this target about a known caller: the fields `before`, those of an audit record, and those
/// `after`.
macro_rules! caller_event {
    ($target:ident, $caller:ident, { $($before:tt)* }, { $($after:tt)* }, $message:literal) => {{
        // No `..`: a field that is new in the record does not compile until it is here too.
        let AuditFields {
            tid,
            oid,
            client_id,
            kind,
            agent_status,
            actor_facets,
            subject_facets,
            tenant_facets,
            parent_agent_blueprint,
            uti,
            token_version,
        } = AuditFields::of($caller);
        tracing::event!(
            target: $target,
            Level::INFO,
            $($before)*
            %tid,
            oid = oid.map(field::display),
            client_id = client_id.map(field::display),
            %kind,
            %agent_status,
            actor_facets = actor_facets.map(field::display),
            subject_facets = subject_facets.map(field::display),
            tenant_facets = tenant_facets.map(field::display),
            parent_agent_blueprint = parent_agent_blueprint.map(field::display),
            uti = uti.as_ref().map(Plain::as_str),
            token_version,
            no_client_id = $caller.why_no_client(),
            groups_overage = groups_overage($caller),
            malformed_claims = malformed_claims($caller),
            $($after)*
            $message,
        );
    }};
}

/// Whether a layer keeps an audit log.
#[derive(Clone, Debug)]
pub(super) enum Audit {
    /// The flag is set once the hint about unattested callers was logged. The claims are missing in
    /// every token of a registration, so one hint is enough for a layer and all its clones.
    On(Arc<AtomicBool>),
    Off,
}

impl Audit {
    pub(super) fn on() -> Self {
        Self::On(Arc::default())
    }

    /// Logs an admitted request. Returns the caller if the event of a later denial would name it.
    pub(super) fn admitted(&self, caller: Option<&AgentPrincipal>) -> Option<AgentPrincipal> {
        let Self::On(has_hinted) = self else {
            return None;
        };
        let Some(caller) = caller else {
            // Requests without a token belong in the access log.
            tracing::debug!(target: ADMITTED, "request let through without a token");
            return None;
        };
        if tracing::enabled!(target: ADMITTED, Level::INFO) {
            caller_event!(
                ADMITTED,
                caller,
                {},
                { hint = hint_about(caller, has_hinted), },
                "request admitted"
            );
        }
        tracing::enabled!(target: REFUSED, Level::INFO).then(|| caller.clone())
    }

    /// Logs a refusal by the layer.
    pub(super) fn refused(&self, error: &Error) {
        self.write(error, None, None);
    }

    /// Logs a denial by a handler or a layer inside. There is no caller if there was no token.
    pub(super) fn denied(
        &self,
        error: &Error,
        reason: DenialReason,
        caller: Option<&AgentPrincipal>,
    ) {
        self.write(error, Some(reason.as_str()), caller);
    }

    fn write(&self, error: &Error, denial: Option<&str>, caller: Option<&AgentPrincipal>) {
        let code = error.kind().as_str();
        if matches!(self, Self::Off) {
            tracing::event!(
                target: "tower_entra",
                Level::DEBUG,
                code,
                denial,
                reason = error.to_string(),
                hint = error.hint(),
                "request refused",
            );
            return;
        }
        let Some(caller) = caller else {
            tracing::event!(
                target: REFUSED,
                Level::INFO,
                code,
                denial,
                reason = error.to_string(),
                hint = error.hint(),
                "request refused",
            );
            return;
        };
        caller_event!(
            REFUSED,
            caller,
            { code, denial, reason = error.to_string(), hint = error.hint(), },
            {},
            "request refused"
        );
    }
}

/// How to identify agents: for the first unattested caller.
fn hint_about(caller: &AgentPrincipal, has_hinted: &AtomicBool) -> Option<&'static str> {
    let is_first = caller.agent_status() == AgentStatus::Unattested
        && !has_hinted.load(Ordering::Relaxed)
        && !has_hinted.swap(true, Ordering::Relaxed);
    is_first.then_some(ASK_FOR_FACETS)
}

/// `true`, or absent.
fn groups_overage(caller: &AgentPrincipal) -> Option<bool> {
    caller.groups().has_overage().then_some(true)
}

/// The names of claims that count as absent: a few constants.
fn malformed_claims(caller: &AgentPrincipal) -> Option<String> {
    let names = caller.malformed_claims();
    (!names.is_empty()).then(|| names.join(" "))
}

/// A filter on `tower_entra::audit` is one on both targets.
const ADMITTED: &str = "tower_entra::audit::admitted";
const REFUSED: &str = "tower_entra::audit::refused";
