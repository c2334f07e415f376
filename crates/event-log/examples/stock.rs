//! A room that is not a chat: a warehouse whose stock is a table, and whose screens follow what happens to it.
//!
//! `cargo run -p event-log --example stock`

use event_log::sqlite::rusqlite::{Connection, TransactionBehavior};
use event_log::sqlite::{Options, SqliteStore, append_in};
use event_log::{Append, Config, Event, Log, Offset, channel};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open(folder.path().join("stock.db"), Options::default())?;
    let mut db = store.connect()?;
    let table = "CREATE TABLE stock (lamps CHECK (lamps >= 0))";
    db.execute_batch(&format!("{table}; INSERT INTO stock VALUES (5)"))?;
    let log = Log::open(store, Config::default(), Event::clone)?;
    take(&mut db, &log, "order 1", 2).await?;

    // A new screen begins with everything. It keeps the offset of what it has shown, and is switched off.
    let (sink, mut screen) = channel(16);
    let showing = log.subscribe("lamp", Offset::ZERO, sink)?;
    let event = screen.recv().await.ok_or("closed")?;
    println!("{} {:?}", event.offset, event.content);
    let kept = event.offset;
    drop(showing);
    take(&mut db, &log, "order 2", 1).await?;
    // The shop did not hear the answer, and asks again: the lamp goes out once.
    take(&mut db, &log, "order 2", 1).await?;
    // There are not so many: neither the table nor the screens will know of it.
    assert!(take(&mut db, &log, "order 3", 9).await.is_err());

    // Back again it goes on behind what it has, and then with what is new.
    let (sink, mut screen) = channel(16);
    let _showing = log.subscribe("lamp", kept, sink)?;
    take(&mut db, &log, "order 4", 1).await?;
    for _ in 0..2 {
        let event = screen.recv().await.ok_or("closed")?;
        println!("{} {:?}", event.offset, event.content);
    }
    Ok(log.close().await?)
}

/// Takes lamps out of the table and says so, both or neither: after a crash behind the commit, the next start says so.
async fn take(db: &mut Connection, log: &Log<Event>, who: &str, n: u32) -> Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let event = Append {
        stream: "lamp".to_owned(),
        author: who.to_owned(),
        key: "taken".to_owned(),
        content: format!("{who} took {n}").into(),
        at: 0,
    };
    if !append_in(&transaction, log, &event)?.duplicate {
        transaction.execute("UPDATE stock SET lamps = lamps - ?1", [n])?;
    }
    transaction.commit()?;
    Ok(log.refresh().await?)
}
