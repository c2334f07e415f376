//! The reading connections: pages of events, each event checked against its CRC.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags, Params, Row};

use super::lock::LockFile;
use super::rows::{from_sql, to_sql};
use super::store_error;
use crate::{Bounds, Event, Offset, PageLimit, Reader, StoreError};

/// Connections that are open and not in use, at most; each has a cache of its own.
const MAX_IDLE: usize = 8;

/// How long a reader waits for a lock. Readers and the writer do not lock each other out, so this is for others.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// Reading connections, opened as they are needed.
pub(super) struct Readers {
    path: PathBuf,
    // Held to take or give back a connection, never while one reads.
    pool: Mutex<Pool>,
    given_back: Condvar,
}

struct Pool {
    idle: Vec<Connection>,
    lent: usize,
    /// Kept while a connection may be open; without it nothing is read any more.
    lock: Option<Arc<LockFile>>,
}

impl Readers {
    pub fn new(path: PathBuf, lock: Arc<LockFile>) -> Self {
        Self {
            path,
            pool: Mutex::new(Pool {
                idle: Vec::new(),
                lent: 0,
                lock: Some(lock),
            }),
            given_back: Condvar::new(),
        }
    }

    /// Waits for the reads in flight, which are short, and closes all connections.
    pub fn close(&self) {
        let mut pool = self.pool();
        let lock = pool.lock.take();
        pool.idle.clear();
        while pool.lent > 0 {
            pool = self
                .given_back
                .wait(pool)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(lock);
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut pool = self.pool();
        if pool.lock.is_none() {
            return Err(StoreError::Closed);
        }
        pool.lent += 1;
        let idle = pool.idle.pop();
        drop(pool);
        let mut loan = Loan {
            readers: self,
            connection: None,
        };
        let connection = idle.map_or_else(|| self.connect(), Ok)?;
        let result = read(&connection);
        if result.is_ok() {
            loan.connection = Some(connection);
        }
        result
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(store_error)?;
        connection.busy_timeout(READ_TIMEOUT).map_err(store_error)?;
        // A page is read once and not again soon: a small cache, in KiB.
        connection
            .pragma_update(None, "cache_size", -256)
            .map_err(store_error)?;
        Ok(connection)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection as lent until it is given back, also if the read fails or panics.
struct Loan<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        let mut pool = self.readers.pool();
        let keep = pool.lock.is_some() && pool.idle.len() < MAX_IDLE;
        pool.idle.extend(self.connection.take_if(|_| keep));
        // One that is not kept is closed before it counts as given back, so that `close` leaves none open.
        self.connection = None;
        pool.lent -= 1;
        drop(pool);
        self.readers.given_back.notify_all();
    }
}

impl Reader for Readers {
    fn streams(&self) -> Result<Vec<(String, Bounds)>, StoreError> {
        self.with(streams)
    }

    fn page_after(
        &self,
        stream: &str,
        after: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT stream, offset, author, key, content, at, crc FROM events \
                   WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND offset > ?2 \
                   ORDER BY offset LIMIT ?3";
        self.with(|connection| {
            page(
                connection,
                sql,
                stream,
                (stream, to_sql(after), to_sql(Offset(limit.rows))),
                limit,
            )
        })
    }

    fn page_before(
        &self,
        stream: &str,
        before: Offset,
        limit: PageLimit,
    ) -> Result<Vec<Event>, StoreError> {
        let sql = "SELECT stream, offset, author, key, content, at, crc FROM events \
                   WHERE stream = (SELECT id FROM streams WHERE name = ?1) AND offset < ?2 \
                   ORDER BY offset DESC LIMIT ?3";
        let values = (stream, to_sql(before), to_sql(Offset(limit.rows)));
        let mut page = self.with(|connection| page(connection, sql, stream, values, limit))?;
        page.reverse();
        Ok(page)
    }
}

/// All streams, each with what the tables agree it holds.
pub(super) fn streams(connection: &Connection) -> Result<Vec<(String, Bounds)>, StoreError> {
    let sql = "SELECT name, last, \
               (SELECT min(offset) FROM events WHERE stream = streams.id), \
               (SELECT max(offset) FROM events WHERE stream = streams.id) \
               FROM streams ORDER BY id";
    let mut select = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = select.query([]).map_err(store_error)?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next().map_err(store_error)? {
        let (name, last): (String, i64) = (column(row, 0)?, column(row, 1)?);
        let (min, max): (Option<i64>, Option<i64>) = (column(row, 2)?, column(row, 3)?);
        let last = from_sql(last)?;
        let first = min.map_or(Ok(last.next()), from_sql)?;
        if max.map_or(Ok(last), from_sql)? != last {
            let what = format!("the newest event of stream {name:?} is not at its tail");
            return Err(StoreError::Corrupt(what));
        }
        streams.push((name, Bounds { first, last }));
    }
    Ok(streams)
}

/// Reads a page, in the order of the query, up to the first event that cannot be read.
///
/// An error is returned only if it comes first, so that what is sound before it can still be told.
fn page(
    connection: &Connection,
    sql: &str,
    stream: &str,
    values: impl Params,
    limit: PageLimit,
) -> Result<Vec<Event>, StoreError> {
    let stream = Arc::<str>::from(stream);
    let mut select = connection.prepare_cached(sql).map_err(store_error)?;
    let mut rows = select.query(values).map_err(store_error)?;
    let mut page = Vec::new();
    let mut bytes = 0;
    while bytes < limit.bytes || page.is_empty() {
        let row = rows.next().map_err(store_error);
        match row.and_then(|row| row.map(|row| event(row, &stream)).transpose()) {
            Ok(None) => break,
            Ok(Some(event)) => {
                bytes += event.weight();
                page.push(event);
            }
            Err(_) if !page.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// Reads a row of `stream, offset, author, key, content, at, crc`, and believes it only if the CRC fits.
pub(super) fn event(row: &Row<'_>, stream: &Arc<str>) -> Result<Event, StoreError> {
    let (stream_id, offset) = (column(row, 0)?, column(row, 1)?);
    let (author, key): (String, String) = (column(row, 2)?, column(row, 3)?);
    let (content, at): (Vec<u8>, i64) = (column(row, 4)?, column(row, 5)?);
    let stored_crc: i64 = column(row, 6)?;
    let offset = from_sql(offset)?;
    if stored_crc != i64::from(crc(stream_id, offset, &author, &key, &content, at)) {
        let what = format!("event {offset} of stream {stream:?} is not what was written");
        return Err(StoreError::Corrupt(what));
    }
    Ok(Event {
        stream: Arc::clone(stream),
        offset,
        author,
        key,
        content: Bytes::from(content),
        at,
    })
}

fn column<T: FromSql>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    row.get(index).map_err(store_error)
}

/// The CRC of an event's row. The lengths keep the texts apart.
pub(super) fn crc(
    stream: i64,
    offset: Offset,
    author: &str,
    key: &str,
    content: &[u8],
    at: i64,
) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&stream.to_le_bytes());
    crc.update(&offset.0.to_le_bytes());
    crc.update(&at.to_le_bytes());
    crc.update(&(author.len() as u64).to_le_bytes());
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(author.as_bytes());
    crc.update(key.as_bytes());
    crc.update(content);
    crc.finalize()
}
