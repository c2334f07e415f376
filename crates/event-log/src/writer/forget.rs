//! Forgetting the oldest events, piece by piece, as the retention has it.

use std::sync::Arc;

use super::Writer;
use crate::retention::Held;
use crate::stats::count;
use crate::stream::Stream;
use crate::{Event, Frame, Offset, PageLimit, Store, StoreError};

/// What one transaction forgets at most: as much as a batch stores.
const PIECE: PageLimit = PageLimit {
    rows: 256,
    bytes: 1 << 20,
};

/// What was found out of a stream whose oldest events, a piece of them or more, are all of the future.
pub(super) struct Ahead {
    /// The last of them, or the one behind them that is too old.
    last: Offset,
    /// The earliest of their times: from then on they are not of the future any more.
    until: i64,
    /// All up to the last go, which is too old.
    go: bool,
}

impl<S: Store, F: Frame> Writer<S, F> {
    /// When the newest events were said, the latest of all streams; nothing if there are none.
    pub fn newest(&self) -> Result<Option<i64>, StoreError> {
        let one = PageLimit { rows: 1, bytes: 0 };
        let mut newest = None;
        for stream in self.shared.streams() {
            let behind = stream.bounds().last.next();
            let page = self.shared.reader.page_before(&stream.name, behind, one)?;
            newest = newest.max(page.last().map(|event| event.at));
        }
        Ok(newest)
    }

    /// Forgets a piece of each stream that is over its limits; says whether there may be more.
    pub fn forget(&mut self, now: i64) -> bool {
        let mut is_more = false;
        for stream in self.shared.streams() {
            // While it is not known what is stored, nothing is taken away either.
            if self.in_doubt {
                return false;
            }
            let forgotten = self.guarded(|writer| writer.forget_piece(&stream, now));
            // What failed is tried again with the next look, and not at once.
            is_more |= forgotten.unwrap_or(false);
        }
        is_more
    }

    fn forget_piece(&mut self, stream: &Arc<Stream<F>>, now: i64) -> Result<bool, StoreError> {
        if self.untrimmed.contains(&stream.name) {
            self.trim(stream, stream.bounds().first)?;
        }
        let retention = self.shared.config.retention;
        let bounds = stream.bounds();
        let held = Held {
            events: bounds.last.next().0 - bounds.first.0,
            bytes: self.bytes.get(&stream.name).copied().unwrap_or(0),
        };
        if !retention.may_expire(held) {
            return Ok(false);
        }
        let before = Offset(bounds.first.0.saturating_sub(1));
        let oldest = self.shared.reader.page_after(&stream.name, before, PIECE)?;
        let mut expired = retention.expired(held, &oldest, now);
        let mut is_more = expired == oldest.len();
        if expired == 0 && retention.age.is_some() {
            (expired, is_more) = self.expired_ahead(stream, held, &oldest, now)?;
        }
        let Some(newest) = expired.checked_sub(1).map(|last| oldest[last].offset) else {
            return Ok(is_more);
        };
        // As for the readers, they are gone even if the store cannot let go of them yet.
        count(&self.shared.counters.forgotten, expired);
        if let Some(bytes) = self.bytes.get_mut(&stream.name) {
            *bytes = bytes.saturating_sub(weight(&oldest[..expired]));
        }
        self.trim(stream, newest.next())?;
        Ok(is_more)
    }

    /// How many of the oldest events go because of one that is too old behind them, when they are all of the future;
    /// and whether there may be more to do. Reads one piece more, so that the next call goes on where this one ended.
    fn expired_ahead(
        &mut self,
        stream: &Arc<Stream<F>>,
        held: Held,
        oldest: &[Event],
        now: i64,
    ) -> Result<(usize, bool), StoreError> {
        let first = stream.bounds().first;
        let is_known = |ahead: &Ahead| first <= ahead.last && (ahead.go || now < ahead.until);
        if !self.ahead.get(&stream.name).is_some_and(is_known) {
            self.ahead.remove(&stream.name);
        }
        let known = self.ahead.get(&stream.name);
        let until = known.map_or(i64::MAX, |ahead| ahead.until);
        if !known.is_some_and(|ahead| ahead.go) {
            let read;
            let page = match known {
                Some(ahead) => {
                    let reader = &self.shared.reader;
                    read = reader.page_after(&stream.name, ahead.last, PIECE)?;
                    &read
                }
                None => oldest,
            };
            let Some(earliest) = page.iter().map(|event| event.at).min() else {
                return Ok((0, false));
            };
            let expired = self.shared.config.retention.expired(held, page, now);
            let go = expired > 0;
            if !go && earliest <= now {
                return Ok((0, false));
            }
            let passed = if go { expired } else { page.len() };
            let last = page[passed - 1].offset;
            let until = until.min(earliest);
            let ahead = Ahead { last, until, go };
            self.ahead.insert(Arc::clone(&stream.name), ahead);
            if !go {
                return Ok((0, last < stream.bounds().last));
            }
        }
        let last = self.ahead.get(&stream.name).map(|ahead| ahead.last);
        let expired = oldest.iter().filter(|event| Some(event.offset) <= last);
        let expired = expired.count();
        Ok((expired, expired == oldest.len()))
    }

    /// Forgets what the application wants forgotten: all before an offset.
    pub(super) fn forget_before(
        &mut self,
        stream: &Arc<Stream<F>>,
        first: Offset,
    ) -> Result<(), StoreError> {
        // What is not published yet was not weighed.
        let first = first.min(stream.bounds().last.next());
        let gone = self.weight_before(stream, first)?;
        if let Some(bytes) = self.bytes.get_mut(&stream.name) {
            *bytes = bytes.saturating_sub(gone);
        }
        self.trim(stream, first)
    }

    /// What the events weigh that are before an offset, if the retention asks for that.
    fn weight_before(&self, stream: &Stream<F>, first: Offset) -> Result<u64, StoreError> {
        let mut after = Offset(stream.bounds().first.0.saturating_sub(1));
        let mut sum = 0;
        while self.shared.config.retention.bytes.is_some() && after.next() < first {
            let mut page = self.shared.reader.page_after(&stream.name, after, PIECE)?;
            page.retain(|event| event.offset < first);
            let Some(last) = page.last() else { break };
            after = last.offset;
            sum += weight(&page);
        }
        Ok(sum)
    }

    /// Weighs what is stored already.
    pub fn weigh_all(&mut self) -> Result<(), StoreError> {
        for stream in self.shared.streams() {
            let mut after = Offset(stream.bounds().first.0.saturating_sub(1));
            while self.shared.config.retention.bytes.is_some() {
                let page = self.shared.reader.page_after(&stream.name, after, PIECE)?;
                let Some(last) = page.last() else { break };
                after = last.offset;
                self.weigh(&stream, &page);
            }
        }
        Ok(())
    }

    /// Notes what events weigh that are stored now.
    pub(super) fn weigh(&mut self, stream: &Arc<Stream<F>>, events: &[Event]) {
        if self.shared.config.retention.bytes.is_some() {
            *self.bytes.entry(Arc::clone(&stream.name)).or_default() += weight(events);
        }
    }
}

fn weight(events: &[Event]) -> u64 {
    events.iter().map(|event| event.weight() as u64).sum()
}
