//! The log's store on the simulated disk: what SQLite does with its write-ahead log, in small.
//!
//! A batch is one record, written behind the last one and flushed. What follows the last whole record is nothing.

mod record;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_log::{
    Append, Bounds, Epoch, Event, Found, Offset, Outcome, PageLimit, Reader, Store, StoreError,
    Transaction, apply,
};

use self::record::Record;
use crate::disk::{Disk, DiskError};
use crate::plant::Plant;

/// The writing side.
pub struct SimStore {
    disk: Disk,
    epoch: Epoch,
    table: Table,
    moods: Moods,
    /// Where the next record goes, and the checksum of the last.
    end: usize,
    sum: u32,
    plant: Option<Plant>,
}

/// How the next operations of a store go, whichever process does them.
#[derive(Clone, Default)]
pub struct Moods(Arc<Mutex<Planned>>);

#[derive(Default)]
struct Planned {
    /// For the next batches, one each.
    writes: VecDeque<Mood>,
    /// For the next reads, one each.
    reads: VecDeque<StoreError>,
    /// What has gone wrong since somebody looked, whether it was planned here or not.
    failures: BTreeSet<&'static str>,
}

/// How a batch goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Somebody else holds the database.
    Busy,
    /// Refused, and nothing is stored.
    FailBefore,
    /// Reported as failed, and stored.
    FailAfter,
    PanicBefore,
    PanicAfter,
}

/// What is stored, shared with the readers.
#[derive(Clone, Default)]
struct Table(Arc<Mutex<Rows>>);

#[derive(Default)]
struct Rows(BTreeMap<String, Stream>);

#[derive(Default)]
struct Stream {
    events: BTreeMap<u64, Event>,
    keys: BTreeMap<(String, String), Offset>,
    last: Offset,
}

/// A batch that is not stored yet.
struct Pending<'a> {
    rows: &'a Rows,
    new: Vec<(Append, Offset)>,
    dedups: bool,
}

impl Mood {
    pub const ALL: [Self; 5] = [
        Self::Busy,
        Self::FailBefore,
        Self::FailAfter,
        Self::PanicBefore,
        Self::PanicAfter,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::FailBefore => "write fails",
            Self::FailAfter => "write fails and is stored",
            Self::PanicBefore => "store panics",
            Self::PanicAfter => "store panics and has stored",
        }
    }
}

impl Moods {
    pub fn write(&self, mood: Mood) {
        self.lock().writes.push_back(mood);
    }

    pub fn read(&self, error: StoreError) {
        self.lock().reads.push_back(error);
    }

    pub fn clear(&self) {
        *self.lock() = Planned::default();
    }

    /// In which ways a store has failed since the last time, by the names that the checker of histories has for them.
    pub fn take_failures(&self) -> BTreeSet<&'static str> {
        std::mem::take(&mut self.lock().failures)
    }

    fn fail(&self, error: StoreError) -> StoreError {
        self.lock().failures.insert(match error {
            StoreError::Busy => "lock",
            _ => "failing store",
        });
        error
    }

    fn next_write(&self) -> Option<Mood> {
        self.lock().writes.pop_front()
    }

    fn next_read(&self) -> Result<(), StoreError> {
        let planned = self.lock().reads.pop_front();
        planned.map_or(Ok(()), |error| Err(self.fail(error)))
    }

    fn lock(&self) -> MutexGuard<'_, Planned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SimStore {
    /// Reads what is on the disk, up to the first record that is not whole.
    pub fn open(
        disk: Disk,
        moods: Moods,
        epoch: Epoch,
        plant: Option<Plant>,
    ) -> Result<Self, StoreError> {
        let (rows, end, sum) = load(&disk.read(), plant == Some(Plant::TornRecord));
        // Its last record may be one that a process wrote and did not live to flush. It counts as stored from now on.
        if plant != Some(Plant::UnflushedStart) {
            disk.flush().map_err(unavailable)?;
        }
        Ok(Self {
            disk,
            epoch,
            table: Table(Arc::new(Mutex::new(rows))),
            moods,
            end,
            sum,
            plant,
        })
    }

    fn store(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        let rows = self.table.lock();
        let mut transaction = Pending {
            rows: &rows,
            new: Vec::new(),
            dedups: self.plant != Some(Plant::NoDedup),
        };
        let outcomes = apply(&mut transaction, batch)?;
        let new = transaction.new;
        drop(rows);
        if new.is_empty() {
            return Ok(outcomes);
        }
        self.write(record::stored(self.sum, &new))?;
        let mut rows = self.table.lock();
        for (append, offset) in new {
            rows.add(event_of(append, offset));
        }
        Ok(outcomes)
    }

    fn write(&mut self, (bytes, sum): (Vec<u8>, u32)) -> Result<(), StoreError> {
        self.disk.write(self.end, &bytes).map_err(unavailable)?;
        self.disk.flush().map_err(unavailable)?;
        self.end += bytes.len();
        self.sum = sum;
        Ok(())
    }
}

/// Everything that the store's file holds, in order.
pub fn stored_in(file: &[u8]) -> Vec<Event> {
    let (rows, ..) = load(file, false);
    let streams = rows.0.into_values();
    streams
        .flat_map(|stream| stream.events.into_values())
        .collect()
}

/// The rows of all whole records, where those end, and the last one's checksum.
fn load(bytes: &[u8], trusts: bool) -> (Rows, usize, u32) {
    let mut rows = Rows::default();
    let (mut end, mut sum) = (0, 0);
    while let Some((record, len, next)) = record::decode(sum, &bytes[end..], trusts) {
        match record {
            Record::Stored(events) => events.into_iter().for_each(|event| rows.add(event)),
            Record::Forgotten(stream, first) => rows.forget(&stream, first),
        }
        (end, sum) = (end + len, next);
    }
    (rows, end, sum)
}

impl Store for SimStore {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        let moods = self.moods.clone();
        let mood = moods.next_write();
        let planned = || StoreError::Unavailable("planned".to_owned());
        let failed = || Err(moods.fail(planned()));
        // Unwinds as a panic does, and does not look like an unplanned one.
        let panic = || -> Result<Vec<Outcome>, StoreError> {
            moods.fail(planned());
            resume_unwind(Box::new("planned"))
        };
        match mood {
            Some(Mood::Busy) => return Err(moods.fail(StoreError::Busy)),
            Some(Mood::FailBefore) => return failed(),
            Some(Mood::PanicBefore) => return panic(),
            None | Some(Mood::FailAfter | Mood::PanicAfter) => {}
        }
        let outcomes = self.store(batch).map_err(|error| moods.fail(error))?;
        match mood {
            Some(Mood::FailAfter) => failed(),
            Some(Mood::PanicAfter) => panic(),
            _ if self.plant == Some(Plant::IdleRefusal) && self.end.is_multiple_of(16) => {
                Err(planned())
            }
            _ => Ok(outcomes),
        }
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        let written = self.write(record::forgotten(self.sum, stream, first));
        written.map_err(|error| self.moods.fail(error))?;
        self.table.lock().forget(stream, first);
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(SimReader {
            table: self.table.clone(),
            moods: self.moods.clone(),
        })
    }

    fn close(self) -> Result<(), StoreError> {
        self.disk.flush().map_err(unavailable)
    }
}

/// The reading side.
struct SimReader {
    table: Table,
    moods: Moods,
}

impl Reader for SimReader {
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError> {
        self.moods.next_read()?;
        let rows = self.table.lock();
        let bounds = rows.0.iter().map(|(name, stream)| {
            let first = stream.events.keys().next().copied();
            let bounds = Bounds {
                first: first.map_or(stream.last.next(), Offset),
                last: stream.last,
            };
            (name.clone(), bounds)
        });
        Ok(bounds.collect())
    }

    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        self.moods.next_read()?;
        let rows = self.table.lock();
        let stream = rows.0.get(stream).into_iter();
        let events = stream.flat_map(|stream| stream.events.range(after.0.saturating_add(1)..));
        Ok(page(events.map(|(_, event)| event), limit))
    }

    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        self.moods.next_read()?;
        let rows = self.table.lock();
        let stream = rows.0.get(stream).into_iter();
        let events = stream.flat_map(|stream| stream.events.range(..before.0).rev());
        let mut page = page(events.map(|(_, event)| event), limit);
        page.reverse();
        Ok(page)
    }
}

fn page<'a>(events: impl Iterator<Item = &'a Event>, limit: PageLimit) -> Vec<Event> {
    let mut bytes = 0;
    let mut page = Vec::new();
    for event in events.take(usize::try_from(limit.rows).unwrap_or(usize::MAX)) {
        bytes += event.author.len() + event.key.len() + event.content.len();
        page.push(event.clone());
        if bytes >= limit.bytes {
            break;
        }
    }
    page
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn add(&mut self, event: Event) {
        let stream = self.0.entry(event.stream.to_string()).or_default();
        let key = (event.author.clone(), event.key.clone());
        stream.keys.entry(key).or_insert(event.offset);
        stream.last = event.offset;
        stream.events.insert(event.offset.0, event);
    }

    fn forget(&mut self, stream: &str, first: Offset) {
        if let Some(stream) = self.0.get_mut(stream) {
            stream.events = stream.events.split_off(&first.0);
            stream.keys.retain(|_, offset| *offset >= first);
        }
    }
}

impl Transaction for Pending<'_> {
    fn last(&mut self, stream: &str) -> Result<Offset, StoreError> {
        let new = self.new.iter().rev();
        let new = new.filter(|(append, _)| append.stream == stream);
        let stored = self.rows.0.get(stream).map(|stream| stream.last);
        let last = new.map(|(_, offset)| *offset).next().or(stored);
        Ok(last.unwrap_or_default())
    }

    fn find(&mut self, stream: &str, author: &str, key: &str) -> Result<Option<Found>, StoreError> {
        if !self.dedups {
            return Ok(None);
        }
        let new = self.new.iter().find(|(append, _)| {
            (&*append.stream, &*append.author, &*append.key) == (stream, author, key)
        });
        if let Some((append, offset)) = new {
            return Ok(Some(Found {
                offset: *offset,
                content: Some(append.content.clone()),
            }));
        }
        let Some(stream) = self.rows.0.get(stream) else {
            return Ok(None);
        };
        let offset = stream.keys.get(&(author.to_owned(), key.to_owned()));
        Ok(offset.map(|offset| Found {
            offset: *offset,
            content: stream
                .events
                .get(&offset.0)
                .map(|event| event.content.clone()),
        }))
    }

    fn insert(&mut self, append: &Append, offset: Offset) -> Result<(), StoreError> {
        self.new.push((append.clone(), offset));
        Ok(())
    }
}

fn event_of(append: Append, offset: Offset) -> Event {
    Event {
        stream: append.stream.into(),
        offset,
        author: append.author,
        key: append.key,
        content: append.content,
        at: append.at,
    }
}

fn unavailable(error: DiskError) -> StoreError {
    StoreError::Unavailable(format!("{error:?}"))
}
