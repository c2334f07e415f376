//! A subscriber that is behind, step by step, without a task or a clock of its own.
//!
//! ```text
//!                  ┌────────────── supply ──────────────┐
//!                  ▼                                    │
//!   behind ──► ( step ) ──► Read: the ring begins later,
//!                  │        or what was seen last is    │
//!                  │        to be compared ─────────────┘
//!                │  │ ▲
//!                │  │ └──── Room: the sink is full, wait for it
//!                │  └─ Again: a page was taken, let others run
//!                ▼
//!              Done: live, or over
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ring::After;
use crate::stream::{Advance, Joined, Member, Stream};
use crate::subscription::Counted;
use crate::{End, Epoch, Event, Frame, Offset, Resync, Seen, Sink, StoreError, sabotage};

/// A member on its way to the tail.
pub(crate) struct CatchUp<F> {
    stream: Arc<Stream<F>>,
    member: Member<F>,
    /// Frames from `cursor + 1` on: never more than a page.
    page: VecDeque<F>,
    /// What it says it has seen last, until that was compared with the store.
    last: Option<Last>,
    counted: Counted,
}

/// The event that a reader has seen last.
#[derive(Clone)]
pub(crate) struct Last {
    pub offset: Offset,
    key: Box<str>,
    at: i64,
}

/// Why nothing was read for a subscriber.
#[derive(Debug)]
pub(crate) enum ReadError {
    Store(StoreError),
    /// Something else is where it has seen its last event.
    NotTheLast,
}

/// What a step ended with.
pub(crate) enum Next<F> {
    /// To be stepped again.
    Again(CatchUp<F>),
    /// To be stepped again when the sink has room.
    Room(CatchUp<F>),
    /// To be supplied with up to this many events after its cursor.
    Read(CatchUp<F>, u64),
    /// To be supplied again after a while: the store could not be read.
    ReadLater(CatchUp<F>, u64),
    /// Live, or over.
    Done,
}

impl<F: Frame> CatchUp<F> {
    pub fn new(stream: Arc<Stream<F>>, mut member: Member<F>) -> Self {
        member.cursor = sabotage::cursor(member.cursor);
        let counted = Counted::new(&stream.signal.catching_up);
        Self {
            stream,
            member,
            page: VecDeque::new(),
            last: None,
            counted,
        }
    }

    /// Is told nothing before it is known that it has seen what is stored.
    pub fn behind(self, last: Last) -> Self {
        Self {
            last: Some(last),
            ..self
        }
    }

    pub fn last(&self) -> Option<&Last> {
        self.last.as_ref()
    }

    pub fn stream(&self) -> &Arc<Stream<F>> {
        &self.stream
    }

    pub fn member(&self) -> &Member<F> {
        &self.member
    }

    pub fn sink(&self) -> Arc<dyn Sink<F>> {
        Arc::clone(&self.member.sink)
    }

    pub fn end(self, end: End) {
        self.member.end(end);
    }

    /// Offers up to a page, or finds out what is missing for that.
    pub fn step(mut self, page: usize) -> Next<F> {
        if self.member.ticket.is_over() {
            return Next::Done;
        }
        if self.last.is_some() {
            // And with it what only the store has, if that is anything.
            let missing = match self.stream.after(self.member.cursor, 0) {
                After::InStore(missing) => missing.min(page as u64),
                After::Frames(_) | After::Nothing => 0,
            };
            return Next::Read(self, missing);
        }
        if self.page.is_empty() {
            match self.stream.after(self.member.cursor, page) {
                After::Frames(frames) => self.page = frames.into(),
                After::InStore(missing) => return Next::Read(self, missing.min(page as u64)),
                After::Nothing => return self.join(),
            }
        }
        while let Some(frame) = self.page.front() {
            match self.member.offer(frame) {
                Advance::Moved => drop(self.page.pop_front()),
                Advance::Full => return Next::Room(self),
                Advance::Over => return Next::Done,
            }
        }
        // A buffer that grew to a page is not kept while the sink is waited for.
        self.page = VecDeque::new();
        Next::Again(self)
    }

    /// Takes what was read after the cursor.
    pub fn supply(
        mut self,
        read: Result<Vec<(Offset, F)>, ReadError>,
        epoch: Epoch,
        wanted: u64,
    ) -> Next<F> {
        let frames = match read {
            Ok(frames) => frames,
            Err(ReadError::Store(StoreError::Busy | StoreError::Unavailable(_))) => {
                return Next::ReadLater(self, wanted);
            }
            Err(ReadError::NotTheLast) => {
                let bounds = self.stream.bounds();
                return self.over(End::Resync(Resync::new(epoch, bounds)));
            }
            Err(ReadError::Store(StoreError::Closed)) => return self.over(End::Closed),
            Err(ReadError::Store(StoreError::Corrupt(what))) => {
                tracing::error!(stream = %self.stream.name, cursor = %self.member.cursor, what, "an event cannot be read");
                return self.over(End::Unreadable);
            }
        };
        // The store is believed only as far as its rows follow each other.
        let mut last = self.member.cursor;
        for (offset, frame) in frames {
            if offset != last.next() {
                break;
            }
            last = offset;
            self.page.push_back(frame);
        }
        if self.last.take().is_some() || !self.page.is_empty() {
            return Next::Again(self);
        }
        let bounds = self.stream.bounds();
        if bounds.fits(self.member.cursor) {
            tracing::error!(stream = %self.stream.name, cursor = %self.member.cursor, "an event is missing");
            self.over(End::Unreadable)
        } else {
            self.over(End::Resync(Resync::new(epoch, bounds)))
        }
    }

    fn join(self) -> Next<F> {
        let Self {
            stream,
            member,
            page,
            last,
            counted,
        } = self;
        match stream.join(member) {
            Joined::Live => Next::Done,
            Joined::Behind(member) => Next::Again(Self {
                stream,
                member,
                page,
                last,
                counted,
            }),
            Joined::Over(member) => {
                member.end(End::Closed);
                Next::Done
            }
        }
    }

    fn over(self, end: End) -> Next<F> {
        self.end(end);
        Next::Done
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Last {
    pub fn new(offset: Offset, seen: Seen<'_>) -> Self {
        Self {
            offset,
            key: seen.key.into(),
            at: seen.at,
        }
    }

    /// The cursor behind which it stands.
    pub fn before(&self) -> Offset {
        Offset(self.offset.0.saturating_sub(1))
    }

    pub fn is(&self, event: &Event) -> bool {
        (event.offset, &*event.key, event.at) == (self.offset, &*self.key, self.at)
    }
}
