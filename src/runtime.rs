//! What is asked of the runtime of a caller.

use std::{panic::catch_unwind, time::Duration};

use tokio::{runtime::Handle, time};

/// The caller's runtime, if it has one and its timer is enabled. Without a timer `sleep` panics,
/// which must not reach a request.
pub(crate) fn runtime_with_a_timer() -> Option<Handle> {
    let runtime = Handle::try_current().ok()?;
    let make_a_timer = || drop(Box::pin(time::sleep(Duration::ZERO)));
    catch_unwind(make_a_timer).is_ok().then_some(runtime)
}
