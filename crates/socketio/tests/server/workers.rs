//! A server whose connections are spread over workers. Each client is on another one than the client before it.

use std::{net::SocketAddr, thread, time::Duration};

use socketio::{Config, Event, Server, Socket, engineio};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::oneshot,
    task::JoinHandle,
};

use crate::client::{Client, notes};

/// A server with two workers, on a port.
struct Served {
    io: Server,
    address: SocketAddr,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn new(io: Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn({
            let io = io.clone();
            async move { io.serve_listener(listener).await }
        });
        Self {
            io,
            address,
            serving,
        }
    }

    /// So many clients in the main namespace, with the ids of their sockets.
    async fn clients<const N: usize>(&self) -> [(Client<TcpStream>, String); N] {
        let mut clients = Vec::new();
        for _ in 0..N {
            let mut client = Client::dial(self.address).await;
            let id = client.join("/").await;
            clients.push((client, id));
        }
        clients.try_into().unwrap_or_else(|_| unreachable!("N"))
    }

    async fn close<const N: usize>(self, clients: [(Client<TcpStream>, String); N]) {
        for (client, _) in clients {
            tokio::spawn(client.stay());
        }
        self.io.close().await;
        self.serving.await.unwrap().unwrap();
    }
}

fn with_workers() -> Server {
    Server::with_config(Config {
        engine: engineio::Config {
            workers: Some(2),
            ..Config::engine()
        },
        ..Config::default()
    })
}

fn worker() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn handlers_and_what_they_spawn_are_on_the_worker_of_their_client() {
    let io = with_workers();
    io.of("/").on("where", async |ev: Event, ()| {
        let here = worker();
        // Waits, so that the rest is a task of its own.
        let spawned = tokio::spawn(async { worker() }).await.unwrap();
        let _closed = ev.ack((here, spawned, worker()));
    });
    let served = Served::new(io).await;
    let mut clients = served.clients::<4>().await;
    for ((client, _), worker) in clients.iter_mut().zip([0, 1, 0, 1]) {
        let name = format!(r#""engineio-worker-{worker}""#);
        let answer = format!("430[{name},{name},{name}]");
        client.ask(r#"420["where"]"#, &answer).await;
    }
    served.close(clients).await;
}

#[tokio::test]
async fn broadcasts_and_rooms_reach_all_workers_in_one_order() {
    let io = with_workers();
    let everybody = io.clone();
    io.of("/")
        .on("join", async |ev: Event, (room,): (String,)| {
            ev.socket.join(room).unwrap();
            ev.ack(()).unwrap();
        })
        .on("all", async move |_: Event, (text,): (String,)| {
            everybody.emit("all", (text,))
        })
        .on("room", async |ev: Event, (text,): (String,)| {
            ev.socket.to("room").emit("room", (text,))
        });
    let served = Served::new(io).await;
    let mut clients = served.clients::<4>().await;
    for (client, _) in &mut clients[1..] {
        client.ask(r#"420["join","room"]"#, "430[]").await;
    }
    // From two workers at a time, each client's in its order.
    for turn in 0..50 {
        for sender in [0, 3] {
            let all = format!(r#"42["all","{sender} {turn}"]"#);
            clients[sender].0.send(&all).await;
        }
    }
    let mut orders = Vec::new();
    for (client, _) in &mut clients {
        let mut order = Vec::new();
        for _ in 0..100 {
            order.push(client.text().await);
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    for sender in [0, 3] {
        let start = format!(r#"42["all","{sender} "#);
        let of_one = orders[0].iter().filter(|text| text.starts_with(&start));
        let expected = (0..50).map(|turn| format!(r#"{start}{turn}"]"#));
        assert!(of_one.eq(&expected.collect::<Vec<_>>()));
    }
    // Of the room, the sender and who is not in it get nothing.
    clients[1].0.send(r#"42["room","hi"]"#).await;
    for receiver in [2, 3] {
        clients[receiver].0.expect(r#"42["room","hi"]"#).await;
    }
    clients[0].0.quiet().await;
    clients[1].0.quiet().await;
    served.close(clients).await;
}

#[tokio::test]
async fn a_broadcast_gets_its_answers_from_all_workers() {
    let io = with_workers();
    let everybody = io.clone();
    io.of("/").on("ask all", async move |ev: Event, ()| {
        let answers = everybody
            .except(ev.socket.id())
            .emit_with_ack::<u32>("number", ());
        let answers = answers.await.unwrap();
        let mut numbers: Vec<_> = answers.into_iter().map(|answer| answer.unwrap()).collect();
        numbers.sort_unstable();
        ev.ack((numbers,)).unwrap();
    });
    let served = Served::new(io).await;
    let mut clients = served.clients::<3>().await;
    clients[0].0.send(r#"420["ask all"]"#).await;
    for number in [1, 2] {
        let asked = clients[number].0.text().await;
        let id = asked
            .strip_prefix("42")
            .and_then(|rest| rest.strip_suffix(r#"["number"]"#));
        let id = id.unwrap_or_else(|| panic!("{asked}"));
        let answer = format!("43{id}[{number}]");
        clients[number].0.send(&answer).await;
    }
    clients[0].0.expect("430[[1,2]]").await;
    served.close(clients).await;
}

#[tokio::test]
async fn a_handler_that_panics_leaves_everybody_whole() {
    let io = with_workers();
    io.of("/")
        .on("panic", async |_: Event, ()| -> () {
            panic!("as the test wants")
        })
        .on("panic later", async |_: Event, ()| -> () {
            tokio::task::yield_now().await;
            panic!("as the test wants")
        })
        .on("echo", async |ev: Event, (text,): (String,)| {
            ev.ack((text,))
        });
    let served = Served::new(io).await;
    let mut clients = served.clients::<2>().await;
    clients[0].0.send(r#"42["panic"]"#).await;
    clients[0].0.send(r#"42["panic later"]"#).await;
    for (client, _) in &mut clients {
        client.ask(r#"420["echo","a"]"#, r#"430["a"]"#).await;
    }
    crate::client::until(|| served.io.counters().handler_panics == 2).await;
    served.close(clients).await;
}

#[tokio::test]
async fn drain_and_close_end_the_clients_of_all_workers() {
    let (note, mut notes) = notes();
    let io = with_workers();
    io.of("/").on_disconnect(async move |_: Socket, why| {
        note.add(why);
    });
    let served = Served::new(io).await;
    let clients = served.clients::<4>().await;
    served.io.emit("last", ()).unwrap();
    served.io.drain(Duration::from_millis(4)).await;
    for (mut client, _) in clients {
        client.expect(r#"42["last"]"#).await;
        client.closed().await;
    }
    for _ in 0..4 {
        notes.expect("server shutting down").await;
    }
    served.close([]).await;
    notes.none();
}

#[tokio::test]
async fn a_thread_without_a_runtime_starts_handlers_on_the_outer_one() {
    let (told, runtime) = oneshot::channel();
    let told = std::sync::Arc::new(std::sync::Mutex::new(Some(told)));
    let io = with_workers();
    io.of("/").on_disconnect(async move |_: Socket, _| {
        tokio::task::yield_now().await;
        let told = told.lock().unwrap().take();
        told.unwrap().send(Handle::current().id()).unwrap();
    });
    let served = Served::new(io).await;
    let clients = served.clients::<1>().await;
    let socket = served.io.of("/").socket(&clients[0].1).unwrap();
    thread::spawn(move || socket.disconnect()).join().unwrap();
    assert_eq!(runtime.await.unwrap(), Handle::current().id());
    served.close(clients).await;
}
