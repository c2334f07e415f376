//! `Flow`: how many handlers of a connection are under way, and when to read no further because of them.

use std::sync::{Arc, Mutex};

use super::{Link, lock};

/// The unfinished work of one connection.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Guards two numbers. The session's lock is taken under it, to pause or resume reading; nothing else is.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Handlers that have started and wait for something.
    handlers: usize,
    /// Answers that the server waits for.
    acks: usize,
    is_paused: bool,
}

impl Flow {
    /// A handler could not finish at once. It is counted until the ticket is dropped.
    pub(crate) fn begin_handler(link: &Arc<Link>) -> Ticket {
        link.data().flow.change(link, |state| state.handlers += 1);
        Ticket(link.clone())
    }

    /// The server waits for one more answer of this client.
    pub(crate) fn begin_ack(link: &Arc<Link>) {
        link.data().flow.change(link, |state| state.acks += 1);
    }

    /// That many answers are waited for no longer.
    pub(crate) fn end_acks(link: &Arc<Link>, count: usize) {
        if count > 0 {
            link.data()
                .flow
                .change(link, |state| state.acks = state.acks.saturating_sub(count));
        }
    }

    /// A handler may wait for an answer of its own client, which must then be read: each answer that is waited for
    /// lets one handler more be under way.
    fn change(&self, link: &Link, change: impl FnOnce(&mut State)) {
        let max = link.engine().handler().config.max_inflight_handlers.max(1);
        let mut state = lock(&self.state);
        change(&mut state);
        let is_full = state.handlers >= max.saturating_add(state.acks);
        if is_full != state.is_paused {
            state.is_paused = is_full;
            if is_full {
                link.pause_reading();
            } else {
                link.resume_reading();
            }
        }
    }
}

/// Stands for a handler under way.
pub(crate) struct Ticket(Arc<Link>);

impl Drop for Ticket {
    fn drop(&mut self) {
        let flow = &self.0.data().flow;
        flow.change(&self.0, |state| {
            state.handlers = state.handlers.saturating_sub(1)
        });
    }
}
