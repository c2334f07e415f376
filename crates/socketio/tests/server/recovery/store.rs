//! Recovery by another process: a server that is dropped in the midst of everything, and the next one on its store.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IgnoredAny};
use serde_json::json;
use socketio::{
    Config, ConnectError, Recovery, Server, Socket, StoredData,
    encode::Frames,
    recovery::{Address, Epoch, Record, Saved, SavedSession, Store, StoreError},
};
use tokio::time::{Instant, sleep};

use super::visitor::{Memory, Visitor};
use crate::client::{Client, until};

/// A store that does what the contract says, in memory.
#[derive(Debug, Default)]
struct TestStore {
    namespaces: Mutex<BTreeMap<String, Content>>,
    fails: AtomicBool,
}

#[derive(Debug)]
struct Content {
    epoch: Epoch,
    events: BTreeMap<u64, (Address, Frames)>,
    sessions: BTreeMap<String, (SavedSession, BTreeMap<String, Vec<u8>>)>,
}

impl Store for TestStore {
    fn load(&self, namespace: &str) -> Result<Option<Saved>, StoreError> {
        let namespaces = self.namespaces.lock().unwrap();
        Ok(namespaces.get(namespace).map(|content| Saved {
            epoch: content.epoch,
            first: content.events.keys().next().copied().unwrap_or(1),
            events: content.events.values().cloned().collect(),
            sessions: content
                .sessions
                .values()
                .map(|(session, data)| (session.clone(), data.clone().into_iter().collect()))
                .collect(),
            since: Instant::now().into_std(),
        }))
    }

    fn record(&self, namespace: &str, record: &Record<'_>) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError("the disk is full".to_owned()));
        }
        let mut namespaces = self.namespaces.lock().unwrap();
        if let Record::Begin(epoch) = record {
            let content = Content {
                epoch: *epoch,
                events: BTreeMap::new(),
                sessions: BTreeMap::new(),
            };
            namespaces.insert(namespace.to_owned(), content);
            return Ok(());
        }
        let content = namespaces.get_mut(namespace).unwrap();
        match record {
            Record::Begin(_) => unreachable!("see above"),
            Record::Event {
                number,
                address,
                frames,
                pruned,
            } => {
                let last = content.events.keys().next_back();
                assert!(
                    last.is_none_or(|last| last + 1 == *number),
                    "numbers are dense"
                );
                let event = ((*address).clone(), (*frames).clone());
                content.events.insert(*number, event);
                content.events.retain(|number, _| number > pruned);
            }
            Record::Session(session) => {
                let entry = content.sessions.entry(session.pid.as_str().to_owned());
                let data = BTreeMap::new();
                entry
                    .and_modify(|(saved, _)| *saved = (*session).clone())
                    .or_insert_with(|| ((*session).clone(), data));
            }
            Record::SessionOver(pid) => {
                content.sessions.remove(pid.as_str());
            }
            Record::Data { pid, key, value } => {
                let (_, data) = content.sessions.get_mut(pid.as_str()).unwrap();
                data.insert((*key).to_owned(), value.to_vec());
            }
        }
        Ok(())
    }

    fn forget(&self, namespace: &str) {
        self.namespaces.lock().unwrap().remove(namespace);
    }
}

impl TestStore {
    fn session_count(&self, namespace: &str) -> usize {
        let namespaces = self.namespaces.lock().unwrap();
        namespaces
            .get(namespace)
            .map_or(0, |content| content.sessions.len())
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

struct NotStored;

fn server(store: &Arc<TestStore>) -> Server {
    server_with(store, StoredData::default().with::<Name>("name"))
}

fn server_with(store: &Arc<TestStore>, stored_data: StoredData) -> Server {
    let recovery = Recovery {
        store: Some(store.clone()),
        stored_data,
        ..Recovery::default()
    };
    Server::with_config(Config {
        connection_state_recovery: Some(recovery),
        ..Config::default()
    })
}

/// Only what the client knows is left.
fn crash(io: Server, visitor: Visitor) -> Memory {
    let memory = visitor.memory.clone();
    visitor.client.vanish();
    drop(io);
    memory
}

#[tokio::test(start_paused = true)]
async fn the_next_process_goes_on_where_the_last_one_was_killed() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    let mut one = Visitor::new(&io).await;
    let id = one.id.clone();
    let socket = io.of("/").socket(&id).unwrap();
    socket.set(Name("before".to_owned()));
    socket.set(Name("after".to_owned()));
    socket.set(NotStored);
    io.emit("n", 1).unwrap();
    one.expect(json!(["n", 1])).await;
    io.to("room").emit("before it joined", ()).unwrap();
    socket.join(["room", "left"]).unwrap();
    io.to("left").emit("n", 2).unwrap();
    socket.leave("left");
    io.to("left").emit("after it left", ()).unwrap();
    io.to("room").emit("n", 3).unwrap();
    socket.emit("n", "4").unwrap();
    let memory = crash(io, one);

    let io = server(&store);
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    assert_eq!(one.id, id);
    for n in [json!(2), json!(3), json!("4")] {
        one.expect(json!(["n", n])).await;
    }
    let socket = io.of("/").socket(&id).unwrap();
    let mut rooms = socket.rooms();
    rooms.sort();
    let mut expected = [id.clone(), "room".to_owned()];
    expected.sort();
    assert_eq!(rooms, expected);
    assert_eq!(*socket.data::<Name>().unwrap(), Name("after".to_owned()));
    assert!(socket.data::<NotStored>().is_none());
    io.to("room").emit("n", 5).unwrap();
    one.expect(json!(["n", 5])).await;
    // And once more, cut off before it has noticed anything.
    io.to("room").emit("n", 6).unwrap();
    let memory = crash(io, one);
    let io = server(&store);
    io.to("room").emit("n", 7).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 6])).await;
    one.expect(json!(["n", 7])).await;
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_had_received_nothing_is_recovered_by_the_next_process() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    io.emit("before its time", ()).unwrap();
    let one = Visitor::new(&io).await;
    io.emit("n", 1).unwrap();
    let memory = crash(io, one);
    let io = server(&store);
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 1])).await;
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_keeps_the_sessions() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    let one = Visitor::new(&io).await;
    let staying = one.client.stay();
    let closing = io.close();
    tokio::join!(staying, closing);
    assert_eq!(store.session_count("/"), 1);
    let io = server(&store);
    assert!(one.memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_over_are_over_in_the_next_process_too() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    let mut left = Visitor::new(&io).await;
    let away = Visitor::new(&io).await;
    let kicked = Visitor::new(&io).await;
    left.client.send("41").await;
    io.of("/").socket(&kicked.id).unwrap().disconnect();
    until(|| io.of("/").sockets().len() == 1).await;
    let away = away.cut(&io).await;
    assert_eq!(store.session_count("/"), 1);
    sleep(Duration::from_secs(121)).await;
    Visitor::new(&io).await;
    assert_eq!(store.session_count("/"), 1, "the new one");
    drop(io);
    let io = server(&store);
    for memory in [left.memory, kicked.memory, away] {
        assert!(!memory.come(&io).await.recovered);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_back_to_the_next_process_in_time_is_forgotten() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    let one = Visitor::new(&io).await;
    let memory = crash(io, one);
    let io = server(&store);
    io.emit("n", 1).unwrap();
    sleep(Duration::from_secs(121)).await;
    assert!(!memory.come(&io).await.recovered);
    assert_eq!(store.session_count("/"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_given_up_and_nobody_is_lied_to() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    let mut one = Visitor::new(&io).await;
    io.emit("n", 1).unwrap();
    one.expect(json!(["n", 1])).await;
    store.fails.store(true, Ordering::SeqCst);
    io.emit("n", 2).unwrap();
    one.expect(json!(["n", 2])).await;
    store.fails.store(false, Ordering::SeqCst);
    // In this process recovery goes on.
    let memory = one.cut(&io).await;
    io.emit("n", 3).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 3])).await;
    // But the next one knows nothing, rather than too little.
    let memory = crash(io, one);
    let io = server(&store);
    let mut one = memory.come(&io).await;
    assert!(!one.recovered);
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn namespaces_that_go_are_taken_out_of_the_store() {
    let store = Arc::new(TestStore::default());
    let io = server(&store);
    io.of_matching(|_| true);
    let mut client = Client::open(&io).await;
    client.send("40/one,").await;
    client.text().await;
    assert_eq!(store.session_count("/one"), 1);
    client.send("41/one,").await;
    until(|| store.session_count("/one") == 0).await;
    assert!(!store.namespaces.lock().unwrap().contains_key("/one"));
}

#[tokio::test(start_paused = true)]
async fn what_a_middleware_keeps_and_joins_is_stored_too() {
    let store = Arc::new(TestStore::default());
    let with_middleware = || {
        let io = server(&store);
        io.of("/").middleware(async |socket: Socket, ()| {
            if !socket.recovered() {
                socket.set(Name("by the middleware".to_owned()));
                socket.join("room").unwrap();
            }
            Ok(())
        });
        io
    };
    let io = with_middleware();
    let one = Visitor::new(&io).await;
    io.to("room").emit("n", 1).unwrap();
    let memory = crash(io, one);
    let io = with_middleware();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 1])).await;
    let socket = io.of("/").socket(&one.id).unwrap();
    assert_eq!(socket.data::<Name>().unwrap().0, "by the middleware");
}

/// A value that looks at its socket when it is written.
struct Mirror(Option<Socket>);

impl Serialize for Mirror {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rooms = self.0.as_ref().map(Socket::rooms);
        rooms.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mirror {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(None))
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_may_use_its_socket_while_it_is_written() {
    let store = Arc::new(TestStore::default());
    let io = server_with(&store, StoredData::default().with::<Mirror>("mirror"));
    io.of("/").middleware(async |socket: Socket, ()| {
        socket.set(Mirror(Some(socket.clone())));
        socket
            .join("room")
            .map_err(|error| ConnectError::new(error.to_string()))
    });
    Visitor::new(&io).await;
    let namespaces = store.namespaces.lock().unwrap();
    let (_, data) = namespaces["/"].sessions.values().next().unwrap();
    assert_eq!(data["mirror"], br#"["room"]"#);
}

/// A value that, when it is written, is replaced by the next one, up to the third.
struct Step(u8, Option<Socket>);

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(socket) = self.1.as_ref().filter(|_| self.0 < 3) {
            let next = socket.data::<Self>().is_some_and(|kept| kept.0 == self.0);
            if next {
                socket.set(Self(self.0 + 1, Some(socket.clone())));
            }
        }
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(|step| Self(step, None))
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_stored_is_what_was_kept_last() {
    let stored = || StoredData::default().with::<Step>("step");
    for is_early in [true, false] {
        let store = Arc::new(TestStore::default());
        let io = server_with(&store, stored());
        let begin = |socket: &Socket| socket.set(Step(1, Some(socket.clone())));
        io.of("/").middleware(async move |socket: Socket, ()| {
            if is_early {
                begin(&socket);
            }
            Ok(())
        });
        let one = Visitor::new(&io).await;
        let socket = io.of("/").socket(&one.id).unwrap();
        if !is_early {
            begin(&socket);
        }
        assert_eq!(socket.data::<Step>().unwrap().0, 3);
        let namespaces = store.namespaces.lock().unwrap();
        let (_, data) = &namespaces["/"].sessions[&one.memory.pid.unwrap()];
        assert_eq!(data["step"], b"3", "early: {is_early}");
    }
}
