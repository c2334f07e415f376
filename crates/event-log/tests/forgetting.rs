//! Random schedules of a driven log that forgets: whoever reads gets an unbroken piece, or is told to start anew.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use event_log::memory::MemoryStore;
use event_log::{
    Bounds, Config, Driver, End, Log, Offset, Resync, Retention, SubscribeError, Subscription,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Frame, STREAM, Socket, epoch, frame, nth};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Submit,
    Write(usize),
    Walk,
    Replay(prop::sample::Index),
    Forget,
    /// From an offset that may be forgotten, or not given yet.
    Subscribe {
        from: prop::sample::Index,
        capacity: usize,
    },
    Read {
        socket: prop::sample::Index,
        count: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => Just(Step::Submit),
        5 => (1..5usize).prop_map(Step::Write),
        4 => Just(Step::Walk),
        8 => index().prop_map(Step::Replay),
        3 => Just(Step::Forget),
        3 => (index(), 1..5usize).prop_map(|(from, capacity)| Step::Subscribe { from, capacity }),
        5 => (index(), 1..4usize).prop_map(|(socket, count)| Step::Read { socket, count }),
    ]
}

/// Keeps four events, and looks at few at a time.
const KEPT: u64 = 4;

struct World {
    log: Log<Frame>,
    driver: Driver<MemoryStore, Frame>,
    submitted: u64,
    readers: Vec<(Offset, Socket, Subscription)>,
}

impl World {
    fn new(ring_rows: usize) -> Self {
        let config = Config {
            write_queue: 8,
            ring_rows,
            replay_page: 2,
            retention: Retention {
                rows: Some(KEPT),
                ..Retention::default()
            },
            ..Config::default()
        };
        let (log, driver) = Log::driven(MemoryStore::new(epoch(1)), config, frame).unwrap();
        Self {
            log,
            driver,
            submitted: 0,
            readers: Vec::new(),
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Submit => {
                if self.log.submit(nth(self.submitted + 1)).is_ok() {
                    self.submitted += 1;
                }
            }
            Step::Write(most) => drop(self.driver.write(most)),
            Step::Walk => drop(self.driver.walk()),
            Step::Replay(index) => {
                if self.driver.replays() > 0 {
                    self.driver.replay(index.index(self.driver.replays()));
                }
            }
            Step::Forget => drop(self.driver.forget(0)),
            Step::Subscribe { from, capacity } => self.subscribe(&from, capacity),
            Step::Read { socket, count } => {
                if !self.readers.is_empty() {
                    socket.get(&self.readers).1.read(count);
                }
            }
        }
        self.check();
    }

    fn subscribe(&mut self, from: &prop::sample::Index, capacity: usize) {
        let bounds = self.log.bounds(STREAM);
        let start = Offset(from.index(bounds.last.0 as usize + 2) as u64);
        let socket = Socket::new(capacity);
        match self.log.subscribe(STREAM, start, socket.clone()) {
            Ok(subscription) => {
                assert!(bounds.fits(start), "{start} was let in with {bounds:?}");
                self.readers.push((start, socket, subscription));
            }
            Err(refused) => {
                assert!(!bounds.fits(start), "{start} was refused with {bounds:?}");
                assert_eq!(refused, SubscribeError::Resync(self.resync(bounds)));
            }
        }
    }

    fn resync(&self, bounds: Bounds) -> Resync {
        Resync {
            epoch: self.log.epoch(),
            first: bounds.first,
            last: bounds.last,
        }
    }

    /// Each reader has an unbroken piece from where it began, with the right content.
    fn check(&self) {
        let bounds = self.log.bounds(STREAM);
        for (start, socket, subscription) in &self.readers {
            let received = socket.received();
            for (frame, offset) in received.iter().zip(start.0 + 1..) {
                assert_eq!(*frame, (Offset(offset), nth(offset).content));
            }
            let cursor = Offset(start.0 + received.len() as u64);
            assert!(cursor <= bounds.last);
            match socket.end() {
                None => {}
                Some(End::Resync(resync)) => {
                    assert!(cursor.next() < resync.first, "{cursor} could have gone on");
                    assert!(subscription.is_over());
                }
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// Lets everything come to rest, with readers that read.
    fn quiesce(&mut self) {
        loop {
            self.driver.settle();
            while self.driver.forget(0) {}
            self.check();
            let sockets = self.readers.iter().map(|(_, socket, _)| socket);
            if !sockets.fold(false, |any, socket| socket.read(usize::MAX) | any) {
                break;
            }
        }
        let bounds = self.log.bounds(STREAM);
        assert_eq!(bounds.last, Offset(self.submitted));
        let kept = bounds.last.next().0 - bounds.first.0;
        assert_eq!(kept, self.submitted.min(KEPT));
        for (start, socket, _) in &self.readers {
            let cursor = start.0 + socket.received().len() as u64;
            assert!(
                cursor == self.submitted || socket.end().is_some(),
                "a reader was forgotten at {cursor}"
            );
        }
    }
}

proptest! {
    // More of them: PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn readers_get_an_unbroken_piece_or_are_told(ring in 1..8usize, steps in vec(step(), 1..150)) {
        let mut world = World::new(ring);
        for step in steps {
            world.run(step);
        }
        world.quiesce();
    }
}
