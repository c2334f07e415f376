//! What the chat is told to keep, by its command line: the program itself on a database that was filled before.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event_log::sqlite::rusqlite::{Connection, OpenFlags};
use event_log::sqlite::{Options, SqliteStore};
use event_log::{Append, Store};
use tempfile::TempDir;

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// What a message weighs beside its content: its author and a key of four digits.
const AUTHOR: &str = "ann";
const KEY: usize = 4;

/// A process that is just being started has a copy of every open file, for a moment: also of a lock that another
/// test has taken and given back.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn messages_are_kept_for_so_many_days() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = filled((1..=30).map(|number| (now() - (30 - number) * DAY - DAY / 2, 10)));
    // 2.5, 1.5 and 0.5 days old.
    let chat = Chat::start(&folder, &["--keep-days", "3"]);
    chat.keeps(28, 30);
}

#[test]
fn messages_are_kept_up_to_so_many_mebibytes() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    const MESSAGE: usize = 8 * 1_024;
    let folder = filled((1..=400).map(|_| (now(), MESSAGE)));
    let chat = Chat::start(&folder, &["--keep-mebibytes", "2"]);
    let fit = (2 << 20) / (MESSAGE + AUTHOR.len() + KEY);
    chat.keeps(400 - fit as i64 + 1, 400);
}

#[test]
fn what_is_asked_for_together_holds_together() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = filled((1..=30).map(|number| (now() - (30 - number) * DAY - DAY / 2, 100_000)));
    let chat = Chat::start(&folder, &["--keep-days", "20", "--keep-mebibytes", "1"]);
    chat.keeps(21, 30);
}

#[cfg(target_os = "linux")]
#[test]
fn commits_are_flushed_unless_the_end_of_the_process_is_all_that_is_to_be_survived() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for (durability, is_noted) in [("power", false), ("process", true)] {
        let folder = filled([(now(), 10); 2].into_iter());
        let chat = Chat::start(
            &folder,
            &["--durability", durability, "--keep-messages", "1"],
        );
        chat.keeps(2, 2);
        // What is noted beside the database, so that its next start knows what may be missing after a loss of power.
        let beside = fs::read_to_string(folder.path().join("chat.db-lock")).unwrap();
        assert_eq!(beside.contains("unflushed"), is_noted, "{durability}");
    }
}

/// A folder with a chat that nobody has open: messages said at these times, of these lengths.
fn filled(messages: impl Iterator<Item = (i64, usize)>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        application_id: u32::from_be_bytes(*b"Chat"),
        ..Options::default()
    };
    let mut store = SqliteStore::open(database(&folder), options).unwrap();
    let batch: Vec<_> = (1..)
        .zip(messages)
        .map(|(number, (at, length))| Append {
            stream: chat_app::chat::STREAM.to_owned(),
            author: AUTHOR.to_owned(),
            key: format!("{number:0KEY$}"),
            content: vec![b'x'; length].into(),
            at,
        })
        .collect();
    store.append(&batch).unwrap();
    store.close().unwrap();
    folder
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("chat.db")
}

/// A running chat.
struct Chat {
    process: Child,
    database: PathBuf,
}

impl Chat {
    fn start(folder: &TempDir, options: &[&str]) -> Self {
        let database = database(folder);
        let process = Command::new(env!("CARGO_BIN_EXE_chat-app"))
            .args(["--listen", "127.0.0.1:0", "--database"])
            .arg(&database)
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { process, database }
    }

    /// Waits until these are the oldest and the newest message.
    fn keeps(mut self, first: i64, last: i64) {
        let patience = Duration::from_secs(60);
        let step = Duration::from_millis(20);
        let mut kept = None;
        for _ in 0..patience.as_millis() / step.as_millis() {
            assert_eq!(self.process.try_wait().unwrap(), None, "it runs");
            kept = bounds(&self.database);
            if kept == Some((first, last)) {
                break;
            }
            thread::sleep(step);
        }
        assert_eq!(kept, Some((first, last)));
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The oldest and the newest message, if the database can be read at this moment.
fn bounds(database: &Path) -> Option<(i64, i64)> {
    let connection =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
    let sql = "SELECT min(offset), max(offset) FROM events";
    let row = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
    row.ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "messages are said by the wall clock"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
