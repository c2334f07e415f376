use std::collections::BTreeMap;
use std::fs::{self, Permissions};

use tempfile::TempDir;

use super::*;
use crate::{Bounds, Event, PageLimit};

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

#[test]
fn what_is_stored_is_read_back_after_a_restart() {
    let folder = folder();
    let mut store = open(&folder);
    let epoch = store.epoch();
    let batch = [
        append("1", "x"),
        append("1", "x"),
        append("2", ""),
        append("1", "y"),
    ];
    let expected = [
        Outcome::Stored(Offset(1)),
        Outcome::Duplicate(Offset(1)),
        Outcome::Stored(Offset(2)),
        Outcome::Conflict,
    ];
    assert_eq!(store.append(&batch).as_deref(), Ok(&expected[..]));
    store.close().expect("closed");

    let mut store = open(&folder);
    assert_eq!(store.epoch(), epoch);
    let events = all(&store);
    let read: Vec<_> = events
        .iter()
        .map(|event| (event.offset.0, event.key.as_str(), &event.content[..]))
        .collect();
    assert_eq!(read, [(1, "1", &b"x"[..]), (2, "2", b"")]);
    assert_eq!(
        (events[0].author.as_str(), events[0].at, &*events[0].stream),
        ("ann", batch[0].at, "parcels")
    );
    let outcomes = store.append(&[append("2", ""), append("3", "z")]);
    let expected = [Outcome::Duplicate(Offset(2)), Outcome::Stored(Offset(3))];
    assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
}

#[test]
fn pages_end_at_their_limits() {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&numbered(1..=9)).expect("stored");
    let reader = store.reader();
    let offsets = |page: Result<Vec<Event>, StoreError>| -> Vec<u64> {
        page.expect("a page")
            .iter()
            .map(|event| event.offset.0)
            .collect()
    };
    let rows = |rows| PageLimit { rows, ..ALL };
    assert_eq!(
        offsets(reader.page_after("parcels", Offset(3), rows(2))),
        [4, 5]
    );
    assert_eq!(
        offsets(reader.page_after("parcels", Offset(8), rows(5))),
        [9]
    );
    assert_eq!(
        offsets(reader.page_after("parcels", Offset(u64::MAX), rows(5))),
        [0; 0]
    );
    assert_eq!(
        offsets(reader.page_before("parcels", Offset(4), rows(2))),
        [2, 3]
    );
    assert_eq!(
        offsets(reader.page_before("parcels", Offset(u64::MAX), rows(2))),
        [8, 9]
    );
    assert_eq!(
        offsets(reader.page_before("nobody", Offset(9), rows(2))),
        [0; 0]
    );
    let bytes = |bytes| PageLimit { bytes, ..ALL };
    assert_eq!(
        offsets(reader.page_after("parcels", Offset(3), bytes(0))),
        [4]
    );
    assert_eq!(
        offsets(reader.page_before("parcels", Offset(4), bytes(40))),
        [2, 3]
    );
}

#[test]
fn trimmed_events_are_gone_and_their_offsets_are_not_given_again() {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&numbered(1..=3)).expect("stored");
    store.trim("parcels", Offset(3)).expect("trimmed");
    let bounds = |first, last| {
        Ok(vec![(
            "parcels".to_owned(),
            Bounds {
                first: Offset(first),
                last: Offset(last),
            },
        )])
    };
    assert_eq!(store.reader().streams(), bounds(3, 3));
    store.trim("parcels", Offset(4)).expect("trimmed");
    assert_eq!(store.reader().streams(), bounds(4, 3));
    assert_eq!(
        store.append(&[append("1", "x")]),
        Ok(vec![Outcome::Stored(Offset(4))])
    );
}

#[test]
fn a_closed_database_is_one_file_and_its_lock() {
    let folder = stored(3);
    let names: Vec<_> = contents(&folder).into_keys().collect();
    assert_eq!(names, ["log.db", "log.db-lock"]);
}

#[test]
fn a_killed_process_leaves_everything_it_stored() {
    let folder = killed(5);
    let store = open(&folder);
    assert_eq!(all(&store).len(), 5);
}

#[test]
fn the_writer_flushes_as_it_was_told() {
    for (synchronous, number) in [(Synchronous::Full, 2), (Synchronous::Normal, 1)] {
        let options = Options {
            synchronous,
            ..Options::default()
        };
        let folder = folder();
        let store = SqliteStore::open(database(&folder), options).expect("a new database");
        let connection = store.connection.as_ref().expect("connected");
        let set: u32 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .expect("a value");
        assert_eq!(set, number);
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .expect("a value");
        assert_eq!(mode, "wal");
    }
}

#[test]
fn a_database_in_use_is_refused_until_it_is_closed() {
    let folder = folder();
    let store = open(&folder);
    let path = store.path().to_owned();
    assert_eq!(refusal(&folder), OpenError::Held { path });
    store.close().expect("closed");
    open(&folder);
}

#[cfg(unix)]
#[test]
fn a_database_in_use_is_recognised_under_another_name() {
    let folder = folder();
    let store = open(&folder);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(store.path(), &link).expect("a link");
    let path = store.path().to_owned();
    assert_eq!(
        SqliteStore::open(link, Options::default()).err(),
        Some(OpenError::Held { path })
    );
}

#[cfg(unix)]
#[test]
fn a_protected_file_or_folder_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = stored(1);
    let path = fs::canonicalize(database(&folder)).expect("a path");
    fs::set_permissions(&path, Permissions::from_mode(0o444)).expect("protected");
    assert_eq!(
        refusal(&folder),
        OpenError::NotWritable { path: path.clone() }
    );
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("not protected");

    let place = path.parent().expect("a folder").to_owned();
    fs::set_permissions(&place, Permissions::from_mode(0o555)).expect("protected");
    let before = contents(&folder);
    assert_eq!(
        try_open(&folder).err(),
        Some(OpenError::NotWritable {
            path: place.clone()
        })
    );
    let other = SqliteStore::open(place.join("new.db"), Options::default());
    assert_eq!(
        other.err(),
        Some(OpenError::NotWritable {
            path: place.clone()
        })
    );
    assert_eq!(contents(&folder), before);
    fs::set_permissions(&place, Permissions::from_mode(0o755)).expect("not protected");
}

#[test]
fn what_is_no_database_is_refused() {
    for bytes in [&b"hello"[..], &[0; 4_096], b"SQLite format 3\0"] {
        let folder = folder();
        fs::write(database(&folder), bytes).expect("a file");
        let path = fs::canonicalize(database(&folder)).expect("a path");
        assert_eq!(refusal(&folder), OpenError::NotADatabase { path });
    }
    let folder = folder();
    let path = fs::canonicalize(folder.path()).expect("a path");
    let opened = SqliteStore::open(folder.path(), Options::default());
    assert_eq!(opened.err(), Some(OpenError::NotADatabase { path }));
    assert_eq!(contents(&folder), BTreeMap::new());
}

#[test]
fn a_database_of_another_application_is_refused() {
    for application_id in [0, 7] {
        let folder = folder();
        let connection = raw(&folder);
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .expect("set");
        connection
            .pragma_update(None, "application_id", application_id)
            .expect("set");
        connection
            .execute_batch("CREATE TABLE a (x); INSERT INTO a VALUES (1)")
            .expect("made");
        connection.close().expect("closed");
        let path = fs::canonicalize(database(&folder)).expect("a path");
        assert_eq!(refusal(&folder), OpenError::OtherApplication { path });
    }
    let folder = stored(1);
    let path = fs::canonicalize(database(&folder)).expect("a path");
    let options = Options {
        application_id: 8,
        ..Options::default()
    };
    assert_eq!(
        SqliteStore::open(&path, options).err(),
        Some(OpenError::OtherApplication { path })
    );
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = stored(1);
    raw(&folder)
        .pragma_update(None, "journal_mode", "DELETE")
        .expect("set");
    raw(&folder)
        .pragma_update(None, "user_version", 9)
        .expect("set");
    let path = fs::canonicalize(database(&folder)).expect("a path");
    assert_eq!(
        refusal(&folder),
        OpenError::NewerSchema {
            path,
            found: 9,
            known: 1
        }
    );
}

#[test]
fn a_missing_folder_is_refused() {
    let folder = folder();
    let missing = folder.path().join("missing");
    let opened = SqliteStore::open(missing.join("log.db"), Options::default());
    assert_eq!(
        opened.err(),
        Some(OpenError::MissingFolder { folder: missing })
    );
    assert_eq!(contents(&folder), BTreeMap::new());
}

/// Expects the refusal of a damaged database.
fn damage(folder: &TempDir) -> String {
    match refusal(folder) {
        OpenError::Corrupt { what, .. } => what,
        other => panic!("{other}"),
    }
}

#[test]
fn changed_content_is_refused() {
    for folder in [stored(500), killed_after_checkpoint(500)] {
        replace_in(&database(&folder), b"content of parcel 31", b"CONTENT");
        assert!(damage(&folder).contains("event 31"));
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

#[test]
fn a_missing_event_is_refused() {
    let folder = stored(50);
    raw(&folder)
        .execute("DELETE FROM events WHERE offset = 20", [])
        .expect("deleted");
    assert!(damage(&folder).contains("no event 20"));
    let folder = stored(50);
    raw(&folder)
        .execute("DELETE FROM events WHERE offset = 50", [])
        .expect("deleted");
    assert!(damage(&folder).contains("not at its tail"));
}

#[test]
fn a_missing_table_is_refused() {
    for table in ["events", "streams", "log"] {
        let folder = stored(5);
        raw(&folder)
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; DROP TABLE {table}"))
            .expect("dropped");
        damage(&folder);
    }
}

#[test]
fn a_truncated_file_is_refused() {
    let folder = stored(500);
    let bytes = fs::read(database(&folder)).expect("a file");
    for part in [2, 3, 10] {
        fs::write(database(&folder), &bytes[..bytes.len() / part]).expect("written");
        damage(&folder);
    }
    let folder = killed_after_checkpoint(5);
    fs::write(database(&folder), b"").expect("written");
    assert!(damage(&folder).contains("write-ahead log"));
}

#[test]
fn random_damage_never_yields_other_content() {
    let sound = stored(300);
    let expected = all(&open(&sound));
    let bytes = fs::read(database(&sound)).expect("a file");
    let mut random = 1_u64;
    let mut refused = 0;
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        for _ in 0..8 {
            // A generator of Marsaglia's: good enough to pick places.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let place = random as usize % damaged.len();
            damaged[place] ^= (random >> 40) as u8 | 1;
        }
        let folder = folder();
        fs::write(database(&folder), damaged).expect("written");
        match try_open(&folder) {
            Err(_) => refused += 1,
            // Damage in a free part of a page, or only in the index, harms no event.
            Ok(store) => assert_eq!(all(&store), expected),
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn a_large_database_is_not_read_as_a_whole_and_still_never_yields_other_content() {
    let folder = stored(50);
    replace_in(&database(&folder), b"content of parcel 31", b"CONTENT");
    let options = Options {
        check_up_to_bytes: 0,
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&folder), options).expect("its ends are sound");
    let reader = store.reader();
    assert_eq!(all(&store).len(), 30);
    let next = reader.page_after("parcels", Offset(30), ALL);
    assert!(matches!(next, Err(StoreError::Corrupt(_))), "{next:?}");
    assert_eq!(
        reader
            .page_after("parcels", Offset(31), ALL)
            .map(|page| page.len()),
        Ok(19)
    );
    assert_eq!(
        reader
            .page_before("parcels", Offset(51), ALL)
            .map(|page| page.len()),
        Ok(19)
    );
    // Whether a retry of the damaged event says the same is not known, and harms nobody else.
    let outcomes = store.append(&numbered(31..=32));
    let expected = [Outcome::Unreadable, Outcome::Duplicate(Offset(32))];
    assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
}

#[test]
fn an_older_copy_gets_a_new_epoch() {
    let folder = stored(3);
    let copy = fs::read(database(&folder)).expect("a file");
    let mut store = open(&folder);
    let epoch = store.epoch();
    store.append(&numbered(4..=6)).expect("stored");
    store.close().expect("closed");
    assert_eq!(open(&folder).epoch(), epoch);

    fs::write(database(&folder), copy).expect("an older copy");
    let store = open(&folder);
    assert_ne!(store.epoch(), epoch);
    assert_eq!(all(&store).len(), 3);
    let renamed = store.epoch();
    store.close().expect("closed");
    assert_eq!(open(&folder).epoch(), renamed);
}

#[test]
fn a_lost_write_ahead_log_gets_a_new_epoch() {
    let folder = killed_after_checkpoint(5);
    fs::write(beside(&database(&folder), "-wal"), b"").expect("emptied");
    let mark = LockFile::create(&database(&folder))
        .expect("free")
        .mark()
        .expect("a mark");
    let store = open(&folder);
    assert_ne!(store.epoch(), mark.epoch);
    assert_eq!((mark.events, all(&store).len()), (6, 5));
}

#[test]
fn nothing_is_written_while_the_disk_is_almost_full() {
    let folder = folder();
    let options = Options {
        min_free_bytes: u64::MAX,
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&folder), options).expect("a new database");
    let refused = store.append(&[append("1", "x")]);
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("free")),
        "{refused:?}"
    );
    store.options.min_free_bytes = 0;
    assert_eq!(
        store.append(&[append("1", "x")]),
        Ok(vec![Outcome::Stored(Offset(1))])
    );
}

#[test]
fn a_full_disk_refuses_writing_and_not_reading_until_there_is_room() {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&numbered(1..=3)).expect("stored");
    let limit = |store: &SqliteStore, pages: i64| {
        let connection = store.connection.as_ref().expect("connected");
        let set = connection.pragma_update(None, "max_page_count", pages);
        set.expect("a limit that stands in for the disk's");
    };
    limit(&store, 1);
    let large = append("large", &"x".repeat(50_000));
    let refused = store.append(&[append("4", "x"), large.clone()]);
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("full")),
        "{refused:?}"
    );
    assert_eq!(all(&store).len(), 3);
    limit(&store, 1_000);
    let outcomes = store.append(&[large]);
    assert_eq!(outcomes, Ok(vec![Outcome::Stored(Offset(4))]));
}

#[test]
fn a_database_locked_from_outside_is_busy_and_then_goes_on() {
    let folder = folder();
    let options = Options {
        write_timeout: Duration::from_millis(1),
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&folder), options).expect("a new database");
    store.append(&[append("1", "x")]).expect("stored");
    let intruder = raw(&folder);
    intruder.execute_batch("BEGIN EXCLUSIVE").expect("locked");
    assert_eq!(store.append(&[append("2", "x")]), Err(StoreError::Busy));
    assert_eq!(all(&store).len(), 1);
    intruder.execute_batch("ROLLBACK").expect("unlocked");
    assert_eq!(
        store.append(&[append("2", "x")]),
        Ok(vec![Outcome::Stored(Offset(2))])
    );
}

#[test]
fn a_lost_connection_is_made_again() {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&[append("1", "x")]).expect("stored");
    store.connection = None;
    let outcomes = store.append(&[append("1", "x"), append("2", "x")]);
    let expected = [Outcome::Duplicate(Offset(1)), Outcome::Stored(Offset(2))];
    assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
}

#[test]
fn a_transaction_that_fails_half_way_leaves_nothing() {
    let folder = folder();
    let mut store = open(&folder);
    store.append(&[append("1", "x")]).expect("stored");
    // A trigger stands in for a disk that fails at the third row.
    let trigger = "CREATE TRIGGER fail BEFORE INSERT ON events WHEN new.key = '3' \
                   BEGIN SELECT raise(ABORT, 'planned'); END";
    raw(&folder).execute_batch(trigger).expect("made");
    assert!(store.append(&[append("2", "x"), append("3", "x")]).is_err());
    assert_eq!(all(&store).len(), 1);
    raw(&folder)
        .execute_batch("DROP TRIGGER fail")
        .expect("dropped");
    assert_eq!(
        store.append(&[append("3", "x")]),
        Ok(vec![Outcome::Stored(Offset(2))])
    );
}

#[test]
fn the_write_ahead_log_is_emptied_when_a_reader_lets_it() {
    let folder = folder();
    let options = Options {
        write_timeout: Duration::from_millis(1),
        max_wal_bytes: 100_000,
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&folder), options).expect("a new database");
    let wal_bytes = || fs::metadata(beside(&database(&folder), "-wal")).map_or(0, |wal| wal.len());
    store.append(&numbered(1..=1)).expect("stored");
    let slow = raw(&folder);
    slow.execute_batch("BEGIN; SELECT count(*) FROM events")
        .expect("reading");
    let mut number = 1;
    while wal_bytes() < 300_000 {
        number += 1;
        store.append(&numbered(number..=number)).expect("stored");
    }
    slow.execute_batch("COMMIT").expect("done");
    while wal_bytes() >= 300_000 {
        number += 1;
        store.append(&numbered(number..=number)).expect("stored");
        assert!(number < 1_000, "the write-ahead log is not emptied");
    }
    assert_eq!(all(&store).len() as u64, number);
}

#[test]
fn reading_ends_with_the_store() {
    let folder = stored(2);
    let store = open(&folder);
    let reader = store.reader();
    store.close().expect("closed");
    assert_eq!(reader.streams(), Err(StoreError::Closed));
    // Nor does a reader that is still around keep the database.
    open(&folder);
}
