//! Opens what a loss of power has left, by the real store, and looks whether it keeps its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use event_log::sqlite::SqliteStore;
use event_log::{Append, Bounds, Offset, Outcome, PageLimit, Store};

use crate::answer::Answer;
use crate::options::{self, Durability, Promise};
use crate::program::{self, APPLICATION};

/// What was found in a folder that is as it should be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How many events are stored.
    pub stored: usize,
    /// Answered and not stored, nor forgotten as it may be: always 0 where the promise is `Full`.
    pub lost: usize,
    /// Answered and forgotten.
    pub forgotten: usize,
    /// The history has another name than the one that was answered in.
    pub renamed: bool,
}

/// What is stored.
struct Stored {
    /// By author and number: where an event stands.
    events: BTreeMap<(u64, u64), Offset>,
    streams: BTreeMap<String, Bounds>,
}

impl Stored {
    /// Whether an event is one of those that were forgotten.
    fn has_forgotten(&self, answer: &Answer) -> bool {
        let stream = program::event(answer.author, answer.number).stream;
        let bounds = self.streams.get(&stream);
        bounds.is_some_and(|bounds| answer.offset < bounds.first)
    }

    fn holds(&self, answer: &Answer) -> bool {
        self.events.contains_key(&(answer.author, answer.number))
    }
}

/// Checks a folder against what was answered before the power went.
///
/// With `Normal` the newest may be lost, but no reader may be left to believe that its cursor means what it did.
pub fn check(folder: &Path, answers: &[Answer], promise: Promise) -> Result<Found, String> {
    let Promise { durability, keep } = promise;
    let opened = SqliteStore::open(options::database(folder), options::store(durability));
    let mut store = opened.map_err(|error| format!("it cannot be opened: {error}"))?;
    let stored = read(&store, keep)?;
    order_of_authors(&stored, answers)?;
    rows_of_the_application(&store, &stored)?;
    let epoch = store.epoch();
    let renamed = answers.last().is_some_and(|answer| answer.epoch != epoch);
    let gone = answers.iter().filter(|answer| !stored.holds(answer));
    let (forgotten, lost): (Vec<_>, Vec<_>) = gone.partition(|answer| stored.has_forgotten(answer));
    let (forgotten, first_lost) = (forgotten.len(), lost.first().copied());
    let unnoticed = lost.iter().find(|answer| answer.epoch == epoch);
    let lost = lost.len();
    if durability == Durability::Full && lost > 0 {
        return Err(format!(
            "{lost} answered and lost, the first is {first_lost:?}"
        ));
    }
    if durability == Durability::Full && renamed {
        return Err(format!(
            "nothing is lost, and the epoch is another: {epoch}"
        ));
    }
    if let Some(answer) = unnoticed {
        return Err(format!(
            "{lost} answered and lost, and the epoch is the same for {answer:?}"
        ));
    }
    for answer in answers {
        let offset = stored.events.get(&(answer.author, answer.number));
        if offset.is_some_and(|offset| *offset != answer.offset) {
            return Err(format!("{answer:?} is stored at {offset:?}"));
        }
    }
    go_on(&mut store, &stored)?;
    store
        .close()
        .map_err(|error| format!("it cannot be closed: {error}"))?;
    Ok(Found {
        stored: stored.events.len(),
        lost,
        forgotten,
        renamed,
    })
}

/// Everything that is stored. It is dense, no more is forgotten than may be, and each event is what was said.
fn read(store: &SqliteStore, keep: Option<u64>) -> Result<Stored, String> {
    let reader = store.reader();
    let mut stored = BTreeMap::new();
    let streams = reader.streams().map_err(|error| error.to_string())?;
    let streams: BTreeMap<_, _> = streams.into_iter().collect();
    for (name, Bounds { first, last }) in &streams {
        let oldest = keep.map_or(1, |keep| (last.0 + 1).saturating_sub(keep).max(1));
        let events = reader.page_after(name, Offset::ZERO, ALL);
        let events = events.map_err(|error| format!("{name:?} cannot be read: {error}"))?;
        let offsets: Vec<_> = events.iter().map(|event| event.offset.0).collect();
        if first.0 > oldest || offsets != (first.0..=last.0).collect::<Vec<_>>() {
            return Err(format!("{name:?} from {first} to {last} holds {offsets:?}"));
        }
        for event in events {
            let number = |text: &str| text.parse().map_err(|_| format!("nobody said {event:?}"));
            let (author, number) = (number(&event.author)?, number(&event.key)?);
            let said = program::event(author, number);
            if (said.stream.as_str(), &said.content, said.at)
                != (&*event.stream, &event.content, event.at)
            {
                return Err(format!("{said:?} was stored as {event:?}"));
            }
            if stored.insert((author, number), event.offset).is_some() {
                return Err(format!("{number} of {author} is stored twice"));
            }
        }
    }
    Ok(Stored {
        events: stored,
        streams,
    })
}

/// Each author is heard in order. It goes on to the next stream when it is answered, so what is missing between two of
/// its events was answered, and has been forgotten since.
fn order_of_authors(stored: &Stored, answers: &[Answer]) -> Result<(), String> {
    let forgotten = answers.iter().filter(|answer| stored.has_forgotten(answer));
    let forgotten: BTreeSet<_> = forgotten
        .map(|answer| (answer.author, answer.number))
        .collect();
    let mut next = BTreeMap::new();
    for (author, number) in stored.events.keys() {
        let next = next.entry(*author).or_insert(0);
        if let Some(hole) = (*next..*number).find(|hole| !forgotten.contains(&(*author, *hole))) {
            return Err(format!("{hole} of {author} is gone, and {number} is there"));
        }
        *next = number + 1;
    }
    Ok(())
}

/// The application's rows are there exactly where its events are, or were before they were forgotten.
fn rows_of_the_application(store: &SqliteStore, stored: &Stored) -> Result<(), String> {
    let text = |error: event_log::sqlite::rusqlite::Error| error.to_string();
    let connection = store.connect().map_err(|error| error.to_string())?;
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'notes'";
    let exists: i64 = connection
        .query_row(table, [], |row| row.get(0))
        .map_err(text)?;
    let mut rows = Vec::new();
    if exists > 0 {
        let mut select = connection.prepare("SELECT number FROM notes ORDER BY number");
        let select = select.as_mut().map_err(|error| error.to_string())?;
        let numbers = select
            .query_map([], |row| row.get::<_, i64>(0))
            .map_err(text)?;
        for number in numbers {
            rows.push(number.map_err(text)?.unsigned_abs());
        }
    }
    let events = stored.events.keys();
    let events = events.filter(|(author, _)| *author == APPLICATION);
    let events: Vec<_> = events.map(|(_, number)| *number).collect();
    let stream = program::event(APPLICATION, 0).stream;
    let last = stored
        .streams
        .get(&stream)
        .map_or(0, |bounds| bounds.last.0);
    if rows.iter().copied().eq(0..last) && rows.ends_with(&events) {
        Ok(())
    } else {
        Err(format!(
            "the application has rows {rows:?} and events {events:?}"
        ))
    }
}

/// The log goes on where it stands: a retry is known, and something new gets the next offset.
fn go_on(store: &mut SqliteStore, stored: &Stored) -> Result<(), String> {
    let events = || stored.events.iter();
    let newest = events().max_by_key(|(_, offset)| **offset);
    let mut batch: Vec<Append> = Vec::new();
    let mut expected = Vec::new();
    if let Some(((author, number), offset)) = newest {
        batch.push(program::event(*author, *number));
        expected.push(Outcome::Duplicate(*offset));
    }
    let mut new = program::event(1, 0);
    new.key = "after the loss".to_owned();
    let in_stream = |author: u64, number: u64| program::event(author, number).stream == new.stream;
    let in_stream = events().filter(|((author, number), _)| in_stream(*author, *number));
    let tail = in_stream
        .map(|(_, offset)| *offset)
        .max()
        .unwrap_or(Offset::ZERO);
    batch.push(new);
    expected.push(Outcome::Stored(tail.next()));
    match store.append(&batch) {
        Ok(outcomes) if outcomes == expected => Ok(()),
        other => Err(format!(
            "the next append is answered {other:?} and not {expected:?}"
        )),
    }
}

const ALL: PageLimit = PageLimit {
    rows: u64::MAX,
    bytes: usize::MAX,
};

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with thirty events of one author, ten in each of three streams, and what was answered.
    fn filled(folder: &Path) -> (SqliteStore, Vec<Answer>) {
        let options = options::store(Durability::Full);
        let store = SqliteStore::open(options::database(folder), options);
        let mut store = store.expect("a database");
        let said: Vec<_> = (0..30).map(|number| program::event(1, number)).collect();
        let outcomes = store.append(&said).expect("room");
        let answers = (0..).zip(outcomes).map(|(number, outcome)| match outcome {
            Outcome::Stored(offset) => Answer {
                epoch: store.epoch(),
                author: 1,
                number,
                offset,
            },
            other => panic!("{other:?}"),
        });
        let answers = answers.collect();
        (store, answers)
    }

    fn checked(first: u64, keep: Option<u64>) -> Result<Found, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut store, answers) = filled(folder.path());
        let trimmed = store.trim(&program::event(1, 0).stream, Offset(first));
        trimmed.expect("fewer");
        store.close().expect("in order");
        let promise = Promise {
            durability: Durability::Full,
            keep,
        };
        check(folder.path(), &answers, promise)
    }

    #[test]
    fn what_may_be_forgotten_is_not_lost() {
        let found = checked(7, Some(4)).expect("four are kept");
        assert_eq!((found.stored, found.forgotten, found.lost), (24, 6, 0));
        assert_eq!(checked(1, Some(4)).map(|found| found.forgotten), Ok(0));
    }

    #[test]
    fn what_has_to_be_kept_is_not_forgotten() {
        assert!(checked(7, Some(5)).is_err());
        assert!(checked(2, None).is_err());
    }
}
