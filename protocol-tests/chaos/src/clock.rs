//! The clock of the history: the system's monotonic one, which a child process reads as well.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds since a fixed moment, the same for all processes of this machine.
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec).unwrap_or(0);
    seconds * 1_000_000 + nanoseconds / 1_000
}
