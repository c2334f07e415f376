//! Handshakes, and how they are refused.

use engineio::{CloseReason, Config, Frame, Transport};
use tokio_tungstenite::tungstenite;

use crate::support::{Polling, Server, target, websocket_on};

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n";

#[tokio::test]
async fn polling_answers_with_the_open_packet() {
    let server = Server::quiet(Config::default());
    let open = server.connect().get(&target("polling", "")).await;
    assert_eq!(open.status, 200);
    let (sid, rest) = open.body[r#"0{"sid":""#.len()..].split_at(20);
    assert!(server.engine.session(&sid.parse().unwrap()).is_some());
    assert_eq!(
        rest,
        r#"","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
    );
    assert!(
        open.head
            .contains("content-type: text/plain; charset=utf-8\r\n")
    );
    assert!(open.head.contains("cache-control: no-store\r\n"));
}

#[tokio::test]
async fn a_websocket_begins_with_the_open_packet_and_offers_no_upgrade() {
    let server = Server::quiet(Config::default());
    let mut socket = server.websocket_through(1024).await;
    let open = socket.receive().await;
    assert!(open.starts_with(r#"0{"sid":""#), "{open}");
    assert!(open.contains(r#""upgrades":[]"#), "{open}");
}

#[tokio::test]
async fn an_initial_packet_comes_with_the_open_packet() {
    let server = Server::quiet(Config {
        initial_packet: Some(Frame::message("welcome")),
        ..Config::default()
    });
    let open = server.connect().get(&target("polling", "")).await;
    assert!(open.body.ends_with("}\u{1e}4welcome"), "{open:?}");
    let mut socket = server.websocket().await;
    assert_eq!(socket.receive().await, "4welcome");
}

#[tokio::test]
async fn bad_requests_get_the_official_status_and_body() {
    let server = Server::quiet(Config::default());
    let client = Polling::open(&server).await;
    let sid = &client.sid;
    let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
    let unknown_sid = r#"{"code":1,"message":"Session ID unknown"}"#;
    let bad_request = r#"{"code":3,"message":"Bad request"}"#;
    let cases = [
        ("GET", "/engine.io/".to_owned(), unknown),
        (
            "GET",
            "/engine.io/?transport=constructor&EIO=4".into(),
            unknown,
        ),
        (
            "GET",
            target("polling", "abcdefghijklmnopqrst"),
            unknown_sid,
        ),
        ("GET", target("polling", "x"), unknown_sid),
        ("POST", target("polling", "x"), unknown_sid),
        (
            "POST",
            target("polling", ""),
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
        ("GET", target("websocket", ""), bad_request),
        // As if something on the way had taken the upgrade out.
        ("GET", target("websocket", sid), bad_request),
        (
            "GET",
            "/engine.io/?transport=polling&EIO=3".into(),
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
    ];
    for (method, target, body) in cases {
        let mut http = server.connect();
        http.begin(method, &target, "").await;
        let reply = http.reply().await;
        reply.assert(400, body);
        assert!(reply.head.contains("content-type: application/json\r\n"));
    }
    assert_eq!(server.engine.clients_count(), 1, "the session lives on");
}

#[tokio::test]
async fn an_origin_that_is_no_text_is_refused() {
    let server = Server::quiet(Config::default());
    let mut http = server.connect();
    http.begin("GET", &target("polling", ""), "origin: é\r\n")
        .await;
    let reply = http.reply().await;
    reply.assert(400, r#"{"code":3,"message":"Bad request"}"#);
}

#[tokio::test]
async fn a_websocket_is_refused_by_status_and_bare_message() {
    let server = Server::quiet(Config::default());
    let cases = [
        ("/engine.io/?transport=x&EIO=4", "Transport unknown"),
        (
            "/engine.io/?transport=websocket&EIO=3",
            "Unsupported protocol version",
        ),
        ("/engine.io/?transport=polling&EIO=4", "Bad request"),
        (
            "/engine.io/?transport=websocket&EIO=4&sid=x",
            "Session ID unknown",
        ),
    ];
    for (target, message) in cases {
        match websocket_on(server.pipe(1024), target).await {
            Err(tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), 400, "{target}");
                assert_eq!(response.headers()["connection"], "close");
                let body = response.body().as_deref().unwrap_or_default();
                assert_eq!(std::str::from_utf8(body).unwrap(), message);
            }
            other => panic!("{target} was not refused: {:?}", other.err()),
        }
    }
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test]
async fn an_upgrade_without_a_key_or_of_another_version_is_refused() {
    let server = Server::quiet(Config::default());
    let without_key = UPGRADE.split("sec-websocket-key").next().unwrap();
    let other_version = UPGRADE.replace("13", "8");
    for (headers, status) in [(without_key, 400), (&other_version, 426)] {
        let mut http = server.connect();
        http.begin("GET", &target("websocket", ""), headers).await;
        assert_eq!(http.reply().await.status, status);
        http.ended().await;
    }
}

/// A browser that offers subprotocols fails the connection when none is chosen.
#[tokio::test]
async fn the_first_subprotocol_that_is_offered_is_spoken() {
    let server = Server::quiet(Config::default());
    let mut http = server.connect();
    let offers = format!("{UPGRADE}sec-websocket-protocol: v2.chat, v1.chat\r\n");
    http.begin("GET", &target("websocket", ""), &offers).await;
    let reply = http.reply().await;
    assert_eq!(reply.status, 101);
    assert!(
        reply.head.contains("sec-websocket-protocol: v2.chat\r\n"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn junk_after_an_upgrade_request_ends_that_session_only() {
    let mut server = Server::echo(Config::default());
    let mut http = server.connect();
    http.begin("GET", &target("websocket", ""), UPGRADE).await;
    http.write("junk that is no frame".repeat(100)).await;
    assert_eq!(http.reply().await.status, 101);
    assert_eq!(server.closed().await, CloseReason::TransportError);
    http.ended().await;
    let mut client = Polling::open(&server).await;
    client.send("4still there").await;
    assert_eq!(client.poll().await, "4still there");
}

#[tokio::test]
async fn transports_can_be_switched_off() {
    let server = Server::quiet(Config {
        transports: vec![Transport::WebSocket],
        ..Config::default()
    });
    let unknown = r#"{"code":0,"message":"Transport unknown"}"#;
    let reply = server.connect().get(&target("polling", "")).await;
    reply.assert(400, unknown);
    server.websocket().await;

    let server = Server::quiet(Config {
        transports: vec![Transport::Polling],
        ..Config::default()
    });
    let client = Polling::open(&server).await;
    let reply = server
        .connect()
        .get(&target("websocket", &client.sid))
        .await;
    reply.assert(400, unknown);
}

#[tokio::test]
async fn a_path_without_trailing_slash_is_served_only_if_so_configured() {
    let without_slash = "/engine.io?EIO=4&transport=polling";
    let server = Server::quiet(Config::default());
    server
        .connect()
        .get(without_slash)
        .await
        .assert(404, "the path of this server is /engine.io/\n");
    let server = Server::quiet(Config {
        add_trailing_slash: false,
        ..Config::default()
    });
    assert_eq!(server.connect().get(without_slash).await.status, 200);
}

#[tokio::test]
async fn sessions_above_max_sessions_are_refused_until_one_is_gone() {
    let mut server = Server::quiet(Config {
        max_sessions: 2,
        ..Config::default()
    });
    let mut first = Polling::open(&server).await;
    let _second = server.websocket().await;
    let reply = server.connect().get(&target("polling", "")).await;
    reply.assert(503, r#"{"code":4,"message":"Service unavailable"}"#);
    assert!(reply.head.contains("retry-after: "), "{}", reply.head);
    let refused = websocket_on(server.pipe(1024), &target("websocket", "")).await;
    match refused {
        Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 503),
        _ => panic!("not refused"),
    }
    first.send("1").await;
    server.closed().await;
    Polling::open(&server).await;
}

#[tokio::test]
async fn sessions_above_max_unconnected_sessions_are_refused_until_one_is_admitted() {
    let mut server = Server::quiet(Config {
        admission_timeout: Some(std::time::Duration::from_secs(45)),
        max_unconnected_sessions: 1,
        ..Config::default()
    });
    let _first = Polling::open(&server).await;
    let link = server.link();
    let refused = |reply: crate::support::Reply| assert_eq!(reply.status, 503);
    refused(server.connect().get(&target("polling", "")).await);
    link.admit();
    let mut second = Polling::open(&server).await;
    refused(server.connect().get(&target("polling", "")).await);
    second.send("1").await;
    server.closed().await;
    Polling::open(&server).await;
}

#[tokio::test]
async fn sessions_are_refused_when_the_server_is_told_to() {
    let server = Server::echo(Config::default());
    let mut client = Polling::open(&server).await;
    server.engine.refuse_sessions();
    let reply = server.connect().get(&target("polling", "")).await;
    reply.assert(503, r#"{"code":4,"message":"Service unavailable"}"#);
    client.send("4a").await;
    assert_eq!(client.poll().await, "4a");
}
