//! What comes out of a file is what was put into it, or nothing.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use socketio::{
    encode::Frames,
    parser::Frame,
    recovery::{Address, Pid, RoomChange, SavedSession},
    rooms::Target,
};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("sessions.db")
    }

    fn open(&self) -> Arc<SessionFile> {
        SessionFile::open(&self.path(), now()).unwrap()
    }

    /// What a file says that its next process opens.
    fn loaded(&self) -> Option<Saved> {
        self.open().load("/").unwrap()
    }

    fn execute(&self, sql: &str) {
        let connection = Connection::open(self.path()).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn epoch() -> Epoch {
    Epoch::parse("abcdefgh").unwrap()
}

fn text(text: &str) -> Frames {
    Frame::Text(text.to_owned().into()).into()
}

fn binary() -> Frames {
    [
        Frame::Text("header".into()),
        Frame::Binary(vec![0, 10, 255].into()),
        Frame::Binary(vec![].into()),
    ]
    .into_iter()
    .collect()
}

fn to_rooms() -> Address {
    Address::Rooms(Target {
        rooms: vec!["a".into(), "line\nfeed".into()],
        except: vec!["b".into()],
    })
}

fn session(n: u8) -> SavedSession {
    SavedSession {
        pid: Pid::from_random([n; 15]),
        sid: format!("sid-{n}").into(),
        start: 1,
        floor: 2,
        rooms: vec!["a".into()],
        changes: vec![RoomChange {
            after: 3,
            room: "a".into(),
            is_join: true,
        }],
    }
}

fn record_event(store: &SessionFile, number: u64, address: &Address, frames: &Frames, pruned: u64) {
    let event = Record::Event {
        number,
        address,
        frames,
        pruned,
    };
    store.record("/", &event).unwrap();
}

/// Something of each kind.
fn fill(store: &SessionFile) {
    store.record("/", &Record::Begin(epoch())).unwrap();
    record_event(store, 1, &to_rooms(), &text("one"), 0);
    record_event(store, 2, &Address::Socket("sid-1".into()), &binary(), 0);
    for n in [1, 2] {
        store.record("/", &Record::Session(&session(n))).unwrap();
        for (key, value) in [("name", "\"old\""), ("name", "\"new\""), ("age", "7")] {
            let data = Record::Data {
                pid: &session(n).pid,
                key,
                value: value.as_bytes(),
            };
            store.record("/", &data).unwrap();
        }
    }
    let over = session(2).pid;
    store.record("/", &Record::SessionOver(&over)).unwrap();
}

#[test]
fn what_was_recorded_is_there_again() {
    let folder = Folder::new();
    let store = folder.open();
    assert_eq!(store.load("/").unwrap(), None);
    fill(&store);
    assert_eq!(store.load("/other").unwrap(), None);
    drop(store);
    let saved = folder.loaded().unwrap();
    let values = vec![
        ("age".to_owned(), b"7".to_vec()),
        ("name".to_owned(), b"\"new\"".to_vec()),
    ];
    let expected = Saved {
        epoch: epoch(),
        first: 1,
        events: vec![
            (to_rooms(), text("one")),
            (Address::Socket("sid-1".into()), binary()),
        ],
        sessions: vec![(session(1), values)],
        since: saved.since,
    };
    assert_eq!(saved, expected);
}

#[test]
fn events_that_are_not_needed_go() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    for number in 3..=200 {
        record_event(
            &store,
            number,
            &to_rooms(),
            &text("more"),
            number.saturating_sub(10),
        );
    }
    drop(store);
    let saved = folder.loaded().unwrap();
    assert_eq!(saved.first + saved.events.len() as u64, 201);
    assert_eq!(saved.first, 192 - 10 + 1);
}

#[test]
fn what_was_forgotten_or_has_begun_anew_is_gone() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    store.record("/", &Record::Begin(epoch())).unwrap();
    let saved = store.load("/").unwrap().unwrap();
    assert_eq!(
        (saved.first, saved.events.len(), saved.sessions.len()),
        (1, 0, 0)
    );
    fill(&store);
    store.forget("/");
    assert_eq!(store.load("/").unwrap(), None);
    drop(store);
    assert_eq!(folder.loaded(), None);
}

#[test]
fn what_does_not_fit_together_is_not_used() {
    for damage in [
        "UPDATE event SET content = CAST(replace(CAST(content AS TEXT), 'one', 'two') AS BLOB)",
        "UPDATE event SET number = number + 1 WHERE number = 2",
        "UPDATE session SET content = x'7b7d'",
        "UPDATE session SET pid = 'aaaaaaaaaaaaaaaaaaaa'",
        "UPDATE value SET key = 'other' WHERE key = 'age'",
        "UPDATE namespace SET epoch = 'short'",
    ] {
        let folder = Folder::new();
        fill(&folder.open());
        folder.execute(damage);
        let store = folder.open();
        assert!(store.load("/").is_err(), "{damage}");
        assert_eq!(store.load("/").unwrap(), None, "{damage}");
        store.record("/", &Record::Begin(epoch())).unwrap();
    }
}

#[test]
fn what_was_written_before_the_machine_started_is_not_used() {
    let folder = Folder::new();
    fill(&folder.open());
    folder.execute("UPDATE header SET boot = 'another'");
    assert_eq!(folder.loaded(), None);
}

#[test]
fn a_file_that_cannot_be_read_is_made_anew_and_one_that_is_not_ours_is_left() {
    let folder = Folder::new();
    fill(&folder.open());
    let mut content = fs::read(folder.path()).unwrap();
    content[100..].fill(0xff);
    fs::write(folder.path(), &content).unwrap();
    let store = folder.open();
    assert_eq!(store.load("/").unwrap(), None);
    fill(&store);
    drop(store);
    assert!(folder.loaded().is_some());
    for foreign in [b"Dear diary".to_vec(), {
        let mut other = b"SQLite format 3\0".to_vec();
        other.resize(4096, 0);
        other
    }] {
        let folder = Folder::new();
        fs::write(folder.path(), &foreign).unwrap();
        let error = SessionFile::open(&folder.path(), now()).unwrap_err();
        assert!(error.to_string().contains("sessions.db"), "{error}");
        assert_eq!(fs::read(folder.path()).unwrap(), foreign);
    }
}

#[test]
fn only_the_owner_may_read_the_names_of_sessions() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    for file in ["sessions.db", "sessions.db-wal"] {
        let file = fs::metadata(folder.0.path().join(file)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_look_at_a_file_makes_nothing_and_finds_what_would_be_refused() {
    let folder = Folder::new();
    let messages = folder.0.path().join("chat.db");
    assert_eq!(check(&folder.path(), &messages), Ok(()));
    let detour = folder.0.path().join(".").join("sessions.db");
    for same in [&folder.path(), &detour] {
        let refused = check(&folder.path(), same).unwrap_err().to_string();
        assert!(refused.contains("sessions.db"), "{refused}");
    }
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 0);

    let store = folder.open();
    assert!(check(&folder.path(), &messages).is_err());
    drop(store);
    assert_eq!(check(&folder.path(), &messages), Ok(()));
    fs::write(&messages, "Dear diary").unwrap();
    assert!(check(&messages, &folder.path()).is_err());
}

#[test]
fn a_second_process_is_refused() {
    let folder = Folder::new();
    let store = folder.open();
    let error = SessionFile::open(&folder.path(), now()).unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
    drop(store);
    folder.open();
}

#[test]
fn a_file_that_cannot_even_be_emptied_is_taken_away() {
    let folder = Folder::new();
    let store = folder.open();
    fill(&store);
    folder.execute("DROP TABLE event");
    let event = Record::Event {
        number: 3,
        address: &to_rooms(),
        frames: &text("lost"),
        pruned: 0,
    };
    assert!(store.record("/", &event).is_err());
    store.forget("/");
    assert!(!folder.path().exists());
    drop(store);
    assert_eq!(folder.loaded(), None);
}

#[test]
fn namespaces_that_nobody_asks_for_go_with_the_process_after_the_next() {
    let folder = Folder::new();
    fill(&folder.open());
    // One that is not asked for it.
    folder.open();
    assert_eq!(folder.loaded(), None);
    let folder = Folder::new();
    fill(&folder.open());
    for _ in 0..3 {
        assert!(folder.loaded().is_some());
    }
}

#[test]
fn the_write_ahead_log_is_bounded_also_if_its_thread_comes_to_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    store.record("/", &Record::Begin(epoch())).unwrap();
    let size = 256 * 1024;
    let frames = text(&"x".repeat(size));
    let bound = u64::from(file::MAX_WAL_PAGES) * 4_096;
    let count = 2 * bound / size as u64;
    assert!(
        count < RECORDS_PER_CHECKPOINT.into(),
        "the thread is not even asked"
    );
    let mut longest = 0;
    for number in 1..=count {
        let pruned = number.saturating_sub(10);
        record_event(&store, number, &to_rooms(), &frames, pruned);
        let log = fs::metadata(folder.0.path().join("sessions.db-wal"));
        longest = log.unwrap().len().max(longest);
    }
    assert!(
        (bound..bound + 2 * size as u64).contains(&longest),
        "{longest}"
    );
}
