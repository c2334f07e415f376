//! What happens next, and the clock: nothing passes between two events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::network::ConnId;

/// Milliseconds since the run began.
pub type Ms = u64;

/// Something that happens at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The beginning of a connection, the next of its bytes, or its end arrive.
    ToServer(ConnId),
    ToClient(ConnId),
    /// A client has something to do.
    Client(usize),
    /// A step of the log.
    Log,
    /// Something is broken, and then the next thing.
    Fault,
    /// The server dies again soon after it was started.
    Mishap,
    /// The server is started again.
    Start,
}

/// The events to come, in order of time; those of one moment in the order in which they were made.
#[derive(Debug, Default)]
pub struct Agenda {
    pub now: Ms,
    events: BinaryHeap<Reverse<(Ms, u64, Event)>>,
    made: u64,
}

impl Agenda {
    pub fn at(&mut self, time: Ms, event: Event) {
        self.made += 1;
        self.events
            .push(Reverse((time.max(self.now), self.made, event)));
    }

    /// When the next event is.
    pub fn next_time(&self) -> Option<Ms> {
        self.events.peek().map(|Reverse((time, ..))| *time)
    }

    /// The next event, if its time has come.
    pub fn pop_due(&mut self) -> Option<Event> {
        if self.next_time()? > self.now {
            return None;
        }
        self.events.pop().map(|Reverse((.., event))| event)
    }
}
