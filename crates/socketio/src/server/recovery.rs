//! Recovery in a server: its options, and what a socket has on top when it is on.

use std::{
    any::{Any, TypeId},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::Config;
use crate::{
    recovery::{Claim, Found, Limits, Pid, SavedValue, Seen, Store, Tenure},
    rooms::Room,
};

/// Connection state recovery: a client that was cut off, and comes back soon enough, is the same socket again, with its
/// id, rooms and data, and gets what it has missed. See [`recovery`](crate::recovery).
///
/// Events get one more argument, an offset, which clients send back; the clients 2 get it too, and know nothing of it.
/// Not sent again are volatile events, those that want an answer, and those of
/// [`Socket::try_emit`](crate::Socket::try_emit). A client that has left or was sent away by
/// [`disconnect`](crate::Socket::disconnect) is not recovered, and neither is one whose missed events would not fit into
/// half of [`max_buffered_bytes`](engineio::Config::max_buffered_bytes), or are to be found among events for more than
/// 100,000 rooms in all.
///
/// Who names the secret of a session is taken for its client, once the middlewares have agreed. Those see what was kept on
/// the socket: where clients sign in, they should refuse one that is somebody else now.
///
/// ```
/// use socketio::{Config, Recovery, Server, Socket};
///
/// let io = Server::with_config(Config {
///     connection_state_recovery: Some(Recovery::default()),
///     ..Config::default()
/// });
/// io.of("/").on_connect(async |socket: Socket| {
///     if !socket.recovered() {
///         socket.join("news")?; // a recovered socket is in its rooms already
///     }
///     Ok::<_, socketio::JoinError>(())
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Recovery {
    /// How long a client may be away. Default: 2 minutes.
    pub max_disconnection_duration: Duration,
    /// Whether a client that comes back is let in without asking the middlewares. Default: `false`, where the reference
    /// has `true`: what they have decided may be different by now.
    pub skip_middlewares: bool,
    /// The events that each namespace keeps. Default: 10,000. Who has missed one that is gone is not recovered.
    pub max_packets: usize,
    /// The bytes of the events that each namespace keeps, each counted with 160 bytes and 48 for each room on top.
    /// Default: 64 MiB.
    pub max_bytes: usize,
    /// The sessions of clients that are away that each namespace keeps; with more, the one that has been away longest is
    /// forgotten. Default: 10,000.
    pub max_sessions: usize,
    /// What outlives the process. Default: none, so that clients are recovered as long as it runs.
    pub store: Option<Arc<dyn Store>>,
    /// What [`Socket::set`](crate::Socket::set) keeps and the store keeps too. Default: nothing; it comes back in the
    /// process alone.
    pub stored_data: StoredData,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_disconnection_duration: Duration::from_secs(120),
            skip_middlewares: false,
            max_packets: 10_000,
            max_bytes: 64 * 1024 * 1024,
            max_sessions: 10_000,
            store: None,
            stored_data: StoredData::default(),
        }
    }
}

impl Recovery {
    pub(crate) fn limits(&self, config: &Config) -> Limits {
        let engine = &config.engine;
        // A cut is noticed late, and a middleware is waited for.
        let longer = [
            engine.ping_interval,
            engine.ping_timeout,
            config.connect_handler_timeout,
        ]
        .into_iter()
        .fold(Duration::ZERO, Duration::saturating_add);
        Limits {
            max_disconnection_duration: self.max_disconnection_duration,
            retention: self.max_disconnection_duration.saturating_add(longer),
            max_packets: self.max_packets,
            max_bytes: self.max_bytes,
            max_sessions: self.max_sessions,
        }
    }
}

/// What the application keeps on a socket, by its type.
pub(crate) type Data = Vec<(TypeId, Value)>;

pub(crate) type Value = Arc<dyn Any + Send + Sync>;

/// The same of a socket that was cut off.
#[derive(Clone)]
pub(crate) enum Kept {
    /// In this process.
    Live(Data),
    /// In an earlier one.
    Saved(Vec<SavedValue>, StoredData),
}

impl Kept {
    /// Reads what was saved, which calls what is the user's.
    pub(crate) fn into_data(self) -> Data {
        let (values, stored) = match self {
            Self::Live(data) => return data,
            Self::Saved(values, stored) => (values, stored),
        };
        let read = |(key, json): (String, Vec<u8>)| {
            let kind = stored.0.iter().find(|kind| kind.key == key)?;
            let value = (kind.read)(&json);
            if value.is_none() {
                tracing::warn!(key, "what was kept on a socket cannot be read any more");
            }
            Some((kind.id, value?))
        };
        values.into_iter().filter_map(read).collect()
    }
}

/// The types of which values on sockets can leave the process: into a [store](Recovery::store), or to other nodes
/// ([`Config::shared_data`]). Cheap to clone.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use socketio::StoredData;
///
/// #[derive(Serialize, Deserialize)]
/// struct Name(String);
///
/// let stored = StoredData::default().with::<Name>("name");
/// ```
#[derive(Debug, Clone, Default)]
pub struct StoredData(Arc<Vec<Kind>>);

#[derive(Debug, Clone)]
struct Kind {
    key: String,
    id: TypeId,
    write: fn(&Value) -> Option<Vec<u8>>,
    read: fn(&[u8]) -> Option<Value>,
}

impl StoredData {
    /// Values of this type as well, as JSON under this key, which must be another one for each type and stay the same.
    /// What cannot be written is not stored, and what cannot be read any more is left out.
    #[must_use]
    pub fn with<T>(mut self, key: &str) -> Self
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.0).push(Kind {
            key: key.to_owned(),
            id: TypeId::of::<T>(),
            write: |value| serde_json::to_vec((**value).downcast_ref::<T>()?).ok(),
            read: |json| Some(Arc::new(serde_json::from_slice::<T>(json).ok()?)),
        });
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of this type among those that another node has told, as JSON by key. Calls what is the user's.
    pub(crate) fn read(&self, id: TypeId, told: &[(String, String)]) -> Option<Value> {
        let kind = self.0.iter().find(|kind| kind.id == id)?;
        let (_, json) = told.iter().find(|(key, _)| *key == kind.key)?;
        (kind.read)(json.as_bytes())
    }

    /// What is to be saved of a value: its key, and JSON. Calls what is the user's.
    pub(crate) fn save(&self, id: TypeId, value: &Value) -> Option<(&str, Vec<u8>)> {
        let kind = self.0.iter().find(|kind| kind.id == id)?;
        Some((&kind.key, (kind.write)(value)?))
    }

    /// The same of all that is kept on a socket.
    pub(crate) fn of<'a>(&'a self, data: &Data) -> impl Iterator<Item = (&'a str, Vec<u8>)> {
        data.iter().filter_map(|(id, value)| self.save(*id, value))
    }
}

/// What a socket has on top if its namespace remembers sessions.
pub(crate) struct Returning {
    /// The session that its client says is its own.
    pub(crate) found: Option<Found>,
    /// What was kept on the socket it was.
    pub(crate) data: Data,
    is_recovered: AtomicBool,
    /// The session, once the socket is let in.
    tenure: OnceLock<Tenure>,
}

impl Returning {
    pub(crate) fn new(found: Option<Found>, data: Data) -> Self {
        Self {
            is_recovered: AtomicBool::new(found.as_ref().is_some_and(|found| found.is_whole)),
            found,
            data,
            tenure: OnceLock::new(),
        }
    }

    /// The id of the socket that it is about to be again.
    pub(crate) fn sid(&self) -> Option<Room> {
        let whole = self.found.as_ref().filter(|found| found.is_whole);
        whole.map(|found| found.sid.clone())
    }

    pub(crate) fn is_recovered(&self) -> bool {
        self.is_recovered.load(Ordering::Acquire)
    }

    /// It comes to nothing after all.
    pub(crate) fn is_lost(&self) {
        self.is_recovered.store(false, Ordering::Release);
    }

    /// The session, once the socket is let in.
    pub(crate) fn tenure(&self) -> Option<Tenure> {
        self.tenure.get().copied()
    }

    pub(crate) fn hold(&self, tenure: Tenure) {
        let held = self.tenure.set(tenure);
        debug_assert!(held.is_ok(), "a socket is let in once");
    }

    /// The claim, whether or not anything was found to be whole.
    pub(crate) fn claim(&self) -> Option<Claim> {
        self.found.as_ref().map(|found| found.claim)
    }
}

/// What the client adds to its auth payload when it comes back. Anything of another shape is the application's.
pub(crate) fn asked_for(auth: Option<&str>) -> Option<(Pid, Seen)> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        pid: serde_json::Value,
        #[serde(default)]
        offset: serde_json::Value,
    }
    let asked: Asked = serde_json::from_str(auth?).ok()?;
    let pid = Pid::parse(asked.pid.as_str()?)?;
    let seen = match &asked.offset {
        serde_json::Value::Null => Seen::Nothing,
        serde_json::Value::String(offset) => Seen::parse(Some(offset)),
        _ => Seen::Unclear,
    };
    Some((pid, seen))
}

/// A name for a session, unless there is no randomness for it.
pub(crate) fn new_pid() -> Option<Pid> {
    let mut random = [0; 15];
    getrandom::fill(&mut random).ok()?;
    Some(Pid::from_random(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: &str = "abcdefghijklmnopqrst";

    #[test]
    fn only_what_the_client_itself_adds_is_taken_for_a_session() {
        let asked = |auth: &str| asked_for(Some(auth)).map(|(_, seen)| seen);
        let with = |offset: &str| asked(&format!(r#"{{"pid":"{PID}"{offset}}}"#));
        assert_eq!(with(""), Some(Seen::Nothing));
        assert_eq!(with(r#","offset":null"#), Some(Seen::Nothing));
        assert_eq!(with(r#","offset":3"#), Some(Seen::Unclear));
        assert_eq!(with(r#","offset":"a word""#), Some(Seen::Unclear));
        assert!(matches!(
            with(r#","offset":"AAAAAAAA.3","token":{"a":[1]}"#),
            Some(Seen::UpTo(_))
        ));
        for auth in [
            "",
            "null",
            "[]",
            "1",
            r#"{"pid":1}"#,
            r#"{"pid":"short"}"#,
            "{}",
        ] {
            assert_eq!(asked(auth), None, "{auth}");
        }
        assert_eq!(asked_for(None), None);
    }
}
