//! The rows of the file: what they say, and whether they still say what was written.

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use socketio::{
    encode::Frames,
    parser::Frame,
    recovery::{Address, Pid, RoomChange, SavedSession, SavedValue, StoreError},
    rooms::Target,
};

use super::{damaged, failed};

/// What stands in front of the bytes of an event, and says how they are divided.
#[derive(Serialize, Deserialize)]
struct EventHead {
    to: To,
    /// Of each frame whether it is binary, and how long it is.
    frames: Vec<(bool, usize)>,
}

#[derive(Serialize, Deserialize)]
enum To {
    Socket(String),
    Rooms {
        rooms: Vec<String>,
        except: Vec<String>,
    },
}

#[derive(Serialize, Deserialize)]
struct SessionContent {
    sid: String,
    start: u64,
    floor: u64,
    rooms: Vec<String>,
    /// After which event, which room, and whether it was joined.
    changes: Vec<(u64, String, bool)>,
}

pub(super) fn write_event(
    transaction: &Transaction<'_>,
    namespace: &str,
    number: u64,
    address: &Address,
    frames: &Frames,
) -> rusqlite::Result<()> {
    let names =
        |rooms: &[socketio::rooms::Room]| rooms.iter().map(|room| room.to_string()).collect();
    let to = match address {
        Address::Socket(sid) => To::Socket(sid.to_string()),
        Address::Rooms(target) => To::Rooms {
            rooms: names(&target.rooms),
            except: names(&target.except),
        },
    };
    let parts = frames.as_slice().iter().map(|frame| match frame {
        Frame::Text(text) => (false, text.len()),
        Frame::Binary(data) => (true, data.len()),
    });
    let head = EventHead {
        to,
        frames: parts.collect(),
    };
    // A line of JSON has no line feed in it.
    let mut content = json(&head)?;
    content.push(b'\n');
    for frame in frames.as_slice() {
        let (Frame::Text(bytes) | Frame::Binary(bytes)) = frame;
        content.extend_from_slice(bytes);
    }
    let checksum = checksum(&[namespace.as_bytes(), &number.to_be_bytes(), &content]);
    transaction
        .prepare_cached("INSERT INTO event VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![namespace, number.cast_signed(), content, checksum])?;
    Ok(())
}

pub(super) fn write_session(
    transaction: &Transaction<'_>,
    namespace: &str,
    session: &SavedSession,
) -> rusqlite::Result<()> {
    let changes = session
        .changes
        .iter()
        .map(|change| (change.after, change.room.to_string(), change.is_join));
    let content = json(&SessionContent {
        sid: session.sid.to_string(),
        start: session.start,
        floor: session.floor,
        rooms: session.rooms.iter().map(|room| room.to_string()).collect(),
        changes: changes.collect(),
    })?;
    let pid = session.pid.as_str();
    let checksum = checksum(&[namespace.as_bytes(), pid.as_bytes(), &content]);
    transaction
        .prepare_cached("INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![namespace, pid, content, checksum])?;
    Ok(())
}

pub(super) fn write_value(
    transaction: &Transaction<'_>,
    namespace: &str,
    pid: &Pid,
    key: &str,
    value: &[u8],
) -> rusqlite::Result<()> {
    let pid = pid.as_str();
    let checksum = checksum(&[namespace.as_bytes(), pid.as_bytes(), key.as_bytes(), value]);
    transaction
        .prepare_cached("INSERT OR REPLACE INTO value VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![namespace, pid, key, value, checksum])?;
    Ok(())
}

/// The events in order, and the number of the first, or of the next one.
pub(super) fn read_events(
    connection: &Connection,
    namespace: &str,
) -> Result<(u64, Vec<(Address, Frames)>), StoreError> {
    let select = "SELECT number, content, checksum FROM event WHERE namespace = ?1 ORDER BY number";
    let mut select = connection.prepare(select).map_err(failed)?;
    let mut rows = select.query([namespace]).map_err(failed)?;
    let mut first = None;
    let mut events = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let number: i64 = row.get(0).map_err(failed)?;
        let content: Vec<u8> = row.get(1).map_err(failed)?;
        let stored: i64 = row.get(2).map_err(failed)?;
        let number = u64::try_from(number).map_err(|_| damaged())?;
        let expected = first.get_or_insert(number).checked_add(events.len() as u64);
        let checksum = checksum(&[namespace.as_bytes(), &number.to_be_bytes(), &content]);
        if expected != Some(number) || stored != checksum {
            return Err(damaged());
        }
        events.push(parse_event(&content).ok_or_else(damaged)?);
    }
    Ok((first.unwrap_or(1), events))
}

fn parse_event(content: &[u8]) -> Option<(Address, Frames)> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let head: EventHead = serde_json::from_slice(&content[..end]).ok()?;
    let mut rest = bytes::Bytes::copy_from_slice(&content[end + 1..]);
    let mut frames = Vec::new();
    for (is_binary, len) in head.frames {
        if len > rest.len() {
            return None;
        }
        let bytes = rest.split_to(len);
        frames.push(if is_binary {
            Frame::Binary(bytes)
        } else {
            Frame::Text(bytes)
        });
    }
    let names = |rooms: Vec<String>| rooms.into_iter().map(Into::into).collect();
    let address = match head.to {
        To::Socket(sid) => Address::Socket(sid.into()),
        To::Rooms { rooms, except } => Address::Rooms(Target {
            rooms: names(rooms),
            except: names(except),
        }),
    };
    let frames = match <[Frame; 1]>::try_from(frames) {
        Ok([frame]) => frame.into(),
        Err(frames) => frames.into_iter().collect(),
    };
    rest.is_empty().then_some((address, frames))
}

/// The sessions, each with its values.
pub(super) fn read_sessions(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<(SavedSession, Vec<SavedValue>)>, StoreError> {
    let select = "SELECT pid, content, checksum FROM session WHERE namespace = ?1";
    let mut select = connection.prepare(select).map_err(failed)?;
    let mut rows = select.query([namespace]).map_err(failed)?;
    let mut sessions = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let pid: String = row.get(0).map_err(failed)?;
        let content: Vec<u8> = row.get(1).map_err(failed)?;
        let stored: i64 = row.get(2).map_err(failed)?;
        if stored != checksum(&[namespace.as_bytes(), pid.as_bytes(), &content]) {
            return Err(damaged());
        }
        let session = parse_session(&pid, &content).ok_or_else(damaged)?;
        let values = read_values(connection, namespace, &pid)?;
        sessions.push((session, values));
    }
    Ok(sessions)
}

fn parse_session(pid: &str, content: &[u8]) -> Option<SavedSession> {
    let content: SessionContent = serde_json::from_slice(content).ok()?;
    let change = |(after, room, is_join): (u64, String, bool)| RoomChange {
        after,
        room: room.into(),
        is_join,
    };
    Some(SavedSession {
        pid: Pid::parse(pid)?,
        sid: content.sid.into(),
        start: content.start,
        floor: content.floor,
        rooms: content.rooms.into_iter().map(Into::into).collect(),
        changes: content.changes.into_iter().map(change).collect(),
    })
}

fn read_values(
    connection: &Connection,
    namespace: &str,
    pid: &str,
) -> Result<Vec<SavedValue>, StoreError> {
    let select = "SELECT key, content, checksum FROM value WHERE namespace = ?1 AND pid = ?2";
    let mut select = connection.prepare_cached(select).map_err(failed)?;
    let mut rows = select.query([namespace, pid]).map_err(failed)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let key: String = row.get(0).map_err(failed)?;
        let value: Vec<u8> = row.get(1).map_err(failed)?;
        let stored: i64 = row.get(2).map_err(failed)?;
        if stored != checksum(&[namespace.as_bytes(), pid.as_bytes(), key.as_bytes(), &value]) {
            return Err(damaged());
        }
        values.push((key, value));
    }
    Ok(values)
}

fn json(value: &impl Serialize) -> rusqlite::Result<Vec<u8>> {
    serde_json::to_vec(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Of several parts, each with its length, so that none of them can be moved into the next.
fn checksum(parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | i64::from(*byte))
}
