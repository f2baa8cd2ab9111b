//! Faults that a test plans for the answers of the issuer.

use crate::testing::{
    fault::{Fault, Faults, Target},
    issuer::Issuer,
};

/// Faults. Each lasts until [`heal`](Self::heal), until its number of answers is reached, or until
/// another replaces it.
impl Issuer {
    /// Answers every request for a document with this fault from now on, those to the token endpoint
    /// excepted.
    pub fn fail(&self, fault: Fault) {
        self.fail_at(Target::Both, fault);
    }

    /// Answers the next `times` requests with this fault, counting both documents together.
    pub fn fail_times(&self, times: u32, fault: Fault) {
        self.fail_times_at(Target::Both, times, fault);
    }

    /// Answers every request for one of the documents, or to the token endpoint, with this fault. A fault
    /// of another endpoint continues.
    pub fn fail_at(&self, target: Target, fault: Fault) {
        self.shared.lock().faults.plan(target, None, fault);
    }

    /// Answers the next `times` requests for one of the documents, or to the token endpoint, with this
    /// fault. A fault of another endpoint continues.
    pub fn fail_times_at(&self, target: Target, times: u32, fault: Fault) {
        self.shared.lock().faults.plan(target, Some(times), fault);
    }

    /// Ends every fault. Answers that have begun keep theirs.
    pub fn heal(&self) {
        self.shared.lock().faults = Faults::default();
    }
}
