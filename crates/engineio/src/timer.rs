//! The deadlines of a session: an enum of timers that indexes a small table.

use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// When the next ping is sent.
    Ping,
    /// When the client's sign of life is overdue: the answer to a ping, or in protocol 3 a ping of its own.
    Pong,
    /// When an upgrade is given up.
    Upgrade,
    /// When the application must have admitted the session.
    Admission,
    /// When a long-polling session must have made its first request.
    FirstPoll,
    /// When a closing session ends without having sent everything.
    Close,
}

impl Timer {
    pub(crate) const ALL: [Self; 6] = [
        Self::Ping,
        Self::Pong,
        Self::Upgrade,
        Self::Admission,
        Self::FirstPoll,
        Self::Close,
    ];
}

#[derive(Debug, Default)]
pub(crate) struct TimerTable([Option<Instant>; Timer::ALL.len()]);

impl TimerTable {
    pub(crate) fn set(&mut self, timer: Timer, deadline: Instant) {
        self.0[timer as usize] = Some(deadline);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().copied().flatten().min()
    }

    /// Stops and returns a timer that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .find(|timer| self.0[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(due);
        Some(due)
    }
}
