//! Rows of the application and their events commit together, and are sent when they have.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::path::Path;

use event_log::sqlite::rusqlite::{Connection, Transaction, TransactionBehavior};
use event_log::sqlite::{Options, SqliteStore, append_in};
use event_log::{AppendError, Config, Driver, Log, Offset, Subscription};
use support::{Frame, STREAM, Socket, append, duplicate, frame, fresh, nth};

/// A shop on its log.
struct Shop {
    log: Log<Frame>,
    driver: Driver<SqliteStore, Frame>,
    connection: Connection,
}

impl Shop {
    fn open(folder: &Path) -> Self {
        let store = SqliteStore::open(folder.join("shop.db"), Options::default()).unwrap();
        let connection = store.connect().unwrap();
        let table = "CREATE TABLE IF NOT EXISTS sold (thing INTEGER PRIMARY KEY) STRICT";
        connection.execute_batch(table).unwrap();
        let (log, driver) = Log::driven(store, Config::default(), frame).unwrap();
        Self {
            log,
            driver,
            connection,
        }
    }

    fn begin(&mut self) -> (Transaction<'_>, &Log<Frame>) {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        (transaction.unwrap(), &self.log)
    }

    /// Sells something, and says so.
    fn sell(&mut self, thing: u64) {
        let (transaction, log) = self.begin();
        sell(&transaction, log, thing);
        transaction.commit().unwrap();
    }

    fn refresh(&mut self) {
        let log = self.log.clone();
        let mut refresh = std::pin::pin!(log.refresh());
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(refresh.as_mut().poll(&mut cx).is_pending());
        self.driver.settle();
        assert_eq!(
            refresh.as_mut().poll(&mut cx),
            std::task::Poll::Ready(Ok(()))
        );
    }

    fn follow(&mut self) -> (Socket, Subscription) {
        let socket = Socket::new(100);
        let subscription = self.log.subscribe(STREAM, Offset::ZERO, socket.clone());
        self.driver.settle();
        (socket, subscription.unwrap())
    }

    fn sold(&self) -> u64 {
        let sql = "SELECT count(*) FROM sold";
        let sold: i64 = self
            .connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap();
        sold.unsigned_abs()
    }
}

fn sell(transaction: &Transaction<'_>, log: &Log<Frame>, thing: u64) {
    let id = i64::try_from(thing).unwrap();
    transaction
        .execute("INSERT INTO sold VALUES (?1)", [id])
        .unwrap();
    append_in(transaction, log, &nth(thing)).unwrap();
}

#[test]
fn an_event_is_sent_after_the_commit_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(folder.path());
    let (socket, _subscription) = shop.follow();
    let (transaction, log) = shop.begin();
    sell(&transaction, log, 1);
    assert_eq!(log.tail(STREAM), Offset::ZERO);
    transaction.commit().unwrap();
    assert!(socket.offsets().is_empty());
    shop.refresh();
    assert_eq!(socket.offsets(), [1]);
}

#[test]
fn a_rollback_leaves_neither_row_nor_event_nor_hole() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(folder.path());
    let (socket, _subscription) = shop.follow();
    let (transaction, log) = shop.begin();
    sell(&transaction, log, 1);
    transaction.rollback().unwrap();
    shop.refresh();
    assert_eq!((shop.sold(), socket.offsets()), (0, vec![]));
    shop.sell(2);
    shop.refresh();
    assert_eq!((shop.sold(), socket.offsets()), (1, vec![1]));
}

#[test]
fn after_a_crash_between_commit_and_refresh_the_event_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(folder.path());
    shop.sell(1);
    drop(shop);
    let mut shop = Shop::open(folder.path());
    let (socket, _subscription) = shop.follow();
    assert_eq!((shop.sold(), socket.offsets()), (1, vec![1]));
}

#[test]
fn an_append_of_the_log_takes_with_it_what_was_not_refreshed() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(folder.path());
    let (socket, _subscription) = shop.follow();
    shop.sell(1);
    let receipt = shop.log.submit(nth(2)).unwrap();
    shop.driver.settle();
    drop(receipt);
    assert_eq!(socket.offsets(), [1, 2]);
    shop.refresh();
    assert_eq!(socket.offsets(), [1, 2]);
}

#[test]
fn a_transaction_follows_the_rules_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::open(folder.path());
    let (transaction, log) = shop.begin();
    assert_eq!(append_in(&transaction, log, &nth(1)), fresh(1));
    assert_eq!(append_in(&transaction, log, &nth(1)), duplicate(1));
    assert_eq!(append_in(&transaction, log, &nth(2)), fresh(2));
    let other = append("ann", "1", "other content");
    let refused = append_in(&transaction, log, &other);
    assert_eq!(refused, Err(AppendError::Conflict));
    let endless = append("ann", &"k".repeat(1_000), "content");
    let refused = append_in(&transaction, log, &endless);
    assert!(matches!(refused, Err(AppendError::Invalid(_))));
    transaction.commit().unwrap();
    shop.refresh();
    assert_eq!(shop.log.tail(STREAM), Offset(2));
}

#[test]
fn an_older_copy_is_recognised_by_events_of_transactions_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    let shop = Shop::open(folder.path());
    let epoch = shop.log.epoch();
    drop(shop.connection);
    shop.driver.close().unwrap();
    let copy = std::fs::read(&path).unwrap();
    let mut shop = Shop::open(folder.path());
    shop.sell(1);
    shop.refresh();
    assert_eq!(shop.log.epoch(), epoch);
    drop(shop.connection);
    shop.driver.close().unwrap();
    std::fs::write(&path, copy).unwrap();
    assert_ne!(Shop::open(folder.path()).log.epoch(), epoch);
}
