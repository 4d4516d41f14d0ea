//! Bounded waits. A wait names what it waits for, and when it fails it tells the last reason why
//! the thing was not so.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Repeats `attempt` until it succeeds or `limit` has passed.
///
/// # Errors
/// The last error, with what was waited for, when the limit has passed.
pub async fn eventually<T, F, Fut>(what: &str, limit: Duration, mut attempt: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let started = Instant::now();
    loop {
        let outcome = tokio::time::timeout(limit, attempt()).await;
        let reason = match outcome {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "the attempt itself took too long".to_owned(),
        };
        if started.elapsed() >= limit {
            bail!("waited {:.0} s for {what}: {reason}", limit.as_secs_f64());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_ends_with_its_last_reason() {
        let error = eventually("nothing", Duration::from_millis(150), || async {
            bail!("still not") as Result<()>
        })
        .await
        .expect_err("must time out");
        assert!(error.to_string().contains("nothing: still not"), "{error}");
    }
}
