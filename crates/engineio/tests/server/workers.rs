//! Connections that are spread over workers.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use engineio::{
    CloseReason, Config, Frame, Message,
    server::{Accepted, Link, Listener, Peer},
};
use tokio::{io::DuplexStream, runtime::Handle};

use crate::support::{App, Http, Listening, Server, WebSocket, soon, target, websocket_on};

fn two_workers() -> Config {
    Config {
        workers: Some(2),
        ..Config::default()
    }
}

/// Answers with the thread that it runs on, and the message.
fn tell_thread(link: &Arc<Link<App>>, message: Message) {
    let Message::Text(text) = message else {
        return;
    };
    let thread = thread::current();
    let name = thread.name().unwrap_or_default();
    let worker = name.strip_prefix("engineio-worker-").unwrap_or(name);
    let text = String::from_utf8_lossy(&text);
    let _closed = link.push(&[Frame::message(&format!("{worker} {text}"))]);
}

async fn ask<S>(socket: &mut WebSocket<S>, text: &str) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    socket.send(&format!("4{text}")).await;
    socket.receive().await
}

/// A session on long-polling, and the connection that it has come by.
async fn open_polling(listening: &Listening) -> (String, Http<tokio::net::TcpStream>) {
    let mut http = listening.connect().await;
    let open = http.get(&target("polling", "")).await;
    assert_eq!(open.status, 200, "{open:?}");
    (open.body.split('"').nth(3).unwrap().to_owned(), http)
}

async fn close(server: &Server, listening: Listening) {
    soon(server.engine.close()).await;
    soon(listening.serve).await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_are_shared_evenly_and_each_stays_on_its_worker() {
    let server = Server::new(two_workers(), tell_thread);
    let listening = server.listen().await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(listening.websocket().await);
    }
    for text in ["a", "b"] {
        for (socket, worker) in sockets.iter_mut().zip([0, 1, 0, 1]) {
            assert_eq!(ask(socket, text).await, format!("4{worker} {text}"));
        }
    }
    tokio::join!(close(&server, listening), async {
        for socket in &mut sockets {
            socket.ended().await;
        }
    });
}

#[tokio::test]
async fn a_session_whose_requests_come_by_two_workers_is_one_session() {
    let server = Server::new(two_workers(), tell_thread);
    let listening = server.listen().await;
    let (sid, mut get) = open_polling(&listening).await;
    let mut post = listening.connect().await;
    let target = target("polling", &sid);
    for turn in 0..10 {
        get.begin("GET", &target, "").await;
        // Parked by one worker, and answered by the other.
        let text = format!("4{turn}");
        post.post(&target, &text).await.assert(200, "ok");
        get.reply().await.assert(200, &format!("41 {turn}"));
    }
    post.post(&target, "1").await.assert(200, "ok");
    drop((get, post));
    close(&server, listening).await;
}

#[tokio::test]
async fn a_session_may_move_to_a_websocket_on_another_worker() {
    let server = Server::new(two_workers(), tell_thread);
    let listening = server.listen().await;
    let (sid, mut http) = open_polling(&listening).await;
    let polling = target("polling", &sid);
    http.post(&polling, "4first").await.assert(200, "ok");
    let stream = listening.stream().await;
    let mut socket = websocket_on(stream, &target("websocket", &sid))
        .await
        .unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    // What had its answer by long-polling comes by it.
    http.get(&polling).await.assert(200, "40 first");
    socket.send("5").await;
    assert_eq!(ask(&mut socket, "then").await, "41 then");
    tokio::join!(close(&server, listening), socket.ended());
}

#[tokio::test]
async fn a_handler_that_blocks_holds_up_its_own_worker_alone() {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let (told, mut blocked) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::new(two_workers(), move |link, message| {
        if matches!(&message, Message::Text(text) if &text[..] == b"block") {
            told.send(()).unwrap();
            // Ends with the test at the latest.
            let _released = released.lock().unwrap().recv();
        }
        tell_thread(link, message);
    });
    let listening = server.listen().await;
    let mut sockets = [listening.websocket().await, listening.websocket().await];
    sockets[0].send("4block").await;
    soon(blocked.recv()).await.unwrap();
    assert_eq!(ask(&mut sockets[1], "a").await, "41 a");
    // The next connection would be the first worker's if that had not one waiting already.
    let waiting = listening.stream().await;
    let mut third = listening.websocket().await;
    assert_eq!(ask(&mut third, "b").await, "41 b");
    release.send(()).unwrap();
    assert_eq!(sockets[0].receive().await, "40 block");
    drop((sockets, third, waiting));
    close(&server, listening).await;
}

#[tokio::test]
async fn a_handler_that_panics_leaves_its_worker_whole() {
    let server = Server::new(two_workers(), |link, message| {
        assert!(
            !matches!(&message, Message::Text(text) if &text[..] == b"panic"),
            "as the test wants"
        );
        tell_thread(link, message);
    })
    .that_may_panic();
    let listening = server.listen().await;
    let mut socket = listening.websocket().await;
    socket.send("4panic").await;
    assert_eq!(ask(&mut socket, "a").await, "40 a");
    tokio::join!(close(&server, listening), socket.ended());
}

#[tokio::test]
async fn the_heartbeat_goes_on_and_long_lived_tasks_belong_to_the_outer_runtime() {
    let config = Config {
        ping_interval: Duration::from_millis(5),
        ..two_workers()
    };
    let server = Server::quiet(config);
    assert!(server.engine.runtime().is_none());
    let listening = server.listen().await;
    let mut socket = listening.websocket().await;
    for _ in 0..3 {
        assert_eq!(socket.receive().await, "2");
        socket.send("3").await;
    }
    let runtime = server.engine.runtime().unwrap();
    assert_eq!(runtime.id(), Handle::current().id());
    drop(socket);
    close(&server, listening).await;
}

#[tokio::test]
async fn drained_and_closed_sessions_get_what_is_queued() {
    let mut server = Server::quiet(two_workers());
    let listening = server.listen().await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(listening.websocket().await);
        server.link().push(&[Frame::message("queued")]).unwrap();
    }
    soon(server.engine.drain(Duration::from_millis(4))).await;
    tokio::join!(close(&server, listening), async {
        for socket in &mut sockets {
            assert_eq!(socket.receive().await, "4queued");
            socket.ended().await;
        }
    });
    for _ in 0..4 {
        assert_eq!(server.closed().await, CloseReason::ForcedClose);
    }
}

#[tokio::test]
async fn the_tasks_of_a_worker_end_with_serving_after_the_grace() {
    let (told, tasks) = mpsc::channel();
    let config = Config {
        shutdown_grace: Duration::from_millis(20),
        ..two_workers()
    };
    let server = Server::new(config, move |link, message| {
        let (running, stopped) = tokio::sync::oneshot::channel::<()>();
        told.send((Handle::current().id(), stopped)).unwrap();
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(running);
        });
        tell_thread(link, message);
    });
    let listening = server.listen().await;
    let mut socket = listening.websocket().await;
    assert_eq!(ask(&mut socket, "a").await, "40 a");
    let (runtime, stopped) = tasks.recv().unwrap();
    assert_ne!(runtime, Handle::current().id());
    drop(socket);
    close(&server, listening).await;
    assert!(soon(stopped).await.is_err());
}

/// Gives pipes, which belong to no runtime.
struct Pipes(tokio::sync::mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Pipes {
    type Stream = DuplexStream;
    type Handshake = std::future::Ready<std::io::Result<(DuplexStream, Peer)>>;

    async fn accept(&mut self) -> std::io::Result<Self::Handshake> {
        match self.0.recv().await {
            Some(pipe) => Ok(std::future::ready(Ok((pipe, Peer::default())))),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn connections_of_any_listener_are_shared() {
    let server = Server::new(two_workers(), tell_thread);
    let (pipes, listener) = tokio::sync::mpsc::unbounded_channel();
    let engine = server.engine.clone();
    let serving = tokio::spawn(async move { engine.serve(Pipes(listener)).await });
    let mut sockets = Vec::new();
    for worker in [0, 1] {
        let (ours, theirs) = tokio::io::duplex(4096);
        pipes.send(theirs).unwrap();
        let mut socket = websocket_on(ours, &target("websocket", "")).await.unwrap();
        assert!(socket.receive().await.starts_with("0{"));
        assert_eq!(ask(&mut socket, "a").await, format!("4{worker} a"));
        sockets.push(socket);
    }
    drop(sockets);
    soon(server.engine.close()).await;
    soon(serving).await.unwrap().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_has_workers_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let server = Server::new(two_workers(), tell_thread);
    let socket = engineio::server::UnixSocket::bind(&path).unwrap();
    let engine = server.engine.clone();
    let serving = tokio::spawn(async move { engine.serve(socket).await });
    for worker in [0, 1] {
        let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let mut socket = websocket_on(stream, &target("websocket", ""))
            .await
            .unwrap();
        assert!(socket.receive().await.starts_with("0{"));
        assert_eq!(ask(&mut socket, "a").await, format!("4{worker} a"));
    }
    soon(server.engine.close()).await;
    soon(serving).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn an_accepted_stream_works_on_the_runtime_that_awaits_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    let accepted: Accepted<_> = Listener::accept(&mut listener).await.unwrap();
    let elsewhere = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut stream, peer) = accepted.await.unwrap();
            let mut text = [0; 5];
            stream.read_exact(&mut text).await.unwrap();
            stream.write_all(&text).await.unwrap();
            peer.address
        })
    });
    soon(client.write_all(b"hello")).await.unwrap();
    let mut text = [0; 5];
    soon(client.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"hello");
    let address = elsewhere.join().unwrap();
    assert_eq!(address, Some(client.local_addr().unwrap()));
}
