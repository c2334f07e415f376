//! What is not opened, and that nothing is touched then; what is damaged, and never served.

use super::*;

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
    use std::fs::Permissions;
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

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let opened = SqliteStore::open("/dev/null", Options::default());
    let path = PathBuf::from("/dev/null");
    assert_eq!(opened.err(), Some(OpenError::NotADatabase { path }));
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
fn a_schema_older_than_the_first_is_refused_and_left_alone() {
    let folder = stored(1);
    raw(&folder)
        .execute_batch("PRAGMA user_version = 0; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("set");
    let before = fs::read(database(&folder)).expect("a file");
    assert!(matches!(refusal(&folder), OpenError::Corrupt { .. }));
    assert_eq!(fs::read(database(&folder)).expect("a file"), before);
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

#[test]
fn changed_content_is_refused() {
    for folder in [stored(500), killed_after_checkpoint(500)] {
        replace_in(&database(&folder), b"content of parcel 31", b"CONTENT");
        assert!(damage(&folder).contains("event 31"));
    }
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
fn a_copy_without_its_mark_gets_a_new_epoch() {
    let folder = stored(5);
    let epoch = open(&folder).epoch();
    // Killed, started again, and nothing stored in all that time: it is the same.
    drop(open(&folder));
    assert_eq!(open(&folder).epoch(), epoch);
    let lock = LockFile::path(&database(&folder));
    for broken in [&b""[..], b"no mark at all"] {
        let before = open(&folder).epoch();
        fs::write(&lock, broken).expect("written");
        assert_ne!(open(&folder).epoch(), before);
    }
    let before = open(&folder).epoch();
    fs::remove_file(&lock).expect("removed");
    let renamed = open(&folder).epoch();
    assert_ne!(renamed, before);
    assert_eq!(open(&folder).epoch(), renamed);
}

#[test]
fn a_copy_that_is_put_in_place_twice_gets_another_new_epoch() {
    let folder = stored(3);
    let copy = fs::read(database(&folder)).expect("a file");
    let mut epochs = Vec::new();
    for _ in 0..3 {
        let mut store = open(&folder);
        assert!(!epochs.contains(&store.epoch()));
        epochs.push(store.epoch());
        store.append(&numbered(4..=9)).expect("stored");
        store.close().expect("closed");
        fs::write(database(&folder), &copy).expect("the copy");
    }
}

#[test]
fn a_new_database_keeps_its_epoch_before_anything_is_stored() {
    let folder = folder();
    let epoch = open(&folder).epoch();
    assert_eq!(open(&folder).epoch(), epoch);
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

/// A folder as it is found after the machine has started anew, with the epoch it had.
#[cfg(target_os = "linux")]
fn started_anew(
    synchronous: Synchronous,
    end: impl FnOnce(SqliteStore, &TempDir),
) -> (TempDir, Epoch) {
    let (from, to) = (folder(), folder());
    let options = Options {
        synchronous,
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&from), options).expect("a new database");
    store.append(&numbered(1..=3)).expect("stored");
    let epoch = store.epoch();
    end(store, &from);
    let boot = boot::id().expect("Linux has one");
    for (name, bytes) in contents(&from) {
        let bytes = match name.as_str() {
            "log.db-lock" => String::from_utf8(bytes)
                .expect("text")
                .replace(&boot, &"0".repeat(boot.len()))
                .into_bytes(),
            _ => bytes,
        };
        fs::write(to.path().join(name), bytes).expect("copied");
    }
    (to, epoch)
}

#[cfg(target_os = "linux")]
#[test]
fn a_history_that_was_not_flushed_gets_a_new_epoch_when_the_machine_starts_anew() {
    // Still open while its files are copied.
    let kept = std::cell::OnceCell::new();
    let (folder, epoch) = started_anew(Synchronous::Normal, |store, _| drop(kept.set(store)));
    let store = open(&folder);
    let renamed = store.epoch();
    assert_ne!(renamed, epoch);
    assert_eq!(all(&store).len(), 3);
    drop(store);
    // Once: with full flushes there is no more doubt.
    assert_eq!(open(&folder).epoch(), renamed);
}

#[cfg(target_os = "linux")]
#[test]
fn a_history_that_was_flushed_keeps_its_epoch_when_the_machine_starts_anew() {
    let kept = std::cell::OnceCell::new();
    let (folder, epoch) = started_anew(Synchronous::Full, |store, _| drop(kept.set(store)));
    assert_eq!(open(&folder).epoch(), epoch);
    let close = |store: SqliteStore, _: &TempDir| store.close().expect("closed");
    let (folder, epoch) = started_anew(Synchronous::Normal, close);
    assert_eq!(open(&folder).epoch(), epoch);
}

#[cfg(unix)]
#[test]
fn a_kill_is_no_reason_for_a_new_epoch_with_normal_flushes() {
    let (from, to) = (folder(), folder());
    let options = Options {
        synchronous: Synchronous::Normal,
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&from), options.clone()).expect("a new database");
    store.append(&numbered(1..=3)).expect("stored");
    for (name, bytes) in contents(&from) {
        fs::write(to.path().join(name), bytes).expect("copied");
    }
    let again = SqliteStore::open(database(&to), options).expect("it goes on");
    assert_eq!(again.epoch(), store.epoch());
}
