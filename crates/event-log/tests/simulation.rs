//! Random histories of a driven log against a list: thousands of schedules, faults and restarts.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::collections::HashSet;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use event_log::memory::MemoryStore;
use event_log::{
    Append, AppendError, Appended, Config, Cursor, Driver, Log, Offset, PageLimit, Receipt, Seen,
    Store, StoreError, Subscription,
};
use proptest::collection::vec;
use proptest::prelude::*;
use support::{Fault, FlakyStore, Frame, STREAM, Socket, append, epoch, frame};

type Flaky = FlakyStore<MemoryStore>;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// An author sends its nth message; low numbers, so that retries and conflicts abound.
    Submit {
        author: u8,
        key: u8,
        content: u8,
    },
    Write(usize),
    Answer,
    Walk,
    Replay(prop::sample::Index),
    Subscribe {
        from: prop::sample::Index,
        capacity: usize,
    },
    Read {
        socket: prop::sample::Index,
        count: usize,
    },
    Unsubscribe(prop::sample::Index),
    CloseSocket(prop::sample::Index),
    Fail(Fault),
    FailRead,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0..3u8, 0..12u8, 0..10u8).prop_map(|(author, key, content)| Step::Submit {
            author,
            key,
            content: u8::from(content == 0),
        }),
        4 => (1..4usize).prop_map(Step::Write),
        3 => Just(Step::Answer),
        4 => Just(Step::Walk),
        8 => index().prop_map(Step::Replay),
        2 => (index(), 1..4usize).prop_map(|(from, capacity)| Step::Subscribe { from, capacity }),
        5 => (index(), 1..4usize).prop_map(|(socket, count)| Step::Read { socket, count }),
        1 => index().prop_map(Step::Unsubscribe),
        1 => index().prop_map(Step::CloseSocket),
        1 => prop::sample::select(&Fault::ALL[..]).prop_map(Step::Fail),
        1 => Just(Step::FailRead),
        1 => Just(Step::Restart),
    ]
}

/// A subscriber, and what must have reached it.
struct Reader {
    socket: Socket,
    start: Offset,
    subscription: Option<Subscription>,
    closed: bool,
}

impl Reader {
    fn cursor(&self) -> Offset {
        Offset(self.start.0 + self.socket.offsets().len() as u64)
    }

    fn is_open(&self) -> bool {
        self.subscription.is_some() && !self.closed
    }
}

struct World {
    store: Flaky,
    memory: MemoryStore,
    log: Log<Frame>,
    driver: Driver<Flaky, Frame>,
    receipts: Vec<(Append, Receipt)>,
    answers: Vec<(Append, Result<Appended, AppendError>)>,
    readers: Vec<Reader>,
}

fn config() -> Config {
    Config {
        write_queue: 8,
        ring_rows: 3,
        replay_page: 2,
        ..Config::default()
    }
}

impl World {
    fn new() -> Self {
        let memory = MemoryStore::new(epoch(1));
        let store = FlakyStore::new(memory.clone());
        let (log, driver) = Log::driven(store.clone(), config(), frame).unwrap();
        Self {
            store,
            memory,
            log,
            driver,
            receipts: Vec::new(),
            answers: Vec::new(),
            readers: Vec::new(),
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Submit {
                author,
                key,
                content,
            } => self.submit(append(
                &author.to_string(),
                &key.to_string(),
                &format!("{key} {content}"),
            )),
            Step::Write(most) => drop(self.driver.write(most)),
            Step::Answer => drop(self.driver.answer()),
            Step::Walk => drop(self.driver.walk()),
            Step::Replay(index) => {
                if self.driver.replays() > 0 {
                    self.driver.replay(index.index(self.driver.replays()));
                }
            }
            Step::Subscribe { from, capacity } => {
                let tail = self.log.tail(STREAM).0 as usize;
                let start = Offset(from.index(tail + 1) as u64);
                let socket = Socket::new(capacity);
                let subscription = self.log.subscribe(STREAM, start, socket.clone()).unwrap();
                self.readers.push(Reader {
                    socket,
                    start,
                    subscription: Some(subscription),
                    closed: false,
                });
            }
            Step::Read { socket, count } => {
                self.reader(socket, |reader| {
                    reader.socket.read(count);
                });
            }
            Step::Unsubscribe(socket) => self.reader(socket, |reader| reader.subscription = None),
            Step::CloseSocket(socket) => self.reader(socket, |reader| {
                reader.socket.close();
                reader.closed = true;
            }),
            Step::Fail(fault) => self.store.plan.faults.lock().unwrap().push_back(fault),
            Step::FailRead => {
                let error = StoreError::Unavailable("planned".to_owned());
                self.store.plan.read_errors.lock().unwrap().push_back(error);
            }
            Step::Restart => self.restart(),
        }
        self.collect();
        self.check_readers();
    }

    fn submit(&mut self, append: Append) {
        match self.log.submit(append.clone()) {
            Ok(receipt) => self.receipts.push((append, receipt)),
            Err(error) => {
                assert_eq!(error, AppendError::Busy);
                self.answers.push((append, Err(error)));
            }
        }
    }

    /// The process dies: whatever was not answered is not, and readers come back where they were.
    fn restart(&mut self) {
        self.store.plan.read_errors.lock().unwrap().clear();
        let (log, driver) = Log::driven(self.store.clone(), config(), frame).unwrap();
        self.log = log;
        self.driver = driver;
        for reader in &mut self.readers {
            let back = reader.subscription.take().filter(|_| !reader.closed);
            if back.is_some() {
                let epoch = self.log.epoch();
                let offset = reader.cursor();
                let one = PageLimit { rows: 1, bytes: 0 };
                let before = Offset(offset.0.saturating_sub(1));
                let page = self.memory.reader().page_after(STREAM, before, one);
                let page = page.unwrap();
                // What it has is what is stored, so whoever says it goes on as whoever does not.
                let last = page.first().filter(|event| event.offset == offset);
                let cursor = Cursor {
                    epoch: Some(epoch.as_str()),
                    offset,
                    last: last.map(|event| Seen {
                        key: &event.key,
                        at: event.at,
                    }),
                };
                let subscription = self.log.subscribe(STREAM, cursor, reader.socket.clone());
                reader.subscription = Some(subscription.expect("the store forgets nothing"));
            }
        }
    }

    fn reader(&mut self, index: prop::sample::Index, with: impl FnOnce(&mut Reader)) {
        if !self.readers.is_empty() {
            with(index.get_mut(&mut self.readers));
        }
    }

    fn collect(&mut self) {
        let mut waiting = Vec::new();
        for (append, mut receipt) in self.receipts.drain(..) {
            let mut cx = Context::from_waker(Waker::noop());
            match Future::poll(std::pin::Pin::new(&mut receipt), &mut cx) {
                Poll::Ready(answer) => self.answers.push((append, answer)),
                Poll::Pending => waiting.push((append, receipt)),
            }
        }
        self.receipts = waiting;
    }

    fn rows(&self) -> Vec<(Offset, Bytes)> {
        let all = PageLimit {
            rows: u64::MAX,
            bytes: usize::MAX,
        };
        let events = self
            .memory
            .reader()
            .page_after(STREAM, Offset::ZERO, all)
            .unwrap();
        events.iter().map(frame).collect()
    }

    /// Each reader has an unbroken piece of the published stream, from where it began.
    fn check_readers(&self) {
        let rows = self.rows();
        let tail = self.log.tail(STREAM);
        for reader in &self.readers {
            let start = reader.start.0 as usize;
            let received = reader.socket.received();
            assert_eq!(received, rows[start..start + received.len()]);
            if reader.subscription.is_some() {
                assert!(reader.cursor() <= tail, "more than is published");
            }
            assert_eq!(reader.socket.end(), None);
        }
    }

    /// Lets everything come to rest, with readers that read.
    fn quiesce(&mut self) {
        self.store.plan.faults.lock().unwrap().clear();
        self.store.plan.read_errors.lock().unwrap().clear();
        loop {
            self.driver.settle();
            self.collect();
            self.check_readers();
            let open = self.readers.iter().filter(|reader| reader.is_open());
            if !open
                .map(|reader| reader.socket.read(usize::MAX))
                .fold(false, |a, b| a | b)
            {
                break;
            }
        }
        assert!(self.receipts.is_empty(), "an append without an answer");
        let tail = Offset(self.rows().len() as u64);
        assert_eq!(self.log.tail(STREAM), tail);
        for reader in self.readers.iter().filter(|reader| reader.is_open()) {
            assert_eq!(reader.cursor(), tail, "a reader was forgotten");
        }
        // A reader without room stays behind only if it is gone, and then it does not count.
        let open = self
            .readers
            .iter()
            .filter(|reader| reader.subscription.is_some());
        assert!(self.log.stats().subscriptions <= open.count());
        assert_eq!(self.log.stats().catching_up, 0);
    }

    /// The store and the answers are those of the naive list.
    fn check_answers(&self) {
        let mut list = NaiveList::default();
        let batches = self.store.plan.stored.lock().unwrap().clone();
        for append in batches.iter().flatten() {
            list.append(append);
        }
        let contents = list.rows.iter().map(|row| row.content.clone());
        let expected: Vec<_> = (1..).map(Offset).zip(contents).collect();
        assert_eq!(self.rows(), expected);
        let mut fresh = HashSet::new();
        for (append, answer) in &self.answers {
            let stands = list.find(append);
            match answer {
                Ok(appended) => {
                    let (offset, content) = stands.expect("answered, and not stored");
                    assert_eq!(appended.offset, offset);
                    assert_eq!(content, append.content);
                    assert!(
                        appended.duplicate || fresh.insert(offset),
                        "stored twice as new"
                    );
                }
                Err(AppendError::Conflict) => {
                    assert_ne!(stands.expect("a conflict with nothing").1, append.content);
                }
                Err(AppendError::Busy | AppendError::Unavailable | AppendError::Closed) => {}
                Err(AppendError::Invalid(invalid)) => panic!("{invalid}"),
            }
        }
    }
}

/// What the store is meant to be: a list that is searched from the front.
#[derive(Default)]
struct NaiveList {
    rows: Vec<Append>,
}

impl NaiveList {
    fn append(&mut self, append: &Append) {
        if self.find(append).is_none() {
            self.rows.push(append.clone());
        }
    }

    fn find(&self, append: &Append) -> Option<(Offset, Bytes)> {
        let same = |row: &&Append| row.author == append.author && row.key == append.key;
        let row = self.rows.iter().find(same)?;
        let place = self.rows.iter().position(|other| other == row)?;
        Some((Offset(place as u64 + 1), row.content.clone()))
    }
}

proptest! {
    // More of them: PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_000),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_is_that_of_a_list(steps in vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.quiesce();
        world.check_answers();
    }
}
