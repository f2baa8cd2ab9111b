//! Which connections from other machines there may be at a time.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// The connections from other machines, the oldest first. Cheap to clone; the clones share them.
///
/// Heads that do not end would fill the number of them, and keep the probes of a cluster out until the time for a
/// head is over. So a connection too many takes the place of the oldest one that has no request under way.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    most: usize,
    all: Arc<Mutex<VecDeque<Arc<Connection>>>>,
}

#[derive(Debug, Default)]
struct Connection {
    has_request: AtomicBool,
    is_replaced: Notify,
}

impl Remote {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            all: Arc::default(),
        }
    }

    /// The place of a new connection. `None` if each of the others has a request under way.
    pub(super) fn admit(&self) -> Option<Place> {
        let mut all = self.lock();
        if all.len() >= self.most {
            let mut oldest_first = all.iter();
            let at = oldest_first.position(|other| !other.has_request.load(Ordering::Relaxed))?;
            all.remove(at)?.is_replaced.notify_one();
        }
        let connection = Arc::new(Connection::default());
        all.push_back(Arc::clone(&connection));
        Some(Place {
            connection,
            remote: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Connection>>> {
        // No code that panics runs while it is locked.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the connections from other machines.
#[derive(Debug)]
pub(super) struct Place {
    connection: Arc<Connection>,
    remote: Remote,
}

impl Place {
    /// Waits until a newer connection has this place.
    pub(super) async fn is_replaced(&self) {
        self.connection.is_replaced.notified().await;
    }

    /// A request is under way until the value is dropped.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.connection.has_request.store(true, Ordering::Relaxed);
        UnderWay(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.remote.lock();
        let mut oldest_first = all.iter();
        let at = oldest_first.position(|other| Arc::ptr_eq(other, &self.connection));
        // One that was replaced is not there.
        at.map(|at| all.remove(at));
    }
}

/// A request of a connection.
#[derive(Debug)]
pub(super) struct UnderWay<'p>(&'p Place);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let connection = &self.0.connection;
        connection.has_request.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    /// Whether a place is another one's now.
    fn is_replaced(place: &Place) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pin!(place.is_replaced()).poll(&mut context).is_ready()
    }

    #[test]
    fn one_too_many_takes_the_place_of_the_oldest_without_a_request() {
        let remote = Remote::new(3);
        let [first, second, third] = [(); 3].map(|()| remote.admit().expect("a place"));
        let under_way = first.begin();
        let fourth = remote.admit().expect("that of the second");
        assert!(is_replaced(&second));
        for kept in [&first, &third, &fourth] {
            assert!(!is_replaced(kept));
        }
        drop((under_way, second));
        let _fifth = remote.admit().expect("that of the first");
        assert!(is_replaced(&first));
        assert!(!is_replaced(&third) && !is_replaced(&fourth));
        assert_eq!(remote.lock().len(), 3);
    }

    #[test]
    fn no_connection_with_a_request_is_replaced() {
        let remote = Remote::new(2);
        let [first, second] = [(); 2].map(|()| remote.admit().expect("a place"));
        let requests = [first.begin(), second.begin()];
        assert!(remote.admit().is_none());
        drop(requests);
        assert!(remote.admit().is_some());
    }

    #[test]
    fn a_connection_that_ends_leaves_its_place() {
        let remote = Remote::new(2);
        let [first, second] = [(); 2].map(|()| remote.admit().expect("a place"));
        drop(second);
        let _third = remote.admit().expect("that of the second");
        assert!(!is_replaced(&first));
    }

    #[test]
    fn a_flood_of_heads_that_do_not_end_keeps_no_probe_out() {
        let remote = Remote::new(1_024);
        let mut flood = VecDeque::new();
        for _ in 0..5_000 {
            flood.push_back(remote.admit().expect("a place"));
            if flood.len() > 1_024 {
                assert!(flood.pop_front().is_some_and(|place| is_replaced(&place)));
            }
        }
        let probe = remote.admit().expect("a place");
        let _request = probe.begin();
        let _more: Vec<_> = (0..3_000).map(|_| remote.admit()).collect();
        assert!(!is_replaced(&probe));
    }
}
