//! Folders with databases in every state, for the tests of storing and of refusing.

mod refusing;
mod storing;

use std::collections::BTreeMap;
use std::fs;

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::{Event, PageLimit};

const ALL: PageLimit = PageLimit {
    rows: 1_000,
    bytes: 1 << 20,
};

fn append(key: &str, content: &str) -> Append {
    Append {
        stream: "parcels".to_owned(),
        author: "ann".to_owned(),
        key: key.to_owned(),
        content: Bytes::copy_from_slice(content.as_bytes()),
        at: 1_700_000_000_000,
    }
}

fn numbered(numbers: impl Iterator<Item = u64>) -> Vec<Append> {
    numbers
        .map(|number| {
            append(
                &number.to_string(),
                &format!("the content of parcel {number}"),
            )
        })
        .collect()
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("log.db")
}

fn open(folder: &TempDir) -> SqliteStore {
    try_open(folder).expect("a good database")
}

fn try_open(folder: &TempDir) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(database(folder), Options::default())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A folder with a database of so many events, closed in good order.
fn stored(events: u64) -> TempDir {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&numbered(1..=events)).expect("stored");
    store.close().expect("closed");
    folder
}

/// A folder as a process leaves it that is killed after so many events: a copy of the files while they are in use.
fn killed(events: u64) -> TempDir {
    let (from, to) = (folder(), folder());
    let mut store = open(&from);
    store.append(&numbered(1..=events)).expect("stored");
    for (name, bytes) in contents(&from) {
        fs::write(to.path().join(name), bytes).expect("copied");
    }
    assert!(to.path().join("log.db-wal").exists() && to.path().join("log.db-shm").exists());
    to
}

/// Every file of a folder.
fn contents(folder: &TempDir) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder.path()).expect("a folder");
    files
        .map(|file| {
            let file = file.expect("a file");
            let bytes = fs::read(file.path()).expect("its bytes");
            (file.file_name().into_string().expect("a name"), bytes)
        })
        .collect()
}

/// Expects a refusal, and that nothing was touched.
fn refusal(folder: &TempDir) -> OpenError {
    let before = contents(folder);
    let Err(refusal) = try_open(folder) else {
        panic!("the database was opened");
    };
    assert_eq!(contents(folder), before, "after: {refusal}");
    assert!(refusal.to_string().contains("log.db"), "{refusal}");
    refusal
}

fn raw(folder: &TempDir) -> Connection {
    Connection::open(database(folder)).expect("a database")
}

fn all(store: &SqliteStore) -> Vec<Event> {
    let page = store.reader().page_after("parcels", Offset::ZERO, ALL);
    page.expect("a page")
}

/// Replaces it everywhere: what was moved to another page may still stand in the old one.
fn replace_in(path: &Path, what: &[u8], with: &[u8]) {
    let mut bytes = fs::read(path).expect("a file");
    let places = 0..bytes.len() - what.len();
    let places: Vec<_> = places
        .filter(|place| bytes[*place..].starts_with(what))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + with.len()].copy_from_slice(with);
    }
    fs::write(path, bytes).expect("written");
}

/// Expects the refusal of a damaged database.
fn damage(folder: &TempDir) -> String {
    match refusal(folder) {
        OpenError::Corrupt { what, .. } => what,
        other => panic!("{other}"),
    }
}

/// As `killed`, with the events in the database file and one more in the write-ahead log.
fn killed_after_checkpoint(events: u64) -> TempDir {
    let (from, to) = (folder(), folder());
    let mut store = open(&from);
    store.append(&numbered(1..=events)).expect("stored");
    checkpoint(store.connection.as_ref().expect("connected")).expect("moved");
    store
        .append(&numbered(events + 1..=events + 1))
        .expect("stored");
    for (name, bytes) in contents(&from) {
        fs::write(to.path().join(name), bytes).expect("copied");
    }
    to
}
