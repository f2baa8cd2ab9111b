//! Futures that are ready at once.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// The output of a future that has nothing to wait for, without the cost of an executor.
#[track_caller]
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("there was something to wait for"),
    }
}
