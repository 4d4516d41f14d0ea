//! Starting over when another gateway was faster.

use std::time::Duration;

use crate::RegistryError;

/// How often an operation starts over when another gateway was faster, and how long it waits at
/// most in between.
const ATTEMPTS: u32 = 40;
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Bounded repetition with growing random pauses, so that gateways that collided once don't again.
pub(super) struct Retry {
    left: u32,
    ceiling: Duration,
}

impl Retry {
    pub(super) fn new() -> Retry {
        Retry {
            left: ATTEMPTS,
            ceiling: Duration::from_millis(2),
        }
    }

    pub(super) async fn pause(&mut self) -> Result<(), RegistryError> {
        self.left = self.left.checked_sub(1).ok_or(RegistryError::Contended)?;
        tokio::time::sleep(self.ceiling.mul_f64(rand::random())).await;
        self.ceiling = (self.ceiling * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
