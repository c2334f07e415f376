//! Clients that take too slowly, and servers that read no further.

use std::{sync::Arc, time::Duration};

use engineio::{CloseReason, Config, Frame, PushError, server::Link};
use tokio::time::Instant;

use crate::support::{App, Polling, Server, soon};

/// What the buffers on the way to a pipe of 1 KiB may hold besides the queue: the pipe, the WebSocket's write buffer,
/// and a batch that was taken.
const ON_THE_WAY: usize = 1_024 + 16 * 1_024 + 2 * 64 * 1_024;

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_closed_and_holds_little_memory() {
    let config = Config {
        max_buffered_bytes: 200_000,
        ..Config::default()
    };
    let mut server = Server::quiet(config);
    let _socket = server.websocket_through(1_024).await;
    let link = server.link();
    let frame = Frame::Binary(vec![0; 1_000].into());
    let mut taken = 0;
    while link.push(std::slice::from_ref(&frame)).is_ok() {
        taken += frame.len();
        tokio::task::yield_now().await;
    }
    assert_eq!(link.push(&[frame]), Err(PushError::Closed));
    assert_eq!(server.closed().await, CloseReason::SlowConsumer);
    assert!(taken < 200_000 + ON_THE_WAY, "{taken} bytes were taken");
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_polling_client_that_does_not_poll_is_closed() {
    let mut server = Server::quiet(Config {
        max_buffered_bytes: 10_000,
        ..Config::default()
    });
    let _client = Polling::open(&server).await;
    let link = server.link();
    let frame = Frame::message(&"x".repeat(435));
    for _ in 0..20 {
        link.push(std::slice::from_ref(&frame)).unwrap();
    }
    assert_eq!(link.push(&[frame]), Err(PushError::Overflow));
    assert_eq!(server.closed().await, CloseReason::SlowConsumer);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_takes_no_byte_is_closed_at_the_write_deadline() {
    let mut server = Server::quiet(Config::default());
    let _socket = server.websocket_through(1_024).await;
    let link = server.link();
    let before = Instant::now();
    link.push(&[Frame::Binary(vec![0; 100_000].into())])
        .unwrap();
    assert_eq!(server.closed().await, CloseReason::SlowConsumer);
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_websocket_that_takes_a_little_now_and_then_lives() {
    use tokio::io::AsyncReadExt;
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket_through(1_024).await;
    let link = server.link();
    link.push(&[Frame::Binary(vec![0; 3_000].into())]).unwrap();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        let mut some = [0; 1_000];
        socket.stream.get_mut().read_exact(&mut some).await.unwrap();
    }
    assert!(link.is_open());
}

#[tokio::test]
async fn drained_waits_until_the_queue_is_empty() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let link = server.link();
    soon(link.drained()).await;
    link.push(&[Frame::message("a")]).unwrap();
    let waiting = tokio::spawn(async move { link.drained().await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    assert_eq!(client.poll().await, "4a");
    soon(waiting).await.unwrap();
}

#[tokio::test]
async fn drained_returns_when_the_session_ends() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let link = server.link();
    link.push(&[Frame::message("a")]).unwrap();
    let waiting = tokio::spawn(async move { link.drained().await });
    tokio::task::yield_now().await;
    client.send("1").await;
    soon(waiting).await.unwrap();
}

#[tokio::test]
async fn volatile_messages_are_dropped_while_a_websocket_takes_nothing() {
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket_through(1_024).await;
    let link = server.link();
    assert!(socket.receive().await.starts_with('0'));
    let large = Frame::message(&"x".repeat(100_000));
    link.push(&[large]).unwrap();
    let volatile = [Frame::message("volatile")];
    // The server's side of the pipe takes what it can.
    while link.push_volatile(&volatile) == Ok(true) {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
        assert_eq!(link.push_volatile(&volatile), Ok(false));
    }
    link.push(&[Frame::message("last")]).unwrap();
    assert_eq!(socket.receive().await.len(), 100_001);
    loop {
        match &*socket.receive().await {
            "4volatile" => {}
            last => break assert_eq!(last, "4last"),
        }
    }
}

/// Pauses at each message; the test resumes.
fn pausing(config: Config) -> Server {
    Server::new(config, |link: &Arc<Link<App>>, _| link.pause_reading())
}

#[tokio::test]
async fn a_paused_websocket_is_not_read_until_it_is_resumed() {
    let mut server = pausing(Config::default());
    // The pipe is small: what is not read stops the writer.
    let mut socket = server.websocket_through(1_024).await;
    let link = server.link();
    let sender = tokio::spawn(async move {
        for number in 0..100 {
            socket.send(&format!("4{number} {}", "x".repeat(200))).await;
        }
        socket
    });
    for number in 0..100 {
        assert!(server.message().await.starts_with(&format!("{number} ")));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.told_so_far(), [], "read on after {number}");
        if number == 50 {
            assert!(!sender.is_finished());
        }
        link.resume_reading();
    }
    soon(sender).await.unwrap();
}

#[tokio::test]
async fn a_paused_post_is_not_answered_until_it_is_resumed() {
    let mut server = pausing(Config::default());
    let mut client = Polling::open(&server).await;
    let link = server.link();
    client.begin_post("content-length: 8\r\n").await;
    client.post.write("4a\x1e4b\x1e4c").await;
    for expected in ["a", "b", "c"] {
        assert_eq!(server.message().await, expected);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.told_so_far(), []);
        link.resume_reading();
    }
    client.post.reply().await.assert(200, "ok");
}

#[tokio::test]
async fn as_many_resumes_as_pauses_are_needed() {
    let mut server = Server::echo(Config::default());
    let mut socket = server.websocket().await;
    let link = server.link();
    link.pause_reading();
    link.pause_reading();
    socket.send("4a").await;
    link.resume_reading();
    // Writing goes on, and so shows that the driver was polled.
    link.push(&[Frame::message("x")]).unwrap();
    assert_eq!(socket.receive().await, "4x");
    assert_eq!(server.told_so_far(), []);
    link.resume_reading();
    assert_eq!(socket.receive().await, "4a");
}

#[tokio::test(start_paused = true)]
async fn a_paused_session_is_not_closed_for_pongs_that_are_not_read() {
    let mut server = pausing(Config::default());
    let mut socket = server.websocket().await;
    let link = server.link();
    socket.send("4a").await;
    assert_eq!(server.message().await, "a");
    assert_eq!(socket.receive().await, "2");
    socket.send("3").await;
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(server.told_so_far(), []);
    link.resume_reading();
    assert_eq!(socket.receive().await, "2");
}

#[tokio::test]
async fn a_paused_session_that_is_closed_ends() {
    let mut server = pausing(Config::default());
    let mut socket = server.websocket().await;
    let mut client = Polling::open(&server).await;
    let link = server.link();
    socket.send("4a").await;
    socket.send("4never").await;
    link.close(CloseReason::ForcedClose);
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    socket.ended().await;

    client.begin_post("content-length: 5\r\n").await;
    client.post.write("4a\x1e4b").await;
    assert_eq!(server.message().await, "a");
    let link = server.engine.session(&client.sid.parse().unwrap()).unwrap();
    link.close(CloseReason::ForcedClose);
    assert_eq!(client.poll().await, "1");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    client.post.reply().await.assert(200, "ok");
    assert_eq!(server.told_so_far(), []);
}

#[tokio::test]
async fn a_post_waits_before_its_first_packet_while_reading_is_paused() {
    let mut server = Server::quiet(Config::default());
    let client = Polling::open(&server).await;
    let link = server.link();
    link.pause_reading();
    let target = client.target();
    let mut http = server.connect();
    let posting = tokio::spawn(async move { http.post(&target, "4early").await });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.told_so_far(), []);
    link.resume_reading();
    assert_eq!(server.message().await, "early");
    soon(posting).await.unwrap().assert(200, "ok");
}
