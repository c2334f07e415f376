//! What a chat has stored: the rows of its database, counted after the chat was killed, by no code of the chat's.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::Stored;
use crate::tally::Faults;

/// How many messages a database holds; nothing if there is none, or none in which they are known to be.
pub fn rows(database: &Path) -> io::Result<Option<u64>> {
    if !database.exists() {
        return Ok(None);
    }
    count(database).map_err(|error| io::Error::other(format!("the database: {error}")))
}

fn count(database: &Path) -> rusqlite::Result<Option<u64>> {
    // Also what is in the write-ahead log alone, which takes the right to write.
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    for table in TABLES {
        if connection.table_exists(None, table)? {
            let all = format!("SELECT count(*) FROM {table}");
            let rows: i64 = connection.query_row(&all, [], |row| row.get(0))?;
            return Ok(Some(rows.unsigned_abs()));
        }
    }
    Ok(None)
}

impl Stored {
    /// What was acknowledged has to be there, and what is there has to have been sent.
    pub fn faults(&self, sent: u64) -> Faults {
        let rows = self.rows.unwrap_or(self.acknowledged);
        Faults {
            lost: self.acknowledged.saturating_sub(rows),
            repeated: rows.saturating_sub(sent),
            ..Faults::default()
        }
    }
}

/// Where chats keep their messages: ours, and those of the tutorial.
const TABLES: [&str; 2] = ["events", "messages"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_where_messages_are_known_to_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a.db");
        assert_eq!(rows(&file).expect("looked for"), None);
        let connection = Connection::open(&file).expect("made");
        connection
            .execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE other (x)")
            .expect("made");
        assert_eq!(rows(&file).expect("looked for"), None);
        connection
            .execute_batch("CREATE TABLE messages (x); INSERT INTO messages VALUES (1), (2)")
            .expect("made");
        assert_eq!(rows(&file).expect("counted"), Some(2));
    }

    #[test]
    fn what_is_not_there_is_lost_and_what_nobody_sent_is_repeated() {
        let faults = |rows| {
            let stored = Stored {
                acknowledged: 7,
                rows,
            };
            let faults = stored.faults(9);
            (faults.lost, faults.repeated)
        };
        assert_eq!(faults(Some(5)), (2, 0));
        // Stored, and the acknowledgement was under way.
        assert_eq!(faults(Some(9)), (0, 0));
        assert_eq!(faults(Some(10)), (0, 1));
        assert_eq!(faults(None), (0, 0));
    }
}
