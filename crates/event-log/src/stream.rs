//! One stream in memory: its ring, its live set, and the walk that brings the two together.
//!
//! ```text
//!   writer ──publish──► ring ──walk──► live members (cursor = what was walked)
//!                        │ ▲                │ no room      ▲ at the tail
//!                        │ └── reads ── catching up ◄──────┘
//!                        └─ what it no longer holds comes from the store
//! ```
//!
//! Only `cursor + 1` is ever offered to anybody, by whichever of the two holds the member: a member is in the
//! live set or in a [`CatchUp`], never in both, because it is moved and not copied.
//! Nobody is forgotten: a member joins under the live lock and only at the tail, the tail moves before the
//! stream is reported dirty, and the walk that follows takes the live lock.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};

use crate::catch_up::CatchUp;
use crate::ring::{After, Ring};
use crate::signal::Signal;
use crate::subscription::Ticket;
use crate::sync::{AtomicBool, Mutex, MutexGuard};
use crate::{Bounds, End, Frame, Offered, Offset, Sink};

/// The shared state of one stream. Lock order: live, then ring.
pub(crate) struct Stream<F> {
    pub name: Arc<str>,
    // Held to copy a few reference counts, by the writer and by readers alike.
    ring: Mutex<Ring<F>>,
    // Held for a walk over the members: a push to a queue for each.
    live: Mutex<Live<F>>,
    pub signal: Arc<Signal<F>>,
    /// Whether the signal has this stream on its list.
    pub dirty: AtomicBool,
}

/// The members that have everything up to `walked`, or joined later with everything there was.
struct Live<F> {
    members: BTreeMap<u64, Member<F>>,
    walked: Offset,
    open: bool,
}

/// A subscriber, owned by the live set or by its catching up.
pub(crate) struct Member<F> {
    pub cursor: Offset,
    pub ticket: Arc<Ticket>,
    pub sink: Arc<dyn Sink<F>>,
}

/// The first of the frames to publish is not the one after the tail.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder {
    pub tail: Offset,
}

/// What a member that wants to be live is told.
pub(crate) enum Joined<F> {
    Live,
    /// There is more to catch up with first.
    Behind(Member<F>),
    /// The subscription was dropped, or the log was closed.
    Over(Member<F>),
}

/// What an offer did to a member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Advance {
    Moved,
    Full,
    Over,
}

impl<F: Frame> Stream<F> {
    pub fn new(name: Arc<str>, ring: Ring<F>, signal: Arc<Signal<F>>) -> Self {
        let live = Live {
            members: BTreeMap::new(),
            walked: ring.tail(),
            open: signal.is_open(),
        };
        Self {
            name,
            ring: Mutex::new(ring),
            live: Mutex::new(live),
            signal,
            dirty: AtomicBool::new(false),
        }
    }

    pub fn bounds(&self) -> Bounds {
        self.ring().bounds()
    }

    pub fn after(&self, cursor: Offset, limit: usize) -> After<F> {
        self.ring().after(cursor, limit)
    }

    pub fn trim(&self, first: Offset) {
        self.ring().trim(first);
    }

    /// Puts frames with their sizes into the ring, the first of them at `first`, and moves the tail.
    pub fn publish(
        self: &Arc<Self>,
        first: Offset,
        frames: Vec<(F, usize)>,
    ) -> Result<(), OutOfOrder> {
        let mut ring = self.ring();
        let tail = ring.tail();
        if tail.next() != first {
            return Err(OutOfOrder { tail });
        }
        for (frame, bytes) in frames {
            ring.push(frame, bytes);
        }
        drop(ring);
        self.signal.dirty(self);
        Ok(())
    }

    /// Offers what is new to all live members. Those without room are handed to the signal, to catch up.
    pub fn walk(self: &Arc<Self>) {
        // Before the lock: a stream that becomes dirty during this walk is walked once more.
        // By an exchange, which sees that mark and with it what was published before it.
        self.dirty.swap(false, Ordering::SeqCst);
        let mut live = self.live();
        let Live {
            members, walked, ..
        } = &mut *live;
        let (frames, base) = match self.after(*walked, usize::MAX) {
            After::Nothing => (Vec::new(), *walked),
            After::Frames(frames) => (frames, *walked),
            // More was published since the last walk than the ring holds.
            After::InStore(missing) => match self.after(Offset(walked.0 + missing), usize::MAX) {
                After::Frames(frames) => (frames, Offset(walked.0 + missing)),
                After::Nothing | After::InStore(_) => (Vec::new(), self.bounds().last),
            },
        };
        *walked = Offset(base.0 + frames.len() as u64);
        let tail = *walked;
        let mut over = Vec::new();
        let mut behind = Vec::new();
        let leaving =
            members.extract_if(.., |_, member| member.walk(base, &frames) != Advance::Moved);
        for (_, member) in leaving {
            if member.cursor < tail && !member.ticket.is_over() {
                behind.push(member);
            } else {
                over.push(member);
            }
        }
        drop(live);
        // Sinks are dropped and tasks are made only now, outside the lock.
        drop(over);
        for member in behind {
            self.signal.starting(CatchUp::new(Arc::clone(self), member));
        }
    }

    /// Takes a member into the live set if it is at the tail.
    pub fn join(&self, member: Member<F>) -> Joined<F> {
        let mut live = self.live();
        if !live.open || member.ticket.is_over() {
            return Joined::Over(member);
        }
        if member.cursor < self.ring().tail() {
            return Joined::Behind(member);
        }
        live.members.insert(member.ticket.id(), member);
        Joined::Live
    }

    /// Takes a member whose subscription was dropped out of the live set, now or with the next walk.
    ///
    /// It never waits, because it may be called by a sink in the middle of a walk.
    pub fn leave(self: &Arc<Self>, ticket: u64) {
        let member = match self.live.try_lock() {
            Ok(mut live) => live.members.remove(&ticket),
            Err(TryLockError::Poisoned(live)) => live.into_inner().members.remove(&ticket),
            Err(TryLockError::WouldBlock) => return self.signal.dirty(self),
        };
        drop(member);
    }

    /// Ends all live members, and those that would join later.
    pub fn close(&self) {
        let mut live = self.live();
        live.open = false;
        let members = std::mem::take(&mut live.members);
        drop(live);
        for member in members.into_values() {
            member.end(End::Closed);
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring<F>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn live(&self) -> MutexGuard<'_, Live<F>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Frame> Member<F> {
    /// Offers the frames after `base` that this member does not have. `Full` also stands for being too far behind.
    fn walk(&mut self, base: Offset, frames: &[F]) -> Advance {
        let Some(have) = self.cursor.0.checked_sub(base.0) else {
            return Advance::Full;
        };
        let new = usize::try_from(have)
            .ok()
            .and_then(|have| frames.get(have..));
        for frame in new.unwrap_or_default() {
            if self.ticket.is_over() {
                return Advance::Over;
            }
            let advance = self.offer(frame);
            if advance != Advance::Moved {
                return advance;
            }
        }
        // Also without a frame: this is how a member that left during another walk is swept out.
        if self.ticket.is_over() {
            Advance::Over
        } else {
            Advance::Moved
        }
    }

    /// Offers the frame of the event after the cursor: the only place where anything is delivered.
    pub fn offer(&mut self, frame: &F) -> Advance {
        let next = self.cursor.next();
        // A sink that panics ends its own subscription, and nobody else's.
        let offered = catch_unwind(AssertUnwindSafe(|| self.sink.offer(next, frame)));
        match offered {
            Ok(Offered::Taken) => {
                self.cursor = next;
                Advance::Moved
            }
            Ok(Offered::Full) => Advance::Full,
            Ok(Offered::Closed) => {
                self.ticket.finish();
                Advance::Over
            }
            Err(_) => {
                tracing::error!(offset = %next, "a sink panicked, its subscription ends");
                self.ticket.finish();
                Advance::Over
            }
        }
    }

    /// Tells the sink that the log ends its subscription, unless it is over already.
    pub fn end(self, end: End) {
        if self.ticket.finish() && catch_unwind(AssertUnwindSafe(|| self.sink.end(end))).is_err() {
            tracing::error!("a sink panicked while its subscription ended");
        }
    }
}
