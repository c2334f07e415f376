//! Appending inside a transaction of the application, so that its rows and their events commit together or not at all.

use rusqlite::Transaction;

use super::{SqliteStore, open, rows::Rows, store_error};
use crate::{Append, AppendError, Appended, Frame, Log, Outcome, StoreError, apply};

impl SqliteStore {
    /// Another connection to this database, set up as the log's own, for tables of the application in the same file.
    ///
    /// Take as many as are needed before [`Log::open`](crate::Log::open) takes the store.
    /// The tables `log`, `streams` and `events` are the log's, and must be written by [`append_in`] alone.
    pub fn connect(&self) -> Result<rusqlite::Connection, StoreError> {
        open::connect(&self.path, &self.options).map_err(store_error)
    }
}

/// Appends an event inside a transaction of the application, by the rules of [`Log::append`](crate::Log::append).
///
/// The event is stored when the transaction commits, and never if it does not. Then call
/// [`Log::refresh`](crate::Log::refresh), which sends it to the subscribers. If the process ends between the two, the
/// event is sent after the next start; if `refresh` is not called, it goes out before the next append of the log.
///
/// Begin the transaction with `TransactionBehavior::Immediate`, and keep it short: while it is open the log cannot
/// store, and answers `Busy` after [`write_timeout`](super::Options::write_timeout). For the same
/// reason do not wait for an append of the log inside of it.
///
/// After an error that is not [`Conflict`](AppendError::Conflict) or [`Invalid`](AppendError::Invalid), roll back.
///
/// ```
/// # use event_log::sqlite::{Options, SqliteStore, append_in, rusqlite::TransactionBehavior};
/// # use event_log::{Append, Config, Log};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let store = SqliteStore::open(folder.path().join("shop.db"), Options::default())?;
/// let mut connection = store.connect()?;
/// connection.execute_batch("CREATE TABLE stock (thing TEXT PRIMARY KEY, pieces INTEGER NOT NULL)")?;
/// let log = Log::open(store, Config::default(), |event| event.content.clone())?;
///
/// let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
/// transaction.execute("INSERT INTO stock VALUES ('lamp', 7)", [])?;
/// let event = Append {
///     stream: "stock".to_owned(),
///     author: "delivery 12".to_owned(),
///     key: "line 1".to_owned(),
///     content: "7 lamps arrived".into(),
///     at: 1_767_225_600_000,
/// };
/// append_in(&transaction, &log, &event)?;
/// transaction.commit()?;
/// log.refresh().await?;
/// assert_eq!(log.tail("stock").0, 1);
/// # log.close().await?;
/// # Ok(())
/// # }
/// ```
pub fn append_in<F: Frame>(
    transaction: &Transaction<'_>,
    log: &Log<F>,
    append: &Append,
) -> Result<Appended, AppendError> {
    log.admit(append)?;
    let mut rows = Rows::new(transaction);
    let outcomes = apply(&mut rows, std::slice::from_ref(append));
    let stored = outcomes.and_then(|outcomes| rows.write_tails().map(|()| outcomes));
    match stored.as_deref() {
        Ok([Outcome::Stored(offset)]) => Ok(Appended {
            offset: *offset,
            duplicate: false,
        }),
        Ok([Outcome::Duplicate(offset)]) => Ok(Appended {
            offset: *offset,
            duplicate: true,
        }),
        Ok([Outcome::Conflict]) => Err(AppendError::Conflict),
        Err(StoreError::Busy) => Err(AppendError::Busy),
        Ok(_) | Err(_) => Err(AppendError::Unavailable),
    }
}
