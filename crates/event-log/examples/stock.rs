//! A room that is not a chat: a warehouse whose stock is a table, and whose screens follow what happens to it.
//!
//! `cargo run -p event-log --example stock`

use event_log::sqlite::rusqlite::{Connection, TransactionBehavior};
use event_log::sqlite::{Options, SqliteStore, append_in};
use event_log::{Append, Config, Log, Offset, channel};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("stock.db"), Options::default())?;
    let mut db = store.connect()?;
    db.execute_batch(
        "CREATE TABLE stock (thing TEXT PRIMARY KEY, pieces INTEGER NOT NULL CHECK (pieces >= 0)) STRICT;
         INSERT INTO stock VALUES ('lamp', 5)",
    )?;
    let log = Log::open(store, Config::default(), |event| {
        let what = String::from_utf8_lossy(&event.content).into_owned();
        format!("{} {}: {what}", event.offset, event.author)
    })?;

    // A screen that was off when the first lamps were sold: it begins after what it has, here nothing.
    take(&mut db, &log, "order 1", 2).await?;
    let (sink, mut screen) = channel(16);
    let _following = log.subscribe("lamp", Offset::ZERO, sink)?;
    take(&mut db, &log, "order 2", 1).await?;
    // The shop did not hear the answer, and asks again: the lamps go out once.
    take(&mut db, &log, "order 2", 1).await?;
    // There are not so many: neither the table nor the screens will know of it.
    assert!(take(&mut db, &log, "order 3", 9).await.is_err());

    log.close().await?;
    while let Some(line) = screen.recv().await {
        println!("{line}");
    }
    let left = db.query_row("SELECT pieces FROM stock", [], |row| row.get::<_, i64>(0))?;
    println!("{left} left");
    Ok(())
}

/// Takes lamps out of the table and says so, both or neither: after a crash behind the commit, the next start says so.
async fn take(db: &mut Connection, log: &Log<String>, order: &str, pieces: u32) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let event = Append {
        stream: "lamp".to_owned(),
        author: order.to_owned(),
        key: "taken".to_owned(),
        content: format!("{pieces} taken").into(),
        at: 0,
    };
    if !append_in(&transaction, log, &event)?.duplicate {
        let sql = "UPDATE stock SET pieces = pieces - ?1 WHERE thing = 'lamp'";
        transaction.execute(sql, [pieces])?;
    }
    transaction.commit()?;
    Ok(log.refresh().await?)
}
