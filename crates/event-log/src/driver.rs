//! A log without threads, tasks or clocks: whoever holds the driver decides what happens next.
//!
//! Everything a running log does is one of these steps, and each is atomic towards the others by its locks.
//! So a simulation that calls them in any order sees every behaviour that real threads could show.

use std::sync::Arc;

use crate::catch_up::{CatchUp, Next};
use crate::runtime::{self, Closing};
use crate::shared::Shared;
use crate::writer::{Answers, Writer};
use crate::{Frame, Offset, Store, StoreError};

/// Moves a log that was opened with [`Log::driven`](crate::Log::driven).
pub struct Driver<S, F> {
    writer: Writer<S, F>,
    shared: Arc<Shared<F>>,
    /// Batches that are published and not yet answered, oldest first.
    unanswered: Vec<Answers>,
    replays: Vec<Option<Next<F>>>,
    closing: Closing,
}

/// What a replay did in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    /// It offered something, or found out what to do next.
    Moved,
    /// Its sink is full.
    Waits,
    /// It became live, or is over; the replays after it move up.
    Done,
}

impl<S: Store, F: Frame> Driver<S, F> {
    pub(crate) fn new(writer: Writer<S, F>, closing: Closing) -> Self {
        Self {
            shared: Arc::clone(writer.shared()),
            writer,
            unanswered: Vec::new(),
            replays: Vec::new(),
            closing,
        }
    }

    /// Stores and publishes up to `most` waiting appends; says whether there were any.
    pub fn write(&mut self, most: usize) -> bool {
        let jobs = self.shared.inbox.take_now(most);
        if jobs.is_empty() {
            self.writer.settle();
            return false;
        }
        self.unanswered.push(self.writer.step(jobs));
        true
    }

    /// Sends the answers of the oldest batch; says whether there was one.
    pub fn answer(&mut self) -> bool {
        if self.unanswered.is_empty() {
            return false;
        }
        self.unanswered.remove(0).send();
        true
    }

    /// Walks the streams whose tail moved, and takes up those who begin to catch up; says whether there was any of it.
    pub fn walk(&mut self) -> bool {
        let work = self.shared.signal.take();
        let any = !work.dirty.is_empty() || !work.starting.is_empty();
        work.dirty.iter().for_each(|stream| stream.walk());
        let starting = work.starting.into_iter();
        self.replays
            .extend(starting.map(|catch_up| Some(Next::Again(catch_up))));
        any
    }

    /// Forgets a piece of what the retention does not keep; says whether there may be more.
    /// `now` is in milliseconds since 1970.
    pub fn forget(&mut self, now: i64) -> bool {
        self.writer.forget(now)
    }

    /// How many replays there are.
    #[must_use]
    pub fn replays(&self) -> usize {
        self.replays.len()
    }

    /// Moves one replay: an offer of a page, a read, or the step into the live set.
    ///
    /// # Panics
    ///
    /// If there are not so many replays.
    pub fn replay(&mut self, index: usize) -> Replayed {
        let page = self.shared.config.replay_page.max(1);
        let next = match self.replays[index].take() {
            Some(Next::Again(catch_up) | Next::Room(catch_up)) => catch_up.step(page),
            Some(Next::Read(catch_up, rows) | Next::ReadLater(catch_up, rows)) => {
                self.read(catch_up, rows)
            }
            Some(Next::Done) | None => Next::Done,
        };
        let replayed = match next {
            Next::Again(_) | Next::Read(..) => Replayed::Moved,
            Next::Room(_) | Next::ReadLater(..) => Replayed::Waits,
            Next::Done => {
                self.replays.remove(index);
                return Replayed::Done;
            }
        };
        self.replays[index] = Some(next);
        replayed
    }

    fn read(&self, catch_up: CatchUp<F>, rows: u64) -> Next<F> {
        let after: Offset = catch_up.member().cursor;
        let (name, last) = (&catch_up.stream().name, catch_up.last());
        let frames = self.shared.read_frames(name, after, rows, last);
        catch_up.supply(frames, self.shared.epoch, rows)
    }

    /// Whether the log was asked to close, and has stored and answered what it had accepted: all but
    /// [`close`](Self::close) is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.shared.inbox.is_done() && self.unanswered.is_empty()
    }

    /// Does all there is to do, until every replay is done or waits for its sink.
    pub fn settle(&mut self) {
        loop {
            let mut moved = self.write(usize::MAX) | self.answer() | self.walk();
            let mut index = 0;
            while index < self.replays.len() {
                match self.replay(index) {
                    Replayed::Moved => moved = true,
                    Replayed::Waits => index += 1,
                    Replayed::Done => moved = true,
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Closes the log as [`Log::close`](crate::Log::close) does: nothing that was accepted is lost.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.shared.inbox.close();
        self.settle();
        let result = self.writer.close();
        runtime::close(&self.shared);
        self.closing.send_replace(Some(result.clone()));
        result
    }
}
