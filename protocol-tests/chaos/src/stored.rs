//! The database file as another process sees it: read in the end, and held in between.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::content::key_of;
use crate::history::{Entry, Facts, Kind, Op, Recorder};
use crate::rng::hash;

/// Notes every row of the chat's stream.
pub fn note_rows(database: &Path, history: &Recorder) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT offset, content FROM events ORDER BY stream, offset";
    let mut select = connection.prepare(sql)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let offset: i64 = row.get(0)?;
        let content: Vec<u8> = row.get(1)?;
        history.push(Entry {
            t: crate::clock::now(),
            proc: "file".to_owned(),
            op: Op::Row,
            kind: Kind::Ok,
            key: Some(key_of(&String::from_utf8_lossy(&content)).to_owned()),
            value: Facts {
                hash: Some(hash(&content)),
                ..Facts::offset(offset.unsigned_abs())
            },
        });
    }
    Ok(())
}

/// Keeps everybody else from writing for so long. Blocks.
pub fn hold(database: &Path, time: Duration) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    std::thread::sleep(time);
    connection.execute_batch("ROLLBACK")
}
