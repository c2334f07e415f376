//! From long-polling to WebSocket.

use std::time::Duration;

use engineio::{CloseReason, Config, Frame, Transport};
use tokio_tungstenite::tungstenite;

use crate::support::{Polling, Server, target, websocket_on};

#[tokio::test]
async fn traffic_stays_in_order() {
    let mut server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    let link = server.link();
    client.send("41").await;
    assert_eq!(client.poll().await, "41");
    client.park(&server).await;
    let mut socket = client.probe(&server).await;
    // The parked poll is released so that the client can move on.
    assert_eq!(client.polled().await, "6");
    client.send("42").await;
    link.push(&[Frame::message("3")]).unwrap();
    assert_eq!(client.poll().await, "42\x1e43");
    link.push(&[Frame::message("4")]).unwrap();
    socket.send("5").await;
    socket.send("45").await;
    assert_eq!(socket.receive().await, "44");
    assert_eq!(socket.receive().await, "45");
    assert_eq!(link.transport(), Transport::WebSocket);
    for expected in ["1", "2", "5"] {
        assert_eq!(server.message().await, expected);
    }
}

#[tokio::test]
async fn a_poll_that_comes_during_the_upgrade_is_released_at_once() {
    let server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let _socket = client.probe(&server).await;
    assert_eq!(client.poll().await, "6");
    assert_eq!(client.poll().await, "6");
}

#[tokio::test]
async fn after_the_upgrade_requests_are_refused_and_the_session_lives_on() {
    let mut server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    let mut socket = client.probe(&server).await;
    socket.send("5").await;
    socket.send("4a").await;
    assert_eq!(socket.receive().await, "4a");
    assert_eq!(server.message().await, "a");
    let target = client.target();
    let bad_request = r#"{"code":3,"message":"Bad request"}"#;
    client.get.get(&target).await.assert(400, bad_request);
    client
        .post
        .post(&target, "4x")
        .await
        .assert(400, bad_request);
    socket.send("4b").await;
    assert_eq!(socket.receive().await, "4b");
}

#[tokio::test]
async fn a_second_upgrade_is_refused_before_and_after_the_first_is_done() {
    let server = Server::echo(Config::default());
    let client = Polling::open(&server).await;
    let mut socket = client.open_probe(&server).await;
    assert_refused(&server, &client).await;
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    assert_refused(&server, &client).await;
    socket.send("5").await;
    socket.send("4a").await;
    assert_eq!(socket.receive().await, "4a");
    assert_refused(&server, &client).await;
    socket.send("4b").await;
    assert_eq!(socket.receive().await, "4b");
}

async fn assert_refused(server: &Server, client: &Polling) {
    let target = target("websocket", &client.sid);
    match websocket_on(server.pipe(1024), &target).await {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 400),
        other => panic!("not refused: {:?}", other.err()),
    }
}

#[tokio::test]
async fn an_upgrade_is_refused_when_upgrades_are_off() {
    let server = Server::quiet(Config {
        allow_upgrades: false,
        ..Config::default()
    });
    assert_refused(&server, &Polling::open(&server).await).await;
}

#[tokio::test]
async fn a_lost_probe_keeps_polling_alive_and_another_may_follow() {
    let server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    let mut lost = client.probe(&server).await;
    assert_eq!(client.poll().await, "6");
    futures_util::SinkExt::close(&mut lost.stream)
        .await
        .unwrap();
    lost.ended().await;
    client.send("4a").await;
    assert_eq!(client.poll().await, "4a");
    let mut socket = client.probe(&server).await;
    socket.send("5").await;
    socket.send("4b").await;
    assert_eq!(socket.receive().await, "4b");
}

#[tokio::test]
async fn any_other_packet_on_the_probe_closes_it() {
    for packet in ["4a", "2other", "5", "x", "3probe"] {
        let server = Server::echo(Config::default());
        let mut client = Polling::open(&server).await;
        let mut socket = client.open_probe(&server).await;
        socket.send(packet).await;
        assert_eq!(socket.ended().await, None, "{packet}");
        client.send("4b").await;
        assert_eq!(client.poll().await, "4b", "{packet}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_takes_too_long_is_dropped_and_polling_goes_on() {
    let server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    let before = tokio::time::Instant::now();
    let mut socket = client.probe(&server).await;
    socket.ended().await;
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    client.send("4a").await;
    assert_eq!(client.poll().await, "4a");
    client.park(&server).await;
    client.send("4b").await;
    assert_eq!(client.polled().await, "4b");
}

#[tokio::test]
async fn a_session_that_ends_closes_its_probe() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let mut waiting = client.open_probe(&server).await;
    client.send("1").await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    waiting.ended().await;
}

#[tokio::test]
async fn losing_the_websocket_after_the_upgrade_ends_the_session() {
    let mut server = Server::quiet(Config::default());
    let client = Polling::open(&server).await;
    let mut socket = client.probe(&server).await;
    socket.send("5").await;
    socket.send("4a").await;
    assert_eq!(server.message().await, "a");
    drop(socket);
    assert_eq!(server.closed().await, CloseReason::TransportClose);
}

#[tokio::test]
async fn a_session_closed_during_its_upgrade_flushes_there() {
    let mut server = Server::quiet(Config::default());
    let client = Polling::open(&server).await;
    let link = server.link();
    let mut socket = client.probe(&server).await;
    link.push(&[Frame::message("a")]).unwrap();
    link.close(CloseReason::ForcedClose);
    socket.send("5").await;
    assert_eq!(socket.receive().await, "4a");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    socket.ended().await;
}
