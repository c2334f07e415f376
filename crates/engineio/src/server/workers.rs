//! `Workers`: threads with a current-thread runtime each, over which `serve` spreads its connections.

use std::{
    cell::RefCell,
    future::{Future, pending, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::{Notify, oneshot},
};

use super::wake::WakeList;
use crate::config::Config;

/// The most workers there are, whatever the configuration says.
const MAX_WORKERS: usize = 256;

/// How often a worker that is to end looks whether its tasks have.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

thread_local! {
    /// On a worker's thread, the runtime that serving was begun on.
    static HOME: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The runtime for what is to outlive the connections: on a worker the one that serving was begun on, elsewhere the
/// current one, if there is one.
pub(super) fn home() -> Option<Handle> {
    HOME.with_borrow(Option::clone)
        .or_else(|| Handle::try_current().ok())
}

/// Where the connections of one call to `serve` are.
pub(super) enum Runtimes {
    /// On the runtime of the caller.
    Caller,
    Workers(Workers),
}

impl Runtimes {
    /// As the configuration wants it.
    pub(super) fn start(config: &Config) -> io::Result<Self> {
        Ok(match config.workers {
            None => Self::Caller,
            Some(count) => Self::Workers(Workers::start(count, config)?),
        })
    }

    /// Waits until another connection can be taken.
    pub(super) async fn has_room(&self) {
        if let Self::Workers(workers) = self {
            workers.has_room().await;
        }
    }

    /// Resolves when a worker has ended that should not have.
    pub(super) async fn failed(&self) -> io::Error {
        match self {
            Self::Caller => pending().await,
            Self::Workers(workers) => {
                workers.failed.notified().await;
                io::Error::other("a worker has panicked")
            }
        }
    }

    /// Spawns the task of a connection, which keeps the place that it gets for as long as its stream lives.
    pub(super) fn spawn<F>(&mut self, connection: impl FnOnce(Option<Place>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match self {
            // Owned by the caller of `serve`, which waits for it; it ends with its connection.
            Self::Caller => drop(tokio::spawn(connection(None))),
            Self::Workers(workers) => workers.spawn(connection),
        }
    }
}

/// Threads that end when this is dropped and their tasks have ended, or [`Config::shutdown_grace`] later.
pub(super) struct Workers {
    workers: Vec<Worker>,
    backlog: usize,
    /// Which one comes first when several have as little to do.
    turn: usize,
    /// A connection that had waited for its worker does so no more.
    room: Arc<Notify>,
    failed: Arc<Notify>,
}

struct Worker {
    runtime: Handle,
    load: Arc<Load>,
    /// Ends the worker when it is dropped.
    _running: oneshot::Sender<()>,
}

#[derive(Default)]
struct Load {
    connections: AtomicUsize,
    /// Those that the worker has not seen yet.
    waiting: AtomicUsize,
}

impl Workers {
    fn start(count: usize, config: &Config) -> io::Result<Self> {
        let mut workers = Self {
            workers: Vec::new(),
            backlog: config.worker_backlog.max(1),
            turn: 0,
            room: Arc::default(),
            failed: Arc::default(),
        };
        let home = home();
        for number in 0..how_many(count) {
            let runtime = OwnRuntime::new()?;
            let handle = runtime.get().handle().clone();
            let (running, stop) = oneshot::channel();
            let (home, grace) = (home.clone(), config.shutdown_grace);
            let thread = thread::Builder::new().name(format!("engineio-worker-{number}"));
            start_thread(thread, number, workers.failed.clone(), move || {
                HOME.set(home);
                work(runtime, stop, grace);
            })?;
            workers.workers.push(Worker {
                runtime: handle,
                load: Arc::default(),
                _running: running,
            });
        }
        Ok(workers)
    }

    async fn has_room(&self) {
        let has_room = || {
            let mut workers = self.workers.iter();
            workers.any(|worker| worker.load.waiting.load(Ordering::Acquire) < self.backlog)
        };
        while !has_room() {
            self.room.notified().await;
        }
    }

    fn spawn<F>(&mut self, connection: impl FnOnce(Option<Place>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let count = self.workers.len();
        // A worker that has not taken up the last ones is busy, however few connections it has.
        let least = (0..count)
            .map(|step| (self.turn + step) % count)
            .min_by_key(|index| {
                let load = &self.workers[*index].load;
                (
                    load.waiting.load(Ordering::Relaxed),
                    load.connections.load(Ordering::Relaxed),
                )
            });
        let Some(worker) = least.and_then(|index| self.workers.get(index)) else {
            return;
        };
        self.turn = self.turn.wrapping_add(1) % count;
        let place = Place::new(worker.load.clone());
        let waiting = Waiting::new(worker.load.clone(), self.room.clone());
        let connection = connection(Some(place));
        // Owned by the worker, and waited for by `serve`; it ends with its connection.
        worker.runtime.spawn(async move {
            drop(waiting);
            connection.await;
        });
    }
}

/// How many workers there are with this setting.
fn how_many(count: usize) -> usize {
    let count = match count {
        // Where that cannot be told there is one.
        0 => thread::available_parallelism().map_or(1, usize::from),
        count => count,
    };
    count.min(MAX_WORKERS)
}

/// The runtime of a worker. Blocking work that is under way at its end is not waited for. Where a worker cannot be started
/// nor could it be: the caller's runtime forbids that.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self(Some(runtime)))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("only its end takes it out")
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A thread whose panic is told.
fn start_thread(
    thread: thread::Builder,
    number: usize,
    failed: Arc<Notify>,
    work: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    thread.spawn(move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(number, "worker panicked");
            failed.notify_one();
        }
    })?;
    Ok(())
}

/// The life of a worker: it runs its tasks until it is told to stop, and for a while those that go on then.
fn work(runtime: OwnRuntime, stop: oneshot::Receiver<()>, grace: Duration) {
    let wake_list = WakeList::here();
    let mut life = pin!(async {
        let _dropped = stop.await;
        let tasks = Handle::current().metrics();
        let ended = async {
            while tasks.num_alive_tasks() > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(grace, ended).await.is_err() {
            let tasks = tasks.num_alive_tasks();
            tracing::debug!(tasks, "worker ends before its tasks");
        }
    });
    runtime.get().block_on(poll_fn(|context| {
        wake_list.wake(context);
        life.as_mut().poll(context)
    }));
}

/// One connection of a worker, for as long as its stream lives.
pub(super) struct Place(Arc<Load>);

impl Place {
    fn new(load: Arc<Load>) -> Self {
        load.connections.fetch_add(1, Ordering::Relaxed);
        Self(load)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that its worker has not seen yet.
struct Waiting {
    load: Arc<Load>,
    room: Arc<Notify>,
}

impl Waiting {
    fn new(load: Arc<Load>, room: Arc<Notify>) -> Self {
        load.waiting.fetch_add(1, Ordering::Relaxed);
        Self { load, room }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.load.waiting.fetch_sub(1, Ordering::Release);
        self.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;

    use super::*;

    fn start(count: usize, backlog: usize) -> Workers {
        let config = Config {
            worker_backlog: backlog,
            ..Config::default()
        };
        Workers::start(count, &config).unwrap()
    }

    /// Hands a connection over, and says on which worker it is and how it ends.
    async fn connect(workers: &mut Workers) -> (String, oneshot::Sender<()>) {
        let (told, thread) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        workers.spawn(|place| async move {
            told.send(thread::current().name().unwrap().to_owned())
                .unwrap();
            let _ended = ended.await;
            drop(place);
        });
        (thread.await.unwrap(), end)
    }

    #[tokio::test]
    async fn the_worker_with_the_fewest_connections_gets_the_next() {
        let mut workers = start(3, 8);
        let mut ends = Vec::new();
        for number in [0, 1, 2, 0, 1, 2] {
            let (name, end) = connect(&mut workers).await;
            assert_eq!(name, format!("engineio-worker-{number}"));
            ends.push(end);
        }
        // Two connections of one worker end.
        for index in [4, 1] {
            ends.remove(index).send(()).unwrap();
        }
        while workers.workers[1].load.connections.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..2 {
            let (name, end) = connect(&mut workers).await;
            assert_eq!(name, "engineio-worker-1");
            ends.push(end);
        }
    }

    #[tokio::test]
    async fn no_more_connections_wait_than_fit() {
        let mut workers = start(2, 2);
        let (told, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let mut releases = Vec::new();
        for _ in 0..2 {
            let (release, released) = mpsc::channel::<()>();
            releases.push(release);
            let told = told.clone();
            workers.spawn(|_| async move {
                told.send(()).unwrap();
                let _released = released.recv();
            });
            // It blocks its worker from here on.
            seen.recv().await.unwrap();
        }
        for _ in 0..4 {
            workers.has_room().await;
            let told = told.clone();
            workers.spawn(|_| async move { told.send(()).unwrap() });
        }
        let mut waiting = Box::pin(workers.has_room());
        assert!((&mut waiting).now_or_never().is_none());
        releases.pop();
        waiting.await;
        drop(releases);
        for _ in 0..4 {
            seen.recv().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_worker_that_panics_is_told_of() {
        let runtimes = Runtimes::Workers(start(1, 1));
        let Runtimes::Workers(workers) = &runtimes else {
            unreachable!("made above");
        };
        let thread = thread::Builder::new();
        let work = || panic!("as the test wants");
        start_thread(thread, 7, workers.failed.clone(), work).unwrap();
        assert_eq!(runtimes.failed().await.to_string(), "a worker has panicked");
    }

    #[tokio::test]
    async fn a_worker_lets_its_tasks_end_and_knows_where_it_came_from() {
        let mut workers = start(1, 1);
        let (proceed, proceeding) = oneshot::channel::<()>();
        let (told, home) = oneshot::channel();
        workers.spawn(|_| async move {
            proceeding.await.unwrap();
            told.send(super::home().unwrap().id()).unwrap();
        });
        drop(workers);
        proceed.send(()).unwrap();
        assert_eq!(home.await.unwrap(), Handle::current().id());
    }

    #[tokio::test]
    async fn a_worker_that_cannot_be_started_is_an_error() {
        let runtime = OwnRuntime::new().unwrap();
        let too_much = thread::Builder::new().stack_size(isize::MAX as usize);
        let started = start_thread(too_much, 7, Arc::default(), move || drop(runtime));
        assert!(started.is_err());
    }

    #[test]
    fn there_is_one_for_each_core_and_never_too_many() {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for (count, expected) in [(0, cores), (3, 3), (usize::MAX, MAX_WORKERS)] {
            assert_eq!(how_many(count), expected);
        }
    }
}
