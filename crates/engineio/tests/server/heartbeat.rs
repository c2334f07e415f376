//! Everything that is a matter of time, on a clock that is held.

use std::time::Duration;

use engineio::{CloseReason, Config, Frame};
use tokio::time::Instant;

use crate::support::{Polling, Server, Told};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_silent_session_is_pinged_after_the_interval_and_gone_after_the_timeout() {
    let mut server = Server::quiet(Config::default());
    let before = Instant::now();
    let mut socket = server.websocket().await;
    assert_eq!(socket.receive().await, "2");
    assert_eq!(before.elapsed(), 25 * SECOND);
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    assert_eq!(before.elapsed(), 45 * SECOND);
    socket.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_polling_session_is_gone_after_the_timeout_with_or_without_a_poll() {
    for polls in [true, false] {
        let mut server = Server::quiet(Config::default());
        let before = Instant::now();
        let mut client = Polling::open(&server).await;
        client.send("4a").await;
        if polls {
            assert_eq!(client.poll().await, "2");
            assert_eq!(before.elapsed(), 25 * SECOND);
            client.begin_poll().await;
        }
        assert_eq!(server.closed().await, CloseReason::PingTimeout);
        assert_eq!(before.elapsed(), 45 * SECOND);
        if polls {
            assert_eq!(client.polled().await, "1");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pongs_keep_a_session_alive() {
    let mut server = Server::quiet(Config::default());
    let before = Instant::now();
    let mut socket = server.websocket().await;
    let mut client = Polling::open(&server).await;
    client.send("6").await;
    for round in 1..=5 {
        assert_eq!(socket.receive().await, "2");
        socket.send("3").await;
        assert_eq!(client.poll().await, "2");
        client.send("3").await;
        assert_eq!(before.elapsed(), 25 * SECOND * round);
    }
    let is_open = |told: &Told| matches!(told, Told::Open(_));
    assert!(server.told_so_far().iter().all(is_open));
}

#[tokio::test(start_paused = true)]
async fn a_ping_gets_through_behind_what_is_queued() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let link = server.link();
    client.send("4a").await;
    link.push(&[Frame::message("x")]).unwrap();
    tokio::time::advance(25 * SECOND).await;
    assert_eq!(client.poll().await, "4x\x1e2");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_makes_no_request_after_its_handshake_is_gone() {
    let mut server = Server::quiet(Config::default());
    let before = Instant::now();
    Polling::open(&server).await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(before.elapsed(), 15 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_admitted_is_gone_and_an_admitted_one_is_not() {
    let mut server = Server::quiet(Config {
        admission_timeout: Some(5 * SECOND),
        ..Config::default()
    });
    let before = Instant::now();
    let mut admitted = server.websocket().await;
    let link = server.link();
    link.admit();
    let mut refused = server.websocket().await;
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    assert_eq!(before.elapsed(), 5 * SECOND);
    refused.ended().await;
    assert_eq!(admitted.receive().await, "2");
    admitted.send("3").await;
    link.expect_admission();
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    assert_eq!(before.elapsed(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_of_a_later_session_is_not_missed() {
    let mut server = Server::quiet(Config {
        admission_timeout: Some(41 * SECOND),
        ..Config::default()
    });
    let before = Instant::now();
    let mut first = server.websocket().await;
    assert_eq!(first.receive().await, "2");
    first.send("3").await;
    // The first session's next deadline is at 41 s.
    let _second = Polling::open(&server).await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(before.elapsed(), 40 * SECOND);
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    assert_eq!(before.elapsed(), 41 * SECOND);
}
