//! Replay against live: every order in which the steps of a small history can happen, one after the other.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use event_log::memory::MemoryStore;
use event_log::{Config, Driver, Log, Offset, Store, Subscription};
use support::{Frame, STREAM, Socket, epoch, frame, nth};

/// What can happen next; which of these are possible depends on what happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// An event is stored, published and answered.
    Append,
    Walk,
    Replay,
    /// The reader makes room for one frame.
    Read,
    Unsubscribe,
}

/// How a history begins and what is to happen in it.
#[derive(Clone, Copy)]
struct Scenario {
    stored: u64,
    start: u64,
    ring_rows: usize,
    appends: u64,
    capacity: usize,
    unsubscribes: bool,
}

struct World {
    log: Log<Frame>,
    driver: Driver<MemoryStore, Frame>,
    socket: Socket,
    subscription: Option<Subscription>,
    scenario: Scenario,
    appended: u64,
    walk_found: bool,
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let mut store = MemoryStore::new(epoch(1));
        for number in 1..=scenario.stored {
            store.append(&[nth(number)]).unwrap();
        }
        let config = Config {
            ring_rows: scenario.ring_rows,
            replay_page: 2,
            ..Config::default()
        };
        let (log, driver) = Log::driven(store, config, frame).unwrap();
        let socket = Socket::new(scenario.capacity);
        let start = Offset(scenario.start);
        let subscription = log.subscribe(STREAM, start, socket.clone()).unwrap();
        Self {
            log,
            driver,
            socket,
            subscription: Some(subscription),
            scenario,
            appended: 0,
            walk_found: true,
        }
    }

    fn possible(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.appended < self.scenario.appends {
            steps.push(Step::Append);
        }
        // A walk that found nothing finds nothing until something else has happened.
        if self.walk_found {
            steps.push(Step::Walk);
        }
        if self.driver.replays() > 0 {
            steps.push(Step::Replay);
        }
        if self.socket.unread() > 0 && self.scenario.capacity < 100 {
            steps.push(Step::Read);
        }
        if self.scenario.unsubscribes && self.subscription.is_some() {
            steps.push(Step::Unsubscribe);
        }
        steps
    }

    /// Says whether the step changed anything.
    fn run(&mut self, step: Step) -> bool {
        let before = self.socket.offsets().len();
        let changed = match step {
            Step::Append => {
                self.appended += 1;
                let append = nth(self.scenario.stored + self.appended);
                let _unanswered = self.log.submit(append).unwrap();
                self.driver.write(1) && self.driver.answer()
            }
            Step::Walk => self.driver.walk(),
            Step::Replay => self.driver.replay(0) != event_log::Replayed::Waits,
            Step::Read => self.socket.read(1),
            Step::Unsubscribe => {
                self.subscription = None;
                true
            }
        };
        let changed = changed || self.socket.offsets().len() > before;
        self.walk_found = changed;
        let start = self.scenario.start;
        let received = self.socket.offsets();
        let expected: Vec<_> = (start + 1..=start + received.len() as u64).collect();
        assert_eq!(received, expected, "a gap, a repeat or an inversion");
        changed
    }

    /// Whether everything that had to arrive has arrived, when nothing can happen any more.
    fn is_complete(&self) -> bool {
        let all = self.log.tail(STREAM).0 - self.scenario.start;
        self.subscription.is_none() || self.socket.offsets().len() as u64 == all
    }
}

/// Tries all orders by starting again for each, and says how many there are.
fn every_order(scenario: Scenario) -> usize {
    let mut orders = 0;
    // The choice made at each depth, and how many there were.
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut world = World::new(scenario);
        let mut taken = Vec::new();
        let mut depth = 0;
        loop {
            let possible = world.possible();
            if possible.is_empty() {
                break;
            }
            if depth == path.len() {
                path.push((0, possible.len()));
            }
            let step = possible[path[depth].0];
            depth += 1;
            taken.push(step);
            if !world.run(step) {
                // What follows a step without effect is tried where that step is left out.
                break;
            }
        }
        orders += 1;
        if world.possible().is_empty() {
            assert!(
                world.is_complete(),
                "{taken:?} {:?}",
                world.socket.offsets()
            );
        }
        while path.last().is_some_and(|(choice, of)| choice + 1 == *of) {
            path.pop();
        }
        match path.last_mut() {
            Some((choice, _)) => *choice += 1,
            None => return orders,
        }
    }
}

#[test]
fn a_subscriber_at_the_tail() {
    let orders = every_order(Scenario {
        stored: 1,
        start: 1,
        ring_rows: 10,
        appends: 3,
        capacity: 1,
        unsubscribes: false,
    });
    assert!(orders > 100, "{orders}");
}

#[test]
fn a_replay_from_the_store_while_events_arrive() {
    let orders = every_order(Scenario {
        stored: 4,
        start: 0,
        ring_rows: 1,
        appends: 2,
        capacity: 100,
        unsubscribes: false,
    });
    assert!(orders > 1_000, "{orders}");
}

#[test]
fn a_replay_into_a_slow_socket_while_events_arrive() {
    let orders = every_order(Scenario {
        stored: 2,
        start: 0,
        ring_rows: 1,
        appends: 2,
        capacity: 1,
        unsubscribes: false,
    });
    assert!(orders > 1_000, "{orders}");
}

#[test]
fn a_subscription_dropped_at_any_moment() {
    let orders = every_order(Scenario {
        stored: 2,
        start: 0,
        ring_rows: 1,
        appends: 1,
        capacity: 1,
        unsubscribes: true,
    });
    assert!(orders > 1_000, "{orders}");
}
