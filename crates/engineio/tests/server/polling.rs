//! Long-polling.

use engineio::{CloseReason, Config, Frame};

use crate::support::{Polling, Server, Told, target};

/// A server that says nothing by itself, and a client of it.
async fn opened() -> (Server, Polling) {
    let server = Server::quiet(Config::default());
    let client = Polling::open(&server).await;
    (server, client)
}

#[tokio::test]
async fn messages_come_back_in_order() {
    let server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    client.send("4héllo\x1ebAQID\x1e4").await;
    assert_eq!(client.poll().await, "4héllo\x1ebAQID\x1e4");
}

#[tokio::test]
async fn a_parked_poll_is_answered_when_there_is_something() {
    let (mut server, mut client) = opened().await;
    let link = server.link();
    client.park(&server).await;
    link.push(&[Frame::message("x"), Frame::message("y")])
        .unwrap();
    assert_eq!(client.polled().await, "4x\x1e4y");
}

#[tokio::test]
async fn a_body_may_come_in_chunks_and_pieces() {
    let (mut server, mut client) = opened().await;
    client.begin_post("transfer-encoding: chunked\r\n").await;
    let post = &mut client.post;
    // The cut is within a character.
    for piece in [
        &b"2\r\n4h\r\n4"[..],
        b"\r\n\xc3",
        b"\xa9ll\r\n1\r\no\r\n",
        b"0\r\n\r\n",
    ] {
        post.write(piece).await;
        tokio::task::yield_now().await;
    }
    post.reply().await.assert(200, "ok");
    assert_eq!(server.message().await, "héllo");
}

#[tokio::test]
async fn a_second_poll_ends_the_session() {
    let (mut server, mut client) = opened().await;
    client.park(&server).await;
    client.send("4a").await;
    assert_eq!(server.message().await, "a");
    let target = client.target();
    client.post.get(&target).await.assert(400, "");
    assert_eq!(client.polled().await, "1");
    assert_eq!(server.closed().await, CloseReason::TransportError);
}

#[tokio::test]
async fn a_second_post_ends_the_session() {
    let (mut server, mut client) = opened().await;
    client.park(&server).await;
    client.send("4a").await;
    assert_eq!(server.message().await, "a");
    client.begin_post("content-length: 2\r\n").await;
    client.post.write("4").await;
    let mut third = server.connect();
    // Whichever of the two comes second is refused.
    third
        .begin("POST", &client.target(), "content-length: 2\r\n")
        .await;
    third.write("4").await;
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(client.polled().await, "1");
}

#[tokio::test]
async fn a_poll_whose_connection_is_lost_ends_the_session() {
    let (mut server, mut client) = opened().await;
    client.park(&server).await;
    client.send("4a").await;
    drop(client.get);
    assert_eq!(server.closed().await, CloseReason::TransportError);
}

#[tokio::test]
async fn a_post_whose_connection_is_lost_ends_the_session() {
    let (mut server, mut client) = opened().await;
    client.begin_post("content-length: 10\r\n").await;
    client.post.write("4a\x1e").await;
    drop(client.post);
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(server.told_so_far(), []);
}

#[tokio::test]
async fn a_close_packet_ends_the_session_behind_the_messages_before_it() {
    let (mut server, mut client) = opened().await;
    client.park(&server).await;
    client.send("4last\x1e1\x1e4late").await;
    assert_eq!(server.message().await, "last");
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(client.polled().await, "6");
    assert_eq!(server.told_so_far(), []);
    let reply = client.get.get(&target("polling", &client.sid)).await;
    reply.assert(400, r#"{"code":1,"message":"Session ID unknown"}"#);
}

#[tokio::test]
async fn what_does_not_decode_ends_the_session_with_parse_error() {
    for body in ["abc", "", "4a\x1e", "b*"] {
        let (mut server, mut client) = opened().await;
        client.park(&server).await;
        client.send(body).await;
        assert_eq!(server.closed().await, CloseReason::ParseError, "{body:?}");
        assert_eq!(client.polled().await, "1");
    }
}

#[tokio::test]
async fn a_body_with_too_many_packets_ends_the_session() {
    let mut server = Server::quiet(Config {
        max_packets_per_payload: 3,
        ..Config::default()
    });
    let mut client = Polling::open(&server).await;
    client.send("4a\x1e4b\x1e4c").await;
    let target = client.target();
    let body = "4d\x1e4e\x1e4f\x1e4g";
    client.post.post(&target, body).await.assert(400, "");
    for expected in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(server.message().await, expected);
    }
    assert_eq!(server.closed().await, CloseReason::ParseError);
}

#[tokio::test]
async fn binary_content_ends_the_session_as_in_protocol_3() {
    let (mut server, mut client) = opened().await;
    let headers = "content-type: application/octet-stream\r\ncontent-length: 2\r\n";
    client.begin_post(headers).await;
    client.post.write("4a").await;
    assert_eq!(client.post.reply().await.status, 400);
    assert_eq!(server.closed().await, CloseReason::TransportError);
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_the_session_lives_on() {
    let (mut server, mut client) = opened().await;
    let headers = "content-encoding: gzip\r\ncontent-length: 2\r\n";
    client.begin_post(headers).await;
    client.post.write("4a").await;
    assert_eq!(client.post.reply().await.status, 415);
    client.post = server.connect();
    client.send("4b").await;
    assert_eq!(server.message().await, "b");
}

#[tokio::test]
async fn other_methods_are_refused_and_the_session_lives_on() {
    let (mut server, mut client) = opened().await;
    let target = client.target();
    client.get.begin("PUT", &target, "").await;
    assert_eq!(client.get.reply().await.status, 500);
    client.send("4a").await;
    assert_eq!(server.message().await, "a");
}

#[tokio::test]
async fn old_browsers_are_told_not_to_look_for_attacks() {
    let server = Server::quiet(Config::default());
    let mut http = server.connect();
    let agent = "user-agent: Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)\r\n";
    http.begin("GET", &target("polling", ""), agent).await;
    assert!(http.reply().await.head.contains("x-xss-protection: 0\r\n"));
}

#[tokio::test]
async fn sessions_do_not_mix() {
    let mut server = Server::echo(Config::default());
    let mut one = Polling::open(&server).await;
    let mut two = Polling::open(&server).await;
    one.send("41").await;
    two.send("42").await;
    assert_eq!(one.poll().await, "41");
    assert_eq!(two.poll().await, "42");
    let texts = server.told_so_far();
    let is_of =
        |sid: &str, told: &Told| matches!(told, Told::Text(from, _) if from.as_str() == sid);
    assert!(
        is_of(&one.sid, &texts[2]) && is_of(&two.sid, &texts[3]),
        "{texts:?}"
    );
}
