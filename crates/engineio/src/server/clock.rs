//! The clock: one task for all sessions, which wakes for the earliest deadline and drives the session it is of.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::Instant,
};

use super::{
    Handler, Link, lock, now,
    sync::{AtomicBool, Mutex, Notify},
    workers,
};

/// How many sessions are driven before the clock lets others run.
const DUE_BUDGET: usize = 64;

type Deadlines<H> = BTreeMap<(Instant, u64), Weak<Link<H>>>;

pub(super) struct Clock<H: Handler> {
    /// Guards the deadlines: at most one entry per session, taken out when it fires, moves or the session ends.
    /// Innermost of all locks, and held for one map operation.
    deadlines: Mutex<Deadlines<H>>,
    started: AtomicBool,
    stopped: AtomicBool,
    earlier: Notify,
}

impl<H: Handler> Default for Clock<H> {
    fn default() -> Self {
        Self {
            deadlines: Mutex::default(),
            started: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            earlier: Notify::new(),
        }
    }
}

impl<H: Handler> Clock<H> {
    /// Registers the deadline of a session in place of the one it had before. Called within a runtime.
    pub(super) fn arm(
        self: &Arc<Self>,
        key: u64,
        before: Option<Instant>,
        deadline: Instant,
        link: Weak<Link<H>>,
    ) {
        let mut deadlines = lock(&self.deadlines);
        if let Some(before) = before {
            deadlines.remove(&(before, key));
        }
        deadlines.insert((deadline, key), link);
        let is_first = deadlines
            .first_key_value()
            .is_some_and(|((_, first), _)| *first == key);
        drop(deadlines);
        if is_first {
            self.earlier.notify_one();
        }
        if !self.started.load(Ordering::Relaxed)
            && let Some(home) = workers::home()
            && !self.started.swap(true, Ordering::Relaxed)
        {
            // Owned by the engine: it ends when the engine is dropped.
            home.spawn(self.clone().run());
        }
    }

    /// Takes the deadline of a session out.
    pub(super) fn disarm(&self, key: u64, deadline: Instant) {
        lock(&self.deadlines).remove(&(deadline, key));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.deadlines).len()
    }

    /// Takes a deadline out, as when it fires.
    #[cfg(test)]
    pub(super) fn take(&self, deadline: Instant) -> usize {
        let mut deadlines = lock(&self.deadlines);
        let before = deadlines.len();
        deadlines.retain(|(at, _), _| *at != deadline);
        before - deadlines.len()
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.earlier.notify_one();
    }

    async fn run(self: Arc<Self>) {
        while !self.stopped.load(Ordering::Relaxed) {
            let next = lock(&self.deadlines)
                .first_key_value()
                .map(|((deadline, _), _)| *deadline);
            match next {
                Some(deadline) if deadline <= now() => {
                    self.fire_due();
                    tokio::task::yield_now().await;
                }
                Some(deadline) => {
                    tokio::select! {
                        // In a fixed order, as everywhere here: what a seed has made happen, it makes happen again.
                        biased;
                        () = tokio::time::sleep_until(deadline.into()) => {}
                        () = self.earlier.notified() => {}
                    }
                }
                None => self.earlier.notified().await,
            }
        }
    }

    fn fire_due(&self) {
        let now = now();
        for _ in 0..DUE_BUDGET {
            let mut deadlines = lock(&self.deadlines);
            let Some(entry) = deadlines.first_entry() else {
                return;
            };
            if entry.key().0 > now {
                return;
            }
            let ((deadline, _), link) = entry.remove_entry();
            drop(deadlines);
            if let Some(link) = link.upgrade() {
                link.handle_timeout(now, deadline);
            }
        }
    }
}
