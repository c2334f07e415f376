//! The database file as another process sees it: read in the end, and in between held, copied and put back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::content::key_of;
use crate::history::{Entry, Facts, Kind, Op, Recorder};
use crate::rng::hash;

/// The name of the history, and where it begins and ends. Nothing stored is from 1 to 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub epoch: String,
    pub first: u64,
    pub last: u64,
}

impl State {
    pub fn of(database: &Path) -> rusqlite::Result<Self> {
        let connection = open(database)?;
        let sql = "SELECT epoch, coalesce(min(offset), 1), coalesce(max(offset), 0) FROM log LEFT JOIN events";
        connection.query_row(sql, [], |row| {
            Ok(Self {
                epoch: row.get(0)?,
                first: row.get::<_, i64>(1)?.unsigned_abs(),
                last: row.get::<_, i64>(2)?.unsigned_abs(),
            })
        })
    }

    /// How many messages are kept.
    pub fn kept(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

fn open(database: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

/// Notes the name of the history, and every row of the chat's stream.
pub fn note_rows(database: &Path, history: &Recorder) -> rusqlite::Result<()> {
    let connection = open(database)?;
    let value = Facts {
        epoch: Some(State::of(database)?.epoch),
        ..Facts::default()
    };
    history.note("file", Op::Epoch, Kind::Info, None, value);
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

/// Makes a backup as people do, while the server goes on. Blocks.
pub fn back_up(database: &Path, backup: &Path) -> rusqlite::Result<()> {
    let _ = fs::remove_file(backup);
    let connection = open(database)?;
    connection.execute("VACUUM INTO ?1", [backup.display().to_string()])?;
    Ok(())
}

/// Puts a backup in the place of a database that nobody has open.
pub fn put_back(database: &Path, backup: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::copy(backup, database).map(drop)
}

/// Takes the mark away that stands beside a database which nobody has open.
pub fn forget_mark(database: &Path) -> io::Result<()> {
    let mut name = database.as_os_str().to_owned();
    name.push("-lock");
    fs::remove_file(PathBuf::from(name))
}

/// Keeps everybody else from writing for so long. Blocks.
pub fn hold(database: &Path, time: Duration) -> rusqlite::Result<()> {
    let hold = Hold::take(database)?;
    std::thread::sleep(time);
    hold.let_go()
}

/// Keeps everybody else from writing.
pub struct Hold(Connection);

impl Hold {
    /// Waits its turn. Blocks.
    pub fn take(database: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(Self(connection))
    }

    pub fn let_go(self) -> rusqlite::Result<()> {
        self.0.execute_batch("ROLLBACK")
    }
}
