//! Readers who say what they have seen last: of a history that was set back behind them they are told.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::fs;
use std::path::Path;

use event_log::sqlite::{Options, SqliteStore};
use event_log::{
    Append, Config, Cursor, End, Epoch, Log, Offset, Resync, Seen, StoreError, SubscribeError,
    Subscription,
};
use support::{Frame, STREAM, Socket, append, epoch, fill, flaky, nth, open};
use tempfile::TempDir;

/// Subscribes as somebody who has seen this event.
fn behind(
    log: &Log<Frame>,
    offset: u64,
    seen: &Append,
    socket: Socket,
) -> Result<Subscription, SubscribeError> {
    let epoch = log.epoch();
    let cursor = Cursor {
        epoch: Some(epoch.as_str()),
        offset: Offset(offset),
        last: Some(Seen {
            key: &seen.key,
            at: seen.at,
        }),
    };
    log.subscribe(STREAM, cursor, socket)
}

fn resync(epoch: Epoch, first: u64, last: u64) -> End {
    End::Resync(Resync {
        epoch,
        first: Offset(first),
        last: Offset(last),
    })
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// A log in a folder, as a process opens it that may be killed at any time.
fn log_in(folder: &TempDir) -> Log<Frame> {
    let store = SqliteStore::open(folder.path().join("log.db"), Options::default()).unwrap();
    open(store, Config::default())
}

#[tokio::test]
async fn a_reader_is_told_of_a_folder_that_was_restored_with_everything_in_it() {
    let [folder, restored] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let log = log_in(&folder);
    fill(&log, 1..=5).await;
    copy(folder.path(), restored.path());
    fill(&log, 6..=8).await;
    let named = log.epoch();
    log.close().await.unwrap();

    let log = log_in(&restored);
    assert_eq!(log.epoch(), named, "nothing in the folder tells it");
    // Among them one that its author says again, having heard no answer, and that comes to stand where it stood.
    for number in [9, 10, 8, 11] {
        let again = Append {
            at: 1,
            ..nth(number)
        };
        log.append(again).await.unwrap();
    }
    for lost in 6..=8 {
        let socket = Socket::new(9);
        let _subscription = behind(&log, lost, &nth(lost), socket.clone()).unwrap();
        assert_eq!(socket.has_ended().await, resync(named, 1, 9), "{lost}");
        assert_eq!(socket.offsets(), []);
    }
    for kept in 0..=5 {
        let socket = Socket::new(9);
        let _subscription = behind(&log, kept, &nth(kept), socket.clone()).unwrap();
        let missed = kept + 1..=9;
        socket.has_received(missed.clone().count()).await;
        assert_eq!(socket.offsets(), missed.collect::<Vec<_>>());
    }
    log.close().await.unwrap();
}

#[tokio::test]
async fn who_has_seen_what_is_stored_goes_on_behind_it() {
    let (log, _) = flaky();
    fill(&log, 1..=9).await;
    let sockets: Vec<_> = (1..=9)
        .map(|seen| {
            let socket = Socket::new(9);
            let subscription = behind(&log, seen, &nth(seen), socket.clone()).unwrap();
            (seen, socket, subscription)
        })
        .collect();
    log.append(nth(10)).await.unwrap();
    for (seen, socket, _subscription) in sockets {
        let missed = seen + 1..=10;
        socket.has_received(missed.clone().count()).await;
        assert_eq!(socket.offsets(), missed.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn who_has_seen_something_else_is_told() {
    let (log, _) = flaky();
    fill(&log, 1..=9).await;
    log.trim(STREAM, Offset(5)).await.unwrap();
    let at_another_time = Append { at: 1, ..nth(9) };
    let cases = [
        (9, append("ann", "other", "x")),
        (9, at_another_time),
        (7, nth(8)),
    ];
    for (offset, seen) in cases {
        let socket = Socket::new(9);
        let _subscription = behind(&log, offset, &seen, socket.clone()).unwrap();
        let ended = socket.has_ended().await;
        assert_eq!(ended, resync(epoch(1), 5, 9), "{offset} {seen:?}");
        assert_eq!(socket.offsets(), []);
    }
    // Who has nothing that is kept gets all that is.
    let socket = Socket::new(9);
    let _subscription = behind(&log, 4, &nth(7), socket.clone()).unwrap();
    socket.has_received(5).await;
    assert_eq!(socket.offsets(), [5, 6, 7, 8, 9]);
    // A key that nothing can have is not even looked for.
    let long = append("ann", &"k".repeat(256), "x");
    let refused = behind(&log, 9, &long, Socket::new(9)).err();
    assert!(matches!(refused, Some(SubscribeError::Resync(_))));
}

#[tokio::test]
async fn what_was_seen_is_compared_when_the_store_can_be_read() {
    let (log, store) = flaky();
    fill(&log, 1..=3).await;
    let plan = |errors: &[StoreError]| {
        let mut planned = store.plan.read_errors.lock().unwrap();
        planned.extend(errors.iter().cloned());
    };
    plan(&[StoreError::Busy, StoreError::Unavailable(String::new())]);
    let socket = Socket::new(9);
    let _subscription = behind(&log, 2, &nth(2), socket.clone()).unwrap();
    socket.has_received(1).await;
    assert_eq!(socket.offsets(), [3]);

    // What is damaged can never be compared, and what the reader has may be the only good copy of it.
    plan(&[StoreError::Corrupt(String::new())]);
    let socket = Socket::new(9);
    let _subscription = behind(&log, 2, &nth(2), socket.clone()).unwrap();
    assert_eq!(socket.has_ended().await, End::Unreadable);
    assert_eq!(socket.offsets(), []);
}

#[tokio::test]
async fn who_comes_to_a_closed_log_is_refused_whatever_was_seen() {
    let (log, _) = flaky();
    fill(&log, 1..=3).await;
    log.close().await.unwrap();
    let socket = Socket::new(9);
    let refused = behind(&log, 2, &nth(2), socket.clone()).err();
    assert_eq!(refused, Some(SubscribeError::Closed));
    assert_eq!(socket.end(), None);
}
