//! Events between servers, of which an adapter joins two in this process.

use std::{
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use futures_util::stream::FuturesUnordered;
use socketio::{
    AckError, AnswerFrom, Args, Config, Server, ServerEvent,
    encode::Draft,
    rooms::{Room, Target},
    server::adapter::{
        Adapter, AdapterError, AdapterFactory, BoxFuture, BoxStream, LocalAdapter, SocketDetails,
    },
};

use crate::client::notes;

/// The sockets of all servers, those of the main namespace.
type Servers = Arc<Mutex<Vec<Weak<LocalAdapter>>>>;

struct Joined {
    local: Arc<LocalAdapter>,
    servers: Servers,
}

impl Joined {
    fn others(&self) -> Vec<Arc<LocalAdapter>> {
        let servers = self.servers.lock().unwrap();
        let servers = servers.iter().filter_map(Weak::upgrade);
        servers
            .filter(|other| !Arc::ptr_eq(other, &self.local))
            .collect()
    }

    fn deliver(&self, event: &Draft) -> Vec<BoxFuture<Option<Args>>> {
        let (event, args) = event.to_event().unwrap();
        let others = self.others().into_iter();
        others
            .map(|other| other.deliver_server_side(&event, args.clone()))
            .collect()
    }
}

impl Adapter for Joined {
    fn broadcast(&self, event: &Draft, target: &Target, is_volatile: bool) {
        self.local.broadcast(event, target, is_volatile);
    }

    fn broadcast_with_ack(
        &self,
        event: &Draft,
        target: &Target,
        is_volatile: bool,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        self.local
            .broadcast_with_ack(event, target, is_volatile, timeout)
    }

    fn fetch_sockets(
        &self,
        target: &Target,
    ) -> BoxFuture<Result<Vec<SocketDetails>, AdapterError>> {
        self.local.fetch_sockets(target)
    }

    fn add_sockets(&self, target: &Target, rooms: &[Room]) {
        self.local.add_sockets(target, rooms);
    }

    fn del_sockets(&self, target: &Target, rooms: &[Room]) {
        self.local.del_sockets(target, rooms);
    }

    fn disconnect_sockets(&self, target: &Target, close: bool) {
        self.local.disconnect_sockets(target, close);
    }

    fn server_side_emit(&self, event: &Draft) {
        for delivered in self.deliver(event) {
            tokio::spawn(delivered);
        }
    }

    fn server_side_emit_with_ack(
        &self,
        event: &Draft,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let answers = self.deliver(event).into_iter().map(|answer| async move {
            let answer = tokio::time::timeout(timeout, answer).await;
            let answer = answer.ok().flatten().ok_or(AckError::Timeout);
            AnswerFrom { id: None, answer }
        });
        Box::pin(FuturesUnordered::from_iter(answers))
    }
}

fn server(servers: &Servers) -> Server {
    let servers = servers.clone();
    Server::with_config(Config {
        adapter: Some(AdapterFactory::new(move |local| {
            servers.lock().unwrap().push(Arc::downgrade(&local));
            Arc::new(Joined {
                local,
                servers: servers.clone(),
            })
        })),
        ..Config::default()
    })
}

#[tokio::test(start_paused = true)]
async fn an_event_reaches_the_other_server_and_not_this_one() {
    let (note, mut notes) = notes();
    let servers = Servers::default();
    let [here, there] = [(); 2].map(|()| server(&servers));
    let heard = note.clone();
    here.of("/")
        .on_server_side("hello", async |_: ServerEvent, ()| -> () {
            panic!("its own")
        });
    there
        .of("/")
        .on_server_side("hello", async move |ev: ServerEvent, (n,): (u8,)| {
            heard.add(format!("{} {n}", ev.name()));
        });
    here.of("/").server_side_emit("hello", (1,)).unwrap();
    notes.expect("hello 1").await;
    here.server_side_emit("hello", (2,)).unwrap();
    notes.expect("hello 2").await;
    here.of("/").server_side_emit("unknown", ()).unwrap();
    here.of("/").server_side_emit("disconnect", ()).unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_of_each_server_is_gathered() {
    let servers = Servers::default();
    let [here, there, mute] = [(); 3].map(|()| server(&servers));
    there
        .of("/")
        .on_server_side("sum", async |ev: ServerEvent, (a, b): (u8, u8)| {
            tokio::task::yield_now().await;
            ev.ack((a + b,))?;
            ev.ack(("too late",))
        })
        .on_server_side("sum", async |_: ServerEvent, ()| -> () {
            panic!("by test")
        });
    mute.of("/")
        .on_server_side("sum", async |_: ServerEvent, ()| {
            std::future::pending::<()>().await;
        });
    let answers = here.of("/").server_side_emit_with_ack("sum", (2, 3));
    assert_eq!(answers.await.unwrap(), [Ok((5u8,)), Err(AckError::Timeout)]);
}

#[tokio::test(start_paused = true)]
async fn alone_there_is_nobody_to_hear() {
    let io = Server::new();
    io.of("/")
        .on_server_side("hello", async |_: ServerEvent, ()| -> () {
            panic!("its own")
        });
    io.of("/").server_side_emit("hello", ()).unwrap();
    let answers = io.server_side_emit_with_ack::<()>("hello", ());
    assert!(answers.await.unwrap().is_empty());
}
