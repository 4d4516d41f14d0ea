//! Runs tests on one runtime that lives as long as the process, so that stacks and sessions can be
//! shared between tests.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The test itself runs on the calling thread, so that its messages are told as its own.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    RUNTIME.block_on(test)
}
