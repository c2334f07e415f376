//! The cookie with the session's id.

use engineio::{Config, Cookie, CookieOptions};

use crate::support::{Http, Server, target};

fn server() -> Server {
    Server::quiet(Config {
        cookie: Some(Cookie::new(CookieOptions::default()).unwrap()),
        ..Config::default()
    })
}

fn cookies(head: &str) -> Vec<&str> {
    let lines = head.lines();
    lines
        .filter_map(|line| line.strip_prefix("set-cookie: "))
        .collect()
}

#[tokio::test]
async fn there_is_none_unless_it_is_configured() {
    let server = Server::quiet(Config::default());
    let open = server.connect().get(&target("polling", "")).await;
    assert!(!open.head.contains("cookie"), "{open:?}");
}

#[tokio::test]
async fn the_handshake_sets_it_and_nothing_after_it_does() {
    let server = server();
    let mut http = server.connect();
    let open = http.get(&target("polling", "")).await;
    let sid = open.body.split('"').nth(3).unwrap();
    // The head is in lower case here.
    let expected = format!(
        "io={}; path=/; httponly; samesite=lax",
        sid.to_ascii_lowercase()
    );
    assert_eq!(cookies(&open.head), [expected]);
    let post = http.post(&target("polling", sid), "4hi").await;
    assert_eq!((post.status, cookies(&post.head)), (200, vec![]));
}

#[tokio::test]
async fn a_refused_handshake_sets_none() {
    let server = server();
    let refused = server
        .connect()
        .get("/engine.io/?EIO=3&transport=polling")
        .await;
    assert_eq!((refused.status, cookies(&refused.head)), (400, vec![]));
}

/// As the reference: a WebSocket stays where it is, and needs no load balancer to remember it.
#[tokio::test]
async fn a_websocket_gets_none() {
    let server = server();
    let mut http = Http::new(server.pipe(1024));
    let upgrade = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n";
    http.begin("GET", &target("websocket", ""), upgrade).await;
    let reply = http.reply().await;
    assert_eq!((reply.status, cookies(&reply.head)), (101, vec![]));
}
