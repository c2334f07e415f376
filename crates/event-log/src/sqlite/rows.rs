//! What a batch does to the rows of the database, within one transaction.

use std::collections::HashMap;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};

use super::reader::crc;
use super::store_error;
use crate::batch::{Found, Transaction};
use crate::{Append, Offset, StoreError};

/// The transaction that [`apply`](crate::apply) works in.
pub(super) struct Rows<'a> {
    connection: &'a Connection,
    streams: HashMap<String, StreamRow>,
}

/// A stream of this batch: its row, and the offset given last.
#[derive(Clone, Copy)]
struct StreamRow {
    id: i64,
    last: Offset,
    changed: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            streams: HashMap::new(),
        }
    }

    fn stream(&mut self, name: &str) -> Result<Option<StreamRow>, StoreError> {
        if let Some(stream) = self.streams.get(name) {
            return Ok(Some(*stream));
        }
        let sql = "SELECT id, last FROM streams WHERE name = ?1";
        let row = self.connection.prepare_cached(sql).and_then(|mut select| {
            let row = select.query_row([name], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
            row.optional()
        });
        let Some((id, last)) = row.map_err(store_error)? else {
            return Ok(None);
        };
        let stream = StreamRow {
            id,
            last: from_sql(last)?,
            changed: false,
        };
        self.streams.insert(name.to_owned(), stream);
        Ok(Some(stream))
    }

    fn begin_stream(&mut self, name: &str) -> Result<StreamRow, StoreError> {
        let sql = "INSERT INTO streams (name, last) VALUES (?1, 0)";
        self.connection.execute(sql, [name]).map_err(store_error)?;
        Ok(StreamRow {
            id: self.connection.last_insert_rowid(),
            last: Offset::ZERO,
            changed: true,
        })
    }

    /// Writes the offsets given last: to be called once, when all is applied.
    pub(super) fn write_tails(&self) -> Result<(), StoreError> {
        let sql = "UPDATE streams SET last = ?2 WHERE id = ?1";
        for stream in self.streams.values().filter(|stream| stream.changed) {
            let update = self.connection.prepare_cached(sql);
            let updated =
                update.and_then(|mut update| update.execute((stream.id, to_sql(stream.last))));
            updated.map_err(store_error)?;
        }
        Ok(())
    }
}

impl Transaction for Rows<'_> {
    fn last(&mut self, stream: &str) -> Result<Offset, StoreError> {
        Ok(self
            .stream(stream)?
            .map_or(Offset::ZERO, |stream| stream.last))
    }

    fn find(&mut self, stream: &str, author: &str, key: &str) -> Result<Option<Found>, StoreError> {
        let Some(stream) = self.stream(stream)? else {
            return Ok(None);
        };
        let sql = "SELECT offset, content, at, crc FROM events WHERE stream = ?1 AND author = ?2 AND key = ?3";
        let row = self.connection.prepare_cached(sql).and_then(|mut select| {
            let row = select.query_row((stream.id, author, key), |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Vec<u8>>(1)?,
                    row.get(2)?,
                    row.get::<_, i64>(3)?,
                ))
            });
            row.optional()
        });
        let Some((offset, content, at, stored_crc)) = row.map_err(store_error)? else {
            return Ok(None);
        };
        let offset = from_sql(offset)?;
        let intact = stored_crc == i64::from(crc(stream.id, offset, author, key, &content, at));
        Ok(Some(Found {
            offset,
            content: intact.then(|| Bytes::from(content)),
        }))
    }

    fn insert(&mut self, append: &Append, offset: Offset) -> Result<(), StoreError> {
        let Append {
            stream: name,
            author,
            key,
            content,
            at,
        } = append;
        let stream = match self.stream(name)? {
            Some(stream) => stream,
            None => self.begin_stream(name)?,
        };
        let crc = crc(stream.id, offset, author, key, content, *at);
        let sql = "INSERT INTO events (stream, offset, author, key, content, at, crc) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let insert = self.connection.prepare_cached(sql);
        let values = (
            stream.id,
            to_sql(offset),
            author,
            key,
            &content[..],
            at,
            crc,
        );
        let inserted = insert.and_then(|mut insert| insert.execute(values));
        inserted.map_err(store_error)?;
        let stream = StreamRow {
            last: offset,
            changed: true,
            ..stream
        };
        self.streams.insert(name.clone(), stream);
        Ok(())
    }
}

pub(super) fn to_sql(offset: Offset) -> i64 {
    i64::try_from(offset.0).unwrap_or(i64::MAX)
}

pub(super) fn from_sql(offset: i64) -> Result<Offset, StoreError> {
    let offset =
        u64::try_from(offset).map_err(|_| StoreError::Corrupt("a negative offset".to_owned()));
    offset.map(Offset)
}
