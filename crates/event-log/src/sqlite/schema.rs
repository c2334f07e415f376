//! The schema of a database: its version, the steps to the newest one, and the name of its history.

use rusqlite::Connection;

use super::{store_error, transact};
use crate::{Epoch, StoreError};

/// The newest version there is.
pub(super) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// Makes the newest schema in an empty database, within a transaction.
pub(super) fn make(connection: &Connection) -> Result<(), StoreError> {
    run_migrations(connection, 0, MIGRATIONS)
}

/// Brings a database of an older version to the newest schema, in one transaction.
pub(super) fn bring_up(connection: &mut Connection, from: u32) -> Result<(), StoreError> {
    migrate(connection, from, MIGRATIONS)
}

pub(super) fn read_epoch(connection: &Connection) -> Result<Epoch, StoreError> {
    let epoch = connection.query_row("SELECT epoch FROM log WHERE id = 1", [], |row| {
        row.get::<_, String>(0)
    });
    Epoch::parse(&epoch.map_err(store_error)?)
        .ok_or_else(|| StoreError::Corrupt("the epoch is not one".to_owned()))
}

pub(super) fn write_epoch(connection: &Connection, epoch: Epoch) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO log (id, epoch) VALUES (1, ?1)";
    connection
        .execute(sql, [epoch.as_str()])
        .map(drop)
        .map_err(store_error)
}

fn migrate(connection: &mut Connection, from: u32, migrations: &[&str]) -> Result<(), StoreError> {
    // Out of WAL mode for this, so that the version in the file's header is at no time older than the schema.
    let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| {
        row.get::<_, String>(0)
    });
    match mode.map_err(store_error)?.as_str() {
        "delete" => transact(connection, |connection| {
            run_migrations(connection, from, migrations)
        }),
        _ => Err(StoreError::Busy),
    }
}

fn run_migrations(
    connection: &Connection,
    from: u32,
    migrations: &[&str],
) -> Result<(), StoreError> {
    for migration in &migrations[from as usize..] {
        connection.execute_batch(migration).map_err(store_error)?;
    }
    let version = migrations.len() as u32;
    connection
        .pragma_update(None, "user_version", version)
        .map_err(store_error)
}

/// The steps from each schema version to the next, the first one from an empty file.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::sqlite::header::{self, Found};

    fn version(connection: &Connection) -> u32 {
        connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("a version")
    }

    #[test]
    fn a_database_is_brought_from_any_version_to_the_newest() {
        let steps = [
            "CREATE TABLE a (x)",
            "ALTER TABLE a ADD COLUMN y",
            "CREATE INDEX a_y ON a (y)",
        ];
        for from in 0..=3 {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("a.db");
            let mut connection = Connection::open(&path).expect("a database");
            run_migrations(&connection, 0, &steps[..from as usize]).expect("the older schema");
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .expect("as it is used");
            migrate(&mut connection, from, &steps).expect("the newest schema");
            assert_eq!(version(&connection), 3);
            connection
                .execute("INSERT INTO a (x, y) VALUES (1, 2)", [])
                .expect("the newest columns");
            // The header alone tells it, with nothing in a write-ahead log.
            let bytes = fs::read(&path).expect("the file");
            assert_eq!(header::inspect(&bytes, 0), Found::Ours(3));
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_schema() {
        let mut connection = Connection::open_in_memory().expect("a database");
        run_migrations(&connection, 0, &["CREATE TABLE a (x)"]).expect("the older schema");
        let steps = [
            "CREATE TABLE a (x)",
            "CREATE TABLE b (x)",
            "CREATE TABLE a (x)",
        ];
        let failed = transact(&mut connection, |connection| {
            run_migrations(connection, 1, &steps)
        });
        assert!(failed.is_err());
        assert_eq!(version(&connection), 1);
        assert!(connection.prepare("SELECT x FROM b").is_err());
    }
}
