//! How a test spoils the answers of the issuer.

use crate::testing::{
    fault::{Fault, Faults, Target},
    issuer::Issuer,
};

/// Faults. Each lasts until [`heal`](Self::heal), until it has struck as often as it was to, or
/// until another takes its place.
impl Issuer {
    /// Spoils every answer in this way from now on.
    pub fn fail(&self, fault: Fault) {
        self.fail_at(Target::Both, fault);
    }

    /// Spoils the next `times` answers, those of both documents counted together.
    pub fn fail_times(&self, times: u32, fault: Fault) {
        self.fail_times_at(Target::Both, times, fault);
    }

    /// Spoils every answer with one of the documents. A fault of the other document goes on.
    pub fn fail_at(&self, target: Target, fault: Fault) {
        self.shared.lock().faults.plan(target, None, fault);
    }

    /// Spoils the next `times` answers with one of the documents. A fault of the other document
    /// goes on.
    pub fn fail_times_at(&self, target: Target, times: u32, fault: Fault) {
        self.shared.lock().faults.plan(target, Some(times), fault);
    }

    /// Answers rightly again. Answers already under way stay spoiled.
    pub fn heal(&self) {
        self.shared.lock().faults = Faults::default();
    }
}
