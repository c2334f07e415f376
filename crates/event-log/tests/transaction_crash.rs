//! A process that ends around the commit of an application's transaction: its row and its event are there together or not
//! at all, and the event is sent after the next start.
//!
//! The test starts itself again as a child, which ends itself at a chosen place.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio, abort};
use std::sync::Arc;

use event_log::sqlite::rusqlite::{Connection, TransactionBehavior};
use event_log::sqlite::{Options, SqliteStore, append_in};
use event_log::{Append, Appended, Config, Epoch, Log, Offset, Outcome, Reader, Store, StoreError};
use support::{Frame, STREAM, Socket, frame, nth};

/// Where the child ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeCommit,
    AfterCommit,
    /// `refresh` was called, and nothing is published yet.
    InRefresh,
}

#[tokio::test]
async fn what_was_committed_is_sent_after_the_next_start_and_nothing_else_is() {
    for place in [Place::BeforeCommit, Place::AfterCommit, Place::InRefresh] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        run_child(&path, place);

        let store = SqliteStore::open(&path, Options::default()).unwrap();
        let mut db = store.connect().unwrap();
        let log = Log::open(store, Config::default(), frame).unwrap();
        let is_stored = place != Place::BeforeCommit;
        assert_eq!(pieces(&db), 1 + i64::from(is_stored), "{place:?}");
        assert_eq!(log.tail(STREAM), Offset(1 + u64::from(is_stored)));
        // Somebody who had the first event, and nobody has asked for a refresh since.
        let socket = Socket::new(9);
        let _subscription = log.subscribe(STREAM, Offset(1), socket.clone()).unwrap();
        if is_stored {
            socket.has_received(1).await;
            assert_eq!(socket.received(), [(Offset(2), nth(2).content)]);
        }
        // Who did not hear how it went does it again.
        let appended = count(&mut db, &log, 2, |_| {}).await;
        let expected = Appended {
            offset: Offset(2),
            duplicate: is_stored,
        };
        assert_eq!(appended, expected, "{place:?}");
        count(&mut db, &log, 3, |_| {}).await;
        socket.has_received(2).await;
        assert_eq!(socket.offsets(), [2, 3]);
        assert_eq!(pieces(&db), 3);
        log.close().await.unwrap();
    }
}

/// Counts a piece and says so, in one transaction; at each place it calls back.
async fn count(db: &mut Connection, log: &Log<Frame>, number: u64, at: impl Fn(Place)) -> Appended {
    let transaction = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .unwrap();
    let appended = append_in(&transaction, log, &nth(number)).unwrap();
    if !appended.duplicate {
        transaction
            .execute("UPDATE counted SET pieces = pieces + 1", [])
            .unwrap();
    }
    at(Place::BeforeCommit);
    transaction.commit().unwrap();
    at(Place::AfterCommit);
    log.refresh().await.unwrap();
    appended
}

fn pieces(db: &Connection) -> i64 {
    db.query_row("SELECT pieces FROM counted", [], |row| row.get(0))
        .unwrap()
}

fn run_child(path: &Path, place: Place) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--test-threads=1"])
        .env("CHILD_DATABASE", path)
        .env("CHILD_PLACE", format!("{place:?}"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.signal().is_some(), "{place:?}: {status}");
}

/// The child: counts one piece, and ends while it counts the second.
#[tokio::test]
#[ignore = "the other test starts it as a process of its own"]
async fn child() {
    let var = |name: &str| std::env::var(name).unwrap();
    let wanted = match var("CHILD_PLACE").as_str() {
        "BeforeCommit" => Place::BeforeCommit,
        "AfterCommit" => Place::AfterCommit,
        _ => Place::InRefresh,
    };
    let inner = SqliteStore::open(PathBuf::from(var("CHILD_DATABASE")), Options::default());
    let store = AbortingStore {
        inner: inner.unwrap(),
        refreshes_left: match wanted {
            Place::InRefresh => 1,
            _ => u32::MAX,
        },
    };
    let mut db = store.inner.connect().unwrap();
    db.execute_batch("CREATE TABLE counted (pieces INTEGER); INSERT INTO counted VALUES (0)")
        .unwrap();
    let log = Log::open(store, Config::default(), frame).unwrap();
    let socket = Socket::new(9);
    let _subscription = log.subscribe(STREAM, Offset::ZERO, socket.clone()).unwrap();
    count(&mut db, &log, 1, |_| {}).await;
    socket.has_received(1).await;
    let at = |place| {
        if place == wanted {
            abort();
        }
    };
    count(&mut db, &log, 2, at).await;
}

/// A store that takes the process with it when it is told that others have stored.
struct AbortingStore {
    inner: SqliteStore,
    refreshes_left: u32,
}

impl Store for AbortingStore {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        self.inner.append(batch)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        self.inner.trim(stream, first)
    }

    fn stored_by_others(&mut self) {
        match self.refreshes_left.checked_sub(1) {
            Some(left) => self.refreshes_left = left,
            None => abort(),
        }
        self.inner.stored_by_others();
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }

    fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}
