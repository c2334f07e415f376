//! The end of the server.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use engineio::{CloseReason, Config, Frame};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::support::{Polling, Server, soon, target};

#[tokio::test]
async fn close_sends_what_is_queued_and_waits_then_serve_returns() {
    let mut server = Server::quiet(Config::default());
    let listening = server.listen().await;
    let mut socket = listening.websocket().await;
    let link = server.link();
    let mut idle = listening.connect().await;
    let open = idle.get(&target("polling", "")).await;
    let sid = open.body.split('"').nth(3).unwrap().to_owned();
    let mut poll = listening.connect().await;
    poll.begin("GET", &target("polling", &sid), "").await;
    for _ in 0..100 {
        link.push(&[Frame::message("x")]).unwrap();
    }
    let engine = server.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    for _ in 0..100 {
        assert_eq!(socket.receive().await, "4x");
    }
    assert_eq!(socket.ended().await, None);
    assert_eq!(poll.reply().await.body, "1");
    for _ in 0..2 {
        assert_eq!(server.closed().await, CloseReason::ForcedClose);
    }
    soon(closing).await.unwrap();
    idle.ended().await;
    poll.ended().await;
    soon(listening.serve).await.unwrap().unwrap();
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test]
async fn close_without_sessions_returns_at_once_and_may_be_called_twice() {
    let server = Server::quiet(Config::default());
    let listening = server.listen().await;
    soon(server.engine.close()).await;
    soon(server.engine.close()).await;
    soon(listening.serve).await.unwrap().unwrap();
    assert!(server.engine.is_closing());
    soon(server.engine.closing()).await;
}

#[tokio::test]
async fn sessions_are_refused_while_the_server_closes() {
    let server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let engine = server.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    soon(server.engine.closing()).await;
    let reply = server.connect().get(&target("polling", "")).await;
    reply.assert(503, r#"{"code":4,"message":"Service unavailable"}"#);
    assert!(reply.head.contains("retry-after: "), "{}", reply.head);
    assert!(!closing.is_finished(), "a session is still there");
    assert_eq!(client.poll().await, "1");
    soon(closing).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clients_that_take_nothing_hold_close_up_for_the_shutdown_grace() {
    let mut server = Server::quiet(Config::default());
    let _client = Polling::open(&server).await;
    let before = Instant::now();
    soon(server.engine.close()).await;
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_closed_waits_for_a_poll_for_the_close_timeout() {
    let mut server = Server::quiet(Config::default());
    let _client = Polling::open(&server).await;
    let before = Instant::now();
    server.link().close(CloseReason::ForcedClose);
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    assert_eq!(before.elapsed(), Duration::from_secs(30));
}

#[tokio::test]
async fn a_client_may_fetch_the_rest_over_a_new_connection_while_the_server_closes() {
    let mut server = Server::quiet(Config::default());
    let listening = server.listen().await;
    let open = listening.connect().await.get(&target("polling", "")).await;
    let sid = open.body.split('"').nth(3).unwrap().to_owned();
    server.link().push(&[Frame::message("rest")]).unwrap();
    let engine = server.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    soon(server.engine.closing()).await;
    let target = target("polling", &sid);
    for expected in ["4rest", "1"] {
        let mut http = listening.connect().await;
        http.get(&target).await.assert(200, expected);
    }
    soon(closing).await.unwrap();
    soon(listening.serve).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_says_goodbye_does_not_hold_close_up() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    server.link().close(CloseReason::ForcedClose);
    client.send("1").await;
    assert_eq!(
        server.closed().now_or_never(),
        Some(CloseReason::TransportClose)
    );
}

#[tokio::test]
async fn close_ends_a_session_that_is_in_the_middle_of_its_upgrade() {
    let server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let mut probe = client.probe(&server).await;
    let engine = server.engine.clone();
    let closing = tokio::spawn(async move { engine.close().await });
    soon(server.engine.closing()).await;
    assert_eq!(client.poll().await, "1");
    probe.ended().await;
    soon(closing).await.unwrap();
}

#[tokio::test]
async fn other_paths_of_a_port_are_answered_with_501() {
    let server = Server::quiet(Config::default());
    let listening = server.listen().await;
    listening
        .connect()
        .await
        .get("/other")
        .await
        .assert(501, "the path of this server is /engine.io/\n");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_its_response_does_not_hold_serve_up() {
    let server = Server::quiet(Config::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // More than the buffers of both sockets hold.
    let page = service_fn(async |_request: Request<Incoming>| {
        let body = Full::new(Bytes::from(vec![b'x'; 64 << 20]));
        Ok::<_, Infallible>(Response::new(body))
    });
    let engine = server.engine.clone();
    let serving = tokio::spawn(async move { engine.serve_with(listener, page).await });
    let mut peer = TcpStream::connect(address).await.unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    peer.read_u8().await.unwrap();
    server.engine.close().await;
    soon(serving).await.unwrap().unwrap();
}
