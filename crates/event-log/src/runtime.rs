//! The thread and the tasks of a log: the only file that starts any.
//!
//! - The *writer* is a thread, because a commit blocks. It ends when the inbox is closed and empty.
//! - The *publisher* is a task. It walks the streams whose tail moved, so that a walk overlaps with the next commit
//!   and the wakes it causes stay inside the runtime, and it spawns the catching up of those who are behind.
//!   It ends after the writer, with a last walk.
//! - A *replay* is a task for each subscriber that is behind. It ends at the tail, with its sink, or when its
//!   subscription is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::calendar::Calendar;
use crate::catch_up::{CatchUp, Next};
use crate::inbox::{Gather, Taken};
use crate::shared::Shared;
use crate::sync::{spawn, spawn_blocking, yield_now};
use crate::writer::Writer;
use crate::{Frame, Store, StoreError};

/// What `Log::close` waits for.
pub(crate) type Closing = watch::Sender<Option<Result<(), StoreError>>>;

/// How often a writer in doubt, with nothing to write, looks whether it can settle.
const SETTLE_EVERY: Duration = Duration::from_millis(100);

/// How often a writer whose log has a retention looks for what to forget.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Starts the writer and the publisher.
pub(crate) fn start<S: Store, F: Frame>(
    writer: Writer<S, F>,
) -> Result<watch::Receiver<Option<Result<(), StoreError>>>, StoreError> {
    let runtime = Handle::current();
    let (closing, closed) = watch::channel(None);
    let (ended, writer_ended) = oneshot::channel();
    let shared = Arc::clone(writer.shared());
    let age = Age::new(&writer)?;
    let publisher = publish(Arc::clone(&shared), writer_ended, closing);
    thread::Builder::new()
        .name("event-log writer".to_owned())
        .spawn(move || {
            let _ = ended.send(write(writer, age));
            shared.signal.wake();
        })
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    runtime.spawn(publisher);
    Ok(closed)
}

/// The writer's thread.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell tells the rule of gathering the time"
)]
fn write<S: Store, F: Frame>(mut writer: Writer<S, F>, mut age: Age) -> Result<(), StoreError> {
    let shared = Arc::clone(writer.shared());
    let mut gather = Gather::new(shared.config.batch_rows, shared.config.batch_delay);
    let mut forget_at = (!shared.config.retention.keeps_everything()).then(Instant::now);
    loop {
        let settle = writer.is_in_doubt().then_some(SETTLE_EVERY);
        let forget = forget_at.map(|at| at.saturating_duration_since(Instant::now()));
        let patience = settle.into_iter().chain(forget).min();
        match shared.inbox.take(&gather, patience, Instant::now) {
            Taken::Batch(jobs) => {
                let (begun, rows) = (Instant::now(), jobs.len());
                let answers = writer.step(jobs);
                let now = Instant::now();
                gather.stored(rows, shared.inbox.len(), now - begun, now);
                answers.send();
            }
            Taken::Idle => writer.settle(),
            Taken::Closed => return writer.close(),
        }
        if forget_at.is_some_and(|at| at <= Instant::now()) {
            // What is left is forgotten piece by piece, between batches.
            let is_more = writer.forget(age.now());
            let pause = if is_more {
                Duration::ZERO
            } else {
                FORGET_EVERY
            };
            forget_at = Some(Instant::now() + pause);
        }
    }
}

/// The clocks by which events grow old.
struct Age {
    calendar: Calendar,
    /// Whether it is behind, if anything is forgotten by its age, so that only changes are logged.
    is_behind: Option<bool>,
}

impl Age {
    #[expect(
        clippy::disallowed_methods,
        reason = "the shell tells the calendar the time"
    )]
    fn new<S: Store, F: Frame>(writer: &Writer<S, F>) -> Result<Self, StoreError> {
        let is_asked = writer.shared().config.retention.age.is_some();
        // Without it a clock that is wrong would be believed, so what cannot be read is an error.
        let newest = if is_asked { writer.newest()? } else { None };
        Ok(Self {
            calendar: Calendar::new(newest, unix_milliseconds(), Instant::now()),
            is_behind: is_asked.then_some(false),
        })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the shell tells the calendar the time"
    )]
    fn now(&mut self) -> i64 {
        let wall = unix_milliseconds();
        let now = self.calendar.look(wall, Instant::now());
        let is_behind = self.calendar.is_behind(wall);
        if let Some(was_behind) = &mut self.is_behind {
            if is_behind && !*was_behind {
                tracing::info!(
                    "the clock is more than a day ahead of the newest event: by it, events grow older by a day each hour"
                );
            }
            *was_behind = is_behind;
        }
        now
    }
}

/// As events are dated. Asked for their retention alone.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of events is theirs by the wall clock"
)]
fn unix_milliseconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// The publisher's task.
pub(crate) async fn publish<F: Frame>(
    shared: Arc<Shared<F>>,
    mut writer_ended: oneshot::Receiver<Result<(), StoreError>>,
    closing: Closing,
) {
    let result = loop {
        shared.signal.arrived().await;
        // Asked before the walk, so that the walk sees everything the writer has published.
        let ended = writer_ended.try_recv();
        let work = shared.signal.take();
        for stream in work.dirty {
            stream.walk();
            // One walk is as long as its subscribers are many, and others want the thread.
            yield_now().await;
        }
        for catch_up in work.starting {
            spawn(replay(catch_up, Arc::clone(&shared)));
        }
        match ended {
            Ok(result) => break result,
            Err(oneshot::error::TryRecvError::Empty) => {}
            Err(oneshot::error::TryRecvError::Closed) => {
                break Err(StoreError::Unavailable("the writer is gone".to_owned()));
            }
        }
    };
    close(&shared);
    closing.send_replace(Some(result));
}

/// Ends whoever still waits for events that will not come.
pub(crate) fn close<F: Frame>(shared: &Shared<F>) {
    // In this order: a stream that begins after the list was made finds the signal closed.
    shared.signal.close();
    for stream in shared.streams() {
        stream.close();
    }
}

/// The task of a subscriber that is behind.
async fn replay<F: Frame>(catch_up: CatchUp<F>, shared: Arc<Shared<F>>) {
    let ticket = Arc::clone(&catch_up.member().ticket);
    let mut dropped = pin!(ticket.dropped());
    let mut caught_up = pin!(run(catch_up, shared));
    poll_fn(|cx| {
        if dropped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        caught_up.as_mut().poll(cx)
    })
    .await;
}

async fn run<F: Frame>(catch_up: CatchUp<F>, shared: Arc<Shared<F>>) {
    let page = shared.config.replay_page.max(1);
    let mut next = catch_up.step(page);
    loop {
        next = match next {
            Next::Again(catch_up) => {
                yield_now().await;
                catch_up.step(page)
            }
            Next::Room(catch_up) => {
                catch_up.sink().room().await;
                catch_up.step(page)
            }
            Next::ReadLater(catch_up, rows) => {
                tokio::time::sleep(shared.config.replay_retry).await;
                Next::Read(catch_up, rows)
            }
            Next::Read(catch_up, rows) => {
                let name = Arc::clone(&catch_up.stream().name);
                let after = catch_up.member().cursor;
                let last = catch_up.last().cloned();
                let frames = read(&shared, move |shared| {
                    shared.read_frames(&name, after, rows, last.as_ref())
                })
                .await;
                catch_up.supply(frames, shared.epoch, rows)
            }
            Next::Done => return,
        };
    }
}

/// Reads from the store when it is this reader's turn, on a thread where that may block.
pub(crate) async fn read<F, T, E>(
    shared: &Arc<Shared<F>>,
    read: impl FnOnce(&Shared<F>) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    F: Frame,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    if shared.is_driven {
        return read(shared);
    }
    let permit = Arc::clone(&shared.reads).acquire_owned().await;
    let shared = Arc::clone(shared);
    let task = spawn_blocking(move || {
        // The permit goes with the read, which runs to its end even if nobody waits for it any more.
        let _permit = permit;
        read(&shared)
    });
    task.await
        .unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string()).into()))
}
