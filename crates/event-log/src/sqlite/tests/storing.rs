//! What is stored, what is read back, and what a failing disk does to either.

use super::*;
use crate::Bounds;

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
fn a_database_that_was_being_made_when_the_power_went_is_made_anew() {
    // Beside it is the journal that SQLite flushes first, and that says: there were 0 pages.
    let mut journal = vec![0; 512];
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    journal[20..28].copy_from_slice(&[0, 0, 2, 0, 0, 0, 16, 0]);
    let whole = fs::read(database(&stored(0))).expect("a whole one");
    let only_the_first_page = [&whole[..4_096], &vec![0; whole.len() - 4_096]].concat();
    let all_but_its_beginning = [&[0; 512], &whole[512..]].concat();
    for torn in [&whole, &only_the_first_page, &all_but_its_beginning] {
        let folder = folder();
        fs::write(database(&folder), torn).expect("what is there of it");
        fs::write(beside(&database(&folder), "-journal"), &journal).expect("a journal");
        let mut store = open(&folder);
        store.append(&numbered(1..=2)).expect("stored");
        store.close().expect("closed");
        let bounds = Bounds {
            first: Offset(1),
            last: Offset(2),
        };
        let streams = open(&folder).reader().streams();
        assert_eq!(streams, Ok(vec![("parcels".to_owned(), bounds)]));
    }
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
