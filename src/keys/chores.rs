//! What else is done once a minute, because the task of the keys is there to do it.

use std::sync::{Mutex, PoisonError, Weak};

/// Something that wants looking after, for as long as it is there.
pub(crate) trait Chore: Send + Sync {
    fn attend(&self);
}

/// The chores of one task. Keeps none of them alive.
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

    /// Attends to each, and forgets those that are gone.
    pub(super) fn attend(&self) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|chore| {
            let chore = chore.upgrade();
            chore.inspect(|chore| chore.attend()).is_some()
        });
    }
}
