//! Clients that take their messages slowly, and producers that wait for them.

use socketio::{Config, EmitError, Server, Socket, TryEmitError};

use crate::client::{Client, notes, until};

/// A server whose queues are full soon.
fn server() -> Server {
    let engine = engineio::Config {
        max_buffered_bytes: 64 * 1024,
        ..Config::engine()
    };
    Server::with_config(Config {
        engine,
        ..Config::default()
    })
}

fn blob() -> String {
    "x".repeat(1_000)
}

/// Emits until something is waiting in the queue, since nobody reads.
async fn clog(socket: &Socket) {
    for _ in 0..40 {
        socket.emit("blob", (blob(),)).unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_closed_and_never_skipped() {
    let (note, mut notes) = notes();
    let io = server();
    io.of("/")
        .on_disconnect(async move |_: Socket, why| note.add(why));
    let (mut client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    let mut emitted = 0;
    let error = loop {
        match socket.emit("n", (emitted, blob())) {
            Ok(()) => emitted += 1,
            Err(error) => break error,
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(error, EmitError::SlowConsumer);
    notes.expect("slow consumer").await;
    assert_eq!(socket.emit("late", ()), Err(EmitError::NotConnected));
    let mut received = 0;
    while let Some(text) = client.text_or_end().await {
        assert!(
            text.starts_with(&format!(r#"42["n",{received},"#)),
            "{}",
            &text[..20]
        );
        received += 1;
    }
    assert!(received <= emitted, "{received} of {emitted}");
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_closes_only_the_slow() {
    let io = server();
    let (_slow, slow) = Client::connect_as(&io).await;
    let (mut quick, _) = Client::connect_as(&io).await;
    for n in 0..200 {
        io.emit("n", (n, blob())).unwrap();
        assert!(quick.text().await.starts_with(&format!(r#"42["n",{n},"#)));
    }
    until(|| io.of("/").socket(&slow).is_none()).await;
    assert_eq!(io.of("/").sockets().len(), 1);
    quick.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn volatile_events_are_dropped_while_something_waits() {
    let io = server();
    let (mut client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    socket.volatile().emit("seen", ()).unwrap();
    client.expect(r#"42["seen"]"#).await;
    clog(&socket).await;
    for _ in 0..1_000 {
        socket.volatile().emit("dropped", (blob(),)).unwrap();
        io.volatile().emit("dropped", (blob(),)).unwrap();
    }
    socket.emit("after", ()).unwrap();
    for _ in 0..40 {
        assert!(client.text().await.starts_with(r#"42["blob","#));
    }
    client.expect(r#"42["after"]"#).await;
    socket.volatile().emit("seen", ()).unwrap();
    client.expect(r#"42["seen"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_patient_producer_loses_nothing_and_closes_nobody() {
    let io = server();
    let (mut client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    let (note, mut notes) = notes();
    let namespace = io.of("/");
    let packets: Vec<_> = (0..500)
        .map(|n| namespace.encode("n", (n, blob())).unwrap())
        .collect();
    tokio::spawn(async move {
        for packet in &packets {
            while socket.try_emit(packet) == Err(TryEmitError::Full) {
                note.add("full");
                socket.ready().await;
            }
        }
        note.add("done");
    });
    notes.expect("full").await;
    for n in 0..500 {
        assert!(client.text().await.starts_with(&format!(r#"42["n",{n},"#)));
    }
    while notes.next().await != "done" {}
}

#[tokio::test(start_paused = true)]
async fn a_patient_producer_puts_little_into_the_queue_of_who_does_not_read() {
    let io = server();
    let (_client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    let packet = io.of("/").encode("blob", (blob(),)).unwrap();
    socket.ready().await;
    // Nobody takes anything meanwhile, as nothing is awaited: a sixteenth of 64 KiB.
    for _ in 0..3 {
        assert_eq!(socket.try_emit(&packet), Ok(()));
    }
    assert_eq!(socket.try_emit(&packet), Err(TryEmitError::Full));
    // Who does not wait has the rest.
    for _ in 0..50 {
        socket.emit("blob", (blob(),)).unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_is_kept_once_for_all_sockets() {
    let io = Server::new();
    let packet = io.of("/chat").encode("news", ("x",)).unwrap();
    let mut first = Client::open(&io).await;
    let mut second = Client::open(&io).await;
    first.join("/chat").await;
    second.join("/chat").await;
    for socket in io.of("/chat").sockets() {
        assert_eq!(socket.try_emit(&packet.clone()), Ok(()));
    }
    first.expect(r#"42/chat,["news","x"]"#).await;
    second.expect(r#"42/chat,["news","x"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_is_told_when_the_socket_ends() {
    let io = server();
    let (client, id) = Client::connect_as(&io).await;
    let socket = io.of("/").socket(&id).unwrap();
    clog(&socket).await;
    let packet = io.of("/").encode("blob", (blob(),)).unwrap();
    assert_eq!(socket.try_emit(&packet), Err(TryEmitError::Full));
    let waiting = tokio::spawn(async move {
        socket.ready().await;
        socket
    });
    client.vanish();
    let socket = waiting.await.unwrap();
    assert_eq!(socket.try_emit(&packet), Err(TryEmitError::Closed));
}
