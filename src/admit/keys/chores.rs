//! Work of other modules that the key task runs once a minute.

use std::sync::{Mutex, PoisonError, Weak};

/// Work to run once a minute, while its owner exists.
pub(crate) trait Chore: Send + Sync {
    fn attend(&self);
}

/// The chores of one task. Holds weak references only, so that it keeps no owner alive.
#[derive(Default)]
pub(super) struct Chores {
    list: Mutex<Vec<Weak<dyn Chore>>>,
}

impl Chores {
    pub(super) fn add(&self, chore: Weak<dyn Chore>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(chore);
    }

    pub(super) fn is_empty(&self) -> bool {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.is_empty()
    }

    /// Runs each chore, and removes those whose owner is gone.
    pub(super) fn attend(&self) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|chore| {
            let chore = chore.upgrade();
            chore.inspect(|chore| chore.attend()).is_some()
        });
    }
}
