//! Opens what a loss of power has left, by the real store, and looks whether it keeps its promises.

use std::collections::BTreeMap;
use std::path::Path;

use event_log::sqlite::SqliteStore;
use event_log::{Append, Bounds, Offset, Outcome, PageLimit, Store};

use crate::answer::Answer;
use crate::options::{self, Durability};
use crate::program::{self, APPLICATION};

/// What was found in a folder that is as it should be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// How many events are stored.
    pub stored: usize,
    /// Answered and not stored: always 0 where the promise is `Full`.
    pub lost: usize,
    /// The history has another name than the one that was answered in.
    pub renamed: bool,
}

/// By stream, author and number: where an event stands.
type Stored = BTreeMap<(u64, u64), Offset>;

/// Checks a folder against what was answered before the power went.
///
/// With `Normal` the newest may be lost, but no reader may be left to believe that its cursor means what it did.
pub fn check(folder: &Path, answers: &[Answer], promise: Durability) -> Result<Found, String> {
    let opened = SqliteStore::open(options::database(folder), options::store(promise));
    let mut store = opened.map_err(|error| format!("it cannot be opened: {error}"))?;
    let stored = read(&store)?;
    rows_of_the_application(&store, &stored)?;
    let epoch = store.epoch();
    let renamed = answers.last().is_some_and(|answer| answer.epoch != epoch);
    let missing = |answer: &&Answer| !stored.contains_key(&(answer.author, answer.number));
    let lost = answers.iter().filter(missing).count();
    if promise == Durability::Full && lost > 0 {
        let first = answers.iter().find(missing);
        return Err(format!("{lost} answered and lost, the first is {first:?}"));
    }
    if promise == Durability::Full && renamed {
        return Err(format!(
            "nothing is lost, and the epoch is another: {epoch}"
        ));
    }
    if lost > 0 && !renamed {
        return Err(format!(
            "{lost} answered and lost, and the epoch is the same: {epoch}"
        ));
    }
    for answer in answers {
        let offset = stored.get(&(answer.author, answer.number));
        if offset.is_some_and(|offset| *offset != answer.offset) {
            return Err(format!("{answer:?} is stored at {offset:?}"));
        }
    }
    go_on(&mut store, &stored)?;
    store
        .close()
        .map_err(|error| format!("it cannot be closed: {error}"))?;
    Ok(Found {
        stored: stored.len(),
        lost,
        renamed,
    })
}

/// Everything that is stored. It is dense, each event is what was said, and each author is heard in order.
fn read(store: &SqliteStore) -> Result<Stored, String> {
    let reader = store.reader();
    let mut stored = Stored::new();
    let streams = reader.streams().map_err(|error| error.to_string())?;
    for (name, Bounds { first, last }) in streams {
        let events = reader.page_after(&name, Offset::ZERO, ALL);
        let events = events.map_err(|error| format!("{name:?} cannot be read: {error}"))?;
        let offsets: Vec<_> = events.iter().map(|event| event.offset.0).collect();
        if first != Offset(1) || offsets != (1..=last.0).collect::<Vec<_>>() {
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
    // An author goes on to the next stream when it is answered, so this is also the order between streams.
    let mut next = BTreeMap::new();
    for (author, number) in stored.keys() {
        let next = next.entry(*author).or_insert(0);
        if number != next {
            return Err(format!("{next} of {author} is gone, and {number} is there"));
        }
        *next += 1;
    }
    Ok(stored)
}

/// The application's rows are there exactly where its events are.
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
    let events = stored.keys().filter(|(author, _)| *author == APPLICATION);
    let events: Vec<_> = events.map(|(_, number)| *number).collect();
    if rows == events {
        Ok(())
    } else {
        Err(format!(
            "the application has rows {rows:?} and events {events:?}"
        ))
    }
}

/// The log goes on where it stands: a retry is known, and something new gets the next offset.
fn go_on(store: &mut SqliteStore, stored: &Stored) -> Result<(), String> {
    let newest = stored.iter().max_by_key(|(_, offset)| **offset);
    let mut batch: Vec<Append> = Vec::new();
    let mut expected = Vec::new();
    if let Some(((author, number), offset)) = newest {
        batch.push(program::event(*author, *number));
        expected.push(Outcome::Duplicate(*offset));
    }
    let mut new = program::event(1, 0);
    new.key = "after the loss".to_owned();
    let in_stream = |author: u64, number: u64| program::event(author, number).stream == new.stream;
    let in_stream = stored
        .iter()
        .filter(|((author, number), _)| in_stream(*author, *number));
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
