//! The one clock of the generator: what it measures is real time on a real machine.

use std::time::Instant;

/// The time.
#[expect(
    clippy::disallowed_methods,
    reason = "a load generator measures real time"
)]
pub fn now() -> Instant {
    Instant::now()
}
