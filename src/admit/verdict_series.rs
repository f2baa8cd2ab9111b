//! Which verdicts there can be, for the metrics to begin with.

use super::{
    error::ErrorKind,
    principal::{AgentStatus, PrincipalKind},
    requirement::DenialReason,
};
use crate::metrics;

/// Lists the series of verdicts, so that each begins with 0.
pub(super) fn list() {
    let refusals = ErrorKind::ALL.into_iter();
    let codes = refusals.filter(|kind| *kind != ErrorKind::Denied);
    let callers = KINDS.into_iter().flat_map(|kind| {
        let statuses = STATUSES.into_iter();
        let possible = statuses.filter(move |status| can_be(kind, *status));
        possible.map(move |status| (kind.as_str(), status.as_str()))
    });
    let denials = DenialReason::COUNTED.iter().map(|reason| reason.as_str());
    metrics::list_verdicts(
        &codes.map(ErrorKind::as_str).collect::<Vec<_>>(),
        &callers.collect::<Vec<_>>(),
        &denials.collect::<Vec<_>>(),
    );
}

/// Whether a caller of this kind can have this status.
fn can_be(kind: PrincipalKind, status: AgentStatus) -> bool {
    match kind {
        // Only a facet makes one.
        PrincipalKind::AgentUser => status == AgentStatus::Attested,
        PrincipalKind::AutonomousAgent | PrincipalKind::AgentOnBehalfOfUser => {
            matches!(status, AgentStatus::Attested | AgentStatus::Declared)
        }
        // Attested, if the client is an agent's user account: such an actor makes no kind of agent.
        PrincipalKind::User | PrincipalKind::Application => status != AgentStatus::Declared,
        PrincipalKind::Unknown => true,
    }
}

const KINDS: [PrincipalKind; 6] = [
    PrincipalKind::AutonomousAgent,
    PrincipalKind::AgentOnBehalfOfUser,
    PrincipalKind::AgentUser,
    PrincipalKind::User,
    PrincipalKind::Application,
    PrincipalKind::Unknown,
];

const STATUSES: [AgentStatus; 4] = [
    AgentStatus::Attested,
    AgentStatus::Declared,
    AgentStatus::NotAgent,
    AgentStatus::Unattested,
];
