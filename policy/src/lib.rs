//! Who may go on now, who has to wait, and who is refused: the decisions of a proxy that protects
//! servers and neighbours.
//!
//! Pure state machines: no runtime, no timer, no socket. The caller brings the time with every
//! call and does the waking; so a test can play a day in a millisecond. What must stay true:
//! limits are exact, whatever the number of threads; memory is bounded by the configuration; a
//! clock that stands still or goes back grants nothing.
#![forbid(unsafe_code)]

mod breaker;
mod bucket;
mod keyed;
mod limiter;

pub use breaker::{Breaker, BreakerConfig, BreakerError, BreakerState, Outcome, Pass, Tripped};
pub use bucket::{Rate, TokenBucket};
pub use keyed::Keyed;
pub use limiter::{Entry, Limiter, LimiterConfig, Refusal, Released, Ticket};
