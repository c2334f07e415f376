//! Clients of protocol 3, which are served only if that is configured.

use std::time::Duration;

use engineio::{CloseReason, Config, Frame, Protocol};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Http, Server, Told, WebSocket, target, websocket_on};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    Config {
        allow_eio3: true,
        ..Config::default()
    }
}

fn target_v3(transport: &str, more: &str) -> String {
    format!("/engine.io/?EIO=3&transport={transport}{more}")
}

/// A session on long-polling, and what its requests go to.
struct Client {
    http: Http,
    target: String,
    sid: String,
}

impl Client {
    async fn open(server: &Server, more: &str) -> Self {
        let mut http = server.connect();
        let open = http.get(&target_v3("polling", more)).await;
        assert_eq!(open.status, 200, "{open:?}");
        let sid = open.body.split('"').nth(3).unwrap().to_owned();
        let target = target_v3("polling", &format!("&sid={sid}"));
        Self { http, target, sid }
    }

    async fn send(&mut self, body: &str) {
        self.http.post(&self.target, body).await.assert(200, "ok");
    }

    async fn send_binary(&mut self, body: &[u8]) {
        let headers = format!(
            "content-type: application/octet-stream\r\ncontent-length: {}\r\n",
            body.len()
        );
        self.http.begin("POST", &self.target, &headers).await;
        self.http.write(body).await;
        self.http.reply().await.assert(200, "ok");
    }

    async fn poll(&mut self) -> String {
        let reply = self.http.get(&self.target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let content_type = "content-type: text/plain; charset=utf-8\r\n";
        assert!(reply.head.contains(content_type), "{reply:?}");
        reply.body
    }

    async fn poll_binary(&mut self) -> Vec<u8> {
        let reply = self.http.get(&self.target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let content_type = "content-type: application/octet-stream\r\n";
        assert!(reply.head.contains(content_type), "{reply:?}");
        reply.bytes
    }
}

async fn websocket(server: &Server, more: &str) -> WebSocket<tokio::io::DuplexStream> {
    let target = target_v3("websocket", more);
    websocket_on(server.pipe(64 * 1024), &target).await.unwrap()
}

#[tokio::test]
async fn is_refused_with_code_5_unless_it_is_allowed() {
    for query in ["EIO=3", "EIO=", "EIO=5", "t=1"] {
        let target = format!("/engine.io/?transport=polling&{query}");
        let server = Server::quiet(Config::default());
        let reply = server.connect().get(&target).await;
        reply.assert(
            400,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        );
        let mut server = Server::quiet(config());
        let reply = server.connect().get(&target).await;
        assert_eq!(reply.status, 200, "{query}");
        assert_eq!(server.link().protocol(), Protocol::V3);
    }
}

#[tokio::test]
async fn the_open_packet_is_that_of_protocol_4_behind_its_length() {
    let mut server = Server::quiet(config());
    let mut http = server.connect();
    let open = http.get(&target_v3("polling", "")).await;
    let sid = server.link().sid();
    let fields = format!(
        r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
    );
    open.assert(200, &format!("{}:{fields}", fields.len()));
    let mut socket = websocket(&server, "").await;
    let sid = server.link().sid();
    assert_eq!(
        socket.receive().await,
        format!(
            r#"0{{"sid":"{sid}","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}}"#
        )
    );
}

#[tokio::test]
async fn requests_of_the_other_protocol_are_refused_and_the_session_lives_on() {
    let mut server = Server::echo(config());
    let mut client = Client::open(&server, "").await;
    let bad_request = r#"{"code":3,"message":"Bad request"}"#;
    let other = target("polling", &client.sid);
    client.http.get(&other).await.assert(400, bad_request);
    client.send("2:4a").await;
    assert_eq!(client.poll().await, "2:4a");
    let four = server.connect().get(&target("polling", "")).await;
    let sid = four.body.split('"').nth(3).unwrap();
    let other = target_v3("polling", &format!("&sid={sid}"));
    server.connect().get(&other).await.assert(400, bad_request);
    assert!(
        server
            .told_so_far()
            .iter()
            .all(|told| !matches!(told, Told::Close(..)))
    );
}

#[tokio::test]
async fn text_comes_back_with_its_length_in_utf16() {
    let server = Server::echo(config());
    let mut client = Client::open(&server, "").await;
    client.send("6:4h😀é!1:42:4b").await;
    assert_eq!(client.poll().await, "6:4h😀é!1:42:4b");
}

#[tokio::test]
async fn binary_data_comes_back_in_a_binary_body() {
    let server = Server::echo(config());
    let mut client = Client::open(&server, "").await;
    let body = b"\x01\x04\xff\x04\x01\x02\xff\0\x03\xff4\xc3\xa9";
    client.send_binary(body).await;
    assert_eq!(client.poll_binary().await, body);
    client.send("6:b4AQL/").await;
    assert_eq!(client.poll_binary().await, b"\x01\x04\xff\x04\x01\x02\xff");
    // Without binary data the body is text, whatever came before.
    client.send_binary(b"\0\x02\xff4a").await;
    assert_eq!(client.poll().await, "2:4a");
}

#[tokio::test]
async fn who_asks_for_base64_in_the_handshake_gets_it() {
    let mut server = Server::echo(config());
    let mut client = Client::open(&server, "&b64=1").await;
    let link = server.link();
    let mut other = server.websocket().await;
    let other_link = server.link();
    client.send("6:b4AQL/2:4a").await;
    assert_eq!(client.poll().await, "6:b4AQL/2:4a");
    // The same frame goes to each in its own form.
    let frame = [Frame::Binary(vec![1, 2, 255].into())];
    link.push(&frame).unwrap();
    other_link.push(&frame).unwrap();
    assert_eq!(client.poll().await, "6:b4AQL/");
    assert_eq!(other.receive().await, "binary b\"\\x01\\x02\\xff\"");
}

#[tokio::test]
async fn a_websocket_has_the_type_in_front_of_binary_data() {
    let mut server = Server::echo(config());
    let mut socket = websocket(&server, "").await;
    assert!(socket.receive().await.starts_with("0{"));
    socket.send("4h😀").await;
    assert_eq!(socket.receive().await, "4h😀");
    socket.send("b4AQI=").await;
    assert_eq!(socket.receive().await, "binary b\"\\x04\\x01\\x02\"");
    socket.send_message(Message::binary(vec![4, 3])).await;
    assert_eq!(socket.receive().await, "binary b\"\\x04\\x03\"");
    socket.send_message(Message::binary(vec![7, 3])).await;
    assert_eq!(server.closed().await, CloseReason::ParseError);
}

#[tokio::test]
async fn a_websocket_may_ask_for_base64_in_both_protocols() {
    let server = Server::echo(config());
    for (version, expected) in [(3, "b4AQI="), (4, "bAQI=")] {
        let target = format!("/engine.io/?EIO={version}&transport=websocket&b64=1");
        let mut socket = websocket_on(server.pipe(4096), &target).await.unwrap();
        assert!(socket.receive().await.starts_with("0{"));
        socket.send(expected).await;
        assert_eq!(socket.receive().await, expected);
    }
}

#[tokio::test]
async fn what_is_queued_goes_on_over_the_websocket_in_order() {
    let mut server = Server::echo(config());
    let mut client = Client::open(&server, "").await;
    let link = server.link();
    client.send("2:4a").await;
    let mut socket = websocket(&server, &format!("&sid={}", client.sid)).await;
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    assert_eq!(client.poll().await, "2:4a");
    assert_eq!(client.poll().await, "1:6");
    let binary = Frame::Binary(vec![1].into());
    link.push(&[Frame::message("b"), binary, Frame::message("c")])
        .unwrap();
    socket.send("5").await;
    assert_eq!(socket.receive().await, "4b");
    assert_eq!(socket.receive().await, "binary b\"\\x04\\x01\"");
    assert_eq!(socket.receive().await, "4c");
}

#[tokio::test(start_paused = true)]
async fn the_client_pings_and_a_silent_one_is_gone_after_both_times() {
    let mut server = Server::quiet(config());
    let before = Instant::now();
    let mut socket = websocket(&server, "").await;
    assert!(socket.receive().await.starts_with("0{"));
    tokio::time::advance(40 * SECOND).await;
    socket.send("2").await;
    assert_eq!(socket.receive().await, "3");
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    assert_eq!(before.elapsed(), 85 * SECOND);
    socket.ended().await;
}

#[tokio::test(start_paused = true)]
async fn pings_come_by_long_polling_too() {
    let mut server = Server::quiet(config());
    let before = Instant::now();
    let mut client = Client::open(&server, "").await;
    for _ in 0..3 {
        client.send("1:2").await;
        assert_eq!(client.poll().await, "1:3");
        tokio::time::advance(40 * SECOND).await;
    }
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    assert_eq!(before.elapsed(), 125 * SECOND);
}

#[tokio::test]
async fn what_does_not_decode_ends_the_session_with_parse_error() {
    for (body, is_binary) in [
        (&b"abc"[..], false),
        (b"", false),
        (b"3:4a", false),
        (b"2:4a:", false),
        (b"2:4a", true),
        (b"\x01\x02\xff\x04", true),
    ] {
        let mut server = Server::quiet(config());
        let mut client = Client::open(&server, "").await;
        if is_binary {
            client.send_binary(body).await;
        } else {
            client.send(std::str::from_utf8(body).unwrap()).await;
        }
        assert_eq!(server.closed().await, CloseReason::ParseError, "{body:?}");
    }
}

#[tokio::test]
async fn a_body_is_bounded_in_bytes_and_in_packets() {
    let mut server = Server::quiet(Config {
        max_packets_per_payload: 3,
        max_payload: 100,
        ..config()
    });
    let mut client = Client::open(&server, "").await;
    let reply = client.http.post(&client.target, &"x".repeat(101)).await;
    assert_eq!(reply.status, 413);
    client.http = server.connect();
    let reply = client.http.post(&client.target, "2:4a2:4b2:4c2:4d").await;
    reply.assert(400, "");
    for expected in ["a", "b", "c"] {
        assert_eq!(server.message().await, expected);
    }
    assert_eq!(server.closed().await, CloseReason::ParseError);
}

#[tokio::test]
async fn closing_says_so_behind_its_length() {
    let mut server = Server::quiet(config());
    let mut client = Client::open(&server, "").await;
    server.link().close(CloseReason::ForcedClose);
    assert_eq!(client.poll().await, "1:1");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    let mut client = Client::open(&server, "").await;
    client.send("2:4a1:12:4b").await;
    assert_eq!(server.message().await, "a");
    assert_eq!(server.closed().await, CloseReason::TransportClose);
}
