//! What must hold on several threads at once.

use std::sync::{Arc, Mutex};

use socketio::{Args, Event, Server, Socket};

use crate::client::{Client, notes, until};

/// What a socket's handlers have seen.
#[derive(Default)]
struct Life(Mutex<Vec<&'static str>>);

impl Life {
    fn of(socket: &Socket) -> Arc<Self> {
        socket.data().unwrap()
    }

    fn add(&self, step: &'static str) {
        self.0.lock().unwrap().push(step);
    }
}

/// A server whose middleware finishes in a task of its own, and which checks the order of each socket's life.
fn watched() -> (Server, crate::client::Notes) {
    let (note, notes) = notes();
    let io = Server::new();
    io.of("/")
        .middleware(async |socket: Socket, ()| {
            socket.set(Life::default());
            tokio::task::yield_now().await;
            Ok(())
        })
        .on_connect(async |socket: Socket| {
            Life::of(&socket).add("connect");
            tokio::task::yield_now().await;
        })
        .on("hello", async |ev: Event, ()| {
            Life::of(&ev.socket).add("event");
            ev.ack(())
        })
        .on_disconnecting(async |socket: Socket, _| Life::of(&socket).add("disconnecting"))
        .on_disconnect(async move |socket: Socket, _| {
            let life = Life::of(&socket);
            life.add("disconnect");
            note.add(life.0.lock().unwrap().join(" "));
        });
    (io, notes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_life_has_its_order_on_any_number_of_threads() {
    let (io, mut notes) = watched();
    let clients = (0..100).map(|_| {
        let io = io.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(&io).await;
            client.ask(r#"420["hello"]"#, "430[]").await;
            client.vanish();
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.await.unwrap();
        notes.expect("connect event disconnecting disconnect").await;
    }
    // The disconnect handlers come when all else is done.
    assert!(io.of("/").sockets().is_empty());
    assert_eq!(io.counters(), socketio::Counters::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_leaves_at_once_is_told_of_completely_or_not_at_all() {
    let (io, mut notes) = watched();
    let clients = (0..200).map(|n: usize| {
        let io = io.clone();
        tokio::spawn(async move {
            let mut client = Client::open(&io).await;
            client.send("40").await;
            for _ in 0..n % 5 {
                tokio::task::yield_now().await;
            }
            client.vanish();
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    until(|| io.engine().clients_count() == 0).await;
    // One more, so that there is a note to wait for.
    Client::connect(&io).await.vanish();
    notes.expect("connect disconnecting disconnect").await;
    until(|| io.of("/").sockets().is_empty()).await;
    assert_eq!(io.counters().handler_panics, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everybody_may_broadcast_join_and_leave_at_once() {
    let io = Server::new();
    io.of("/").on("shout", async |ev: Event, args: Args| {
        ev.socket.join("room").unwrap();
        ev.socket.to("room").emit("heard", &args)?;
        ev.socket.leave("room");
        ev.ack(args)
    });
    let clients = (0..8).map(|_| {
        let io = io.clone();
        tokio::spawn(async move {
            let mut client = Client::connect(&io).await;
            for n in 0..100 {
                client.send(&format!(r#"42{n}["shout",{n}]"#)).await;
            }
            let mut answers = 0;
            while answers < 100 {
                let text = client.text().await;
                if text == format!("43{answers}[{answers}]") {
                    answers += 1;
                } else {
                    assert!(text.starts_with(r#"42["heard","#), "{text}");
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    until(|| io.of("/").sockets().is_empty()).await;
    assert_eq!(io.of("/").local_adapter().room_count(), 0);
    assert_eq!(io.counters(), socketio::Counters::default());
}
