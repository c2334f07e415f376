//! A store in memory: for tests and simulations, and for events that need not outlive the process.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batch::{Found, Transaction, apply};
use crate::{Append, Bounds, Epoch, Event, Offset, Outcome, PageLimit, Reader, Store, StoreError};

/// A store that keeps its events in memory. Clones share them, so that a "restart" finds what was stored.
#[derive(Clone)]
pub struct MemoryStore {
    epoch: Epoch,
    // Held for a batch or a page: nothing in here waits.
    streams: Arc<Mutex<Streams>>,
}

type Streams = BTreeMap<String, Rows>;

#[derive(Default)]
struct Rows {
    events: BTreeMap<u64, Event>,
    keys: HashMap<(String, String), Offset>,
    last: Offset,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            streams: Arc::default(),
        }
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn page<'a>(events: impl Iterator<Item = &'a Event>, limit: PageLimit) -> Vec<Event> {
        let mut bytes = 0;
        let mut page = Vec::new();
        for event in events.take(usize::try_from(limit.rows).unwrap_or(usize::MAX)) {
            bytes += event.weight();
            page.push(event.clone());
            if bytes >= limit.bytes {
                break;
            }
        }
        page
    }
}

impl Store for MemoryStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        // Cannot fail half-way, so the rows themselves serve as the transaction.
        apply(&mut *self.streams(), batch)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        if let Some(rows) = self.streams().get_mut(stream) {
            rows.events = rows.events.split_off(&first.0);
            rows.keys.retain(|_, offset| *offset >= first);
        }
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(self.clone())
    }

    fn close(self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Reader for MemoryStore {
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError> {
        let streams = Self::streams(self);
        let bounds = streams
            .iter()
            .map(|(name, rows)| (name.clone(), rows.bounds()));
        Ok(bounds.collect())
    }

    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        let streams = Self::streams(self);
        let rows = streams.get(stream).into_iter();
        let events = rows.flat_map(|rows| rows.events.range(after.0.saturating_add(1)..));
        Ok(Self::page(events.map(|(_, event)| event), limit))
    }

    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        let streams = Self::streams(self);
        let rows = streams.get(stream).into_iter();
        let events = rows.flat_map(|rows| rows.events.range(..before.0).rev());
        let mut page = Self::page(events.map(|(_, event)| event), limit);
        page.reverse();
        Ok(page)
    }
}

impl Rows {
    fn bounds(&self) -> Bounds {
        Bounds {
            first: self
                .events
                .keys()
                .next()
                .map_or(self.last.next(), |first| Offset(*first)),
            last: self.last,
        }
    }
}

impl Transaction for Streams {
    fn last(&mut self, stream: &str) -> Result<Offset, StoreError> {
        Ok(self.get(stream).map_or(Offset::ZERO, |rows| rows.last))
    }

    fn find(&mut self, stream: &str, author: &str, key: &str) -> Result<Option<Found>, StoreError> {
        let Some(rows) = self.get(stream) else {
            return Ok(None);
        };
        let offset = rows.keys.get(&(author.to_owned(), key.to_owned()));
        Ok(offset.map(|offset| Found {
            offset: *offset,
            content: rows
                .events
                .get(&offset.0)
                .map(|event| event.content.clone()),
        }))
    }

    fn insert(&mut self, append: &Append, offset: Offset) -> Result<(), StoreError> {
        let event = Event {
            stream: append.stream.as_str().into(),
            offset,
            author: append.author.clone(),
            key: append.key.clone(),
            content: append.content.clone(),
            at: append.at,
        };
        let rows = self.entry(append.stream.clone()).or_default();
        rows.keys
            .insert((append.author.clone(), append.key.clone()), offset);
        rows.events.insert(offset.0, event);
        rows.last = offset;
        Ok(())
    }
}
