//! CORS on every kind of response, and the origins that are refused although CORS would not keep them out.

use engineio::{Config, Cors, CorsOptions, Origins};

use crate::support::{Polling, Reply, Server, target};

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n";
const FRIEND: &str = "origin: http://friend.test\r\n";
const STRANGER: &str = "origin: http://stranger.test\r\n";
const FORBIDDEN: &str = r#"{"code":4,"message":"Forbidden"}"#;

fn server() -> Server {
    let cors = Cors::new(CorsOptions {
        origin: Origins::List(vec!["http://friend.test".to_owned()]),
        credentials: true,
        ..CorsOptions::default()
    });
    Server::quiet(Config {
        cors: Some(cors.unwrap()),
        ..Config::default()
    })
}

async fn request(server: &Server, method: &str, target: &str, headers: &str) -> Reply {
    let mut http = server.connect();
    http.begin(method, target, headers).await;
    http.reply().await
}

fn grant(reply: &Reply) -> Option<&str> {
    let mut lines = reply.head.lines();
    lines.find_map(|line| line.strip_prefix("access-control-allow-origin: "))
}

#[tokio::test]
async fn without_cors_no_header_of_it_is_sent() {
    let server = Server::quiet(Config::default());
    let open = request(&server, "GET", &target("polling", ""), FRIEND).await;
    assert!(!open.head.contains("access-control"), "{open:?}");
    let preflight = request(&server, "OPTIONS", &target("polling", ""), FRIEND).await;
    preflight.assert(400, r#"{"code":2,"message":"Bad handshake method"}"#);
}

#[tokio::test]
async fn every_response_carries_the_grant_refusals_too() {
    let server = server();
    let client = Polling::open(&server).await;
    let get = request(&server, "GET", &target("polling", ""), FRIEND).await;
    let headers = format!("{FRIEND}content-length: 3\r\n");
    let mut http = server.connect();
    http.begin("POST", &client.target(), &headers).await;
    http.write("4hi").await;
    let post = http.reply().await;
    let upgrade = format!("{FRIEND}{UPGRADE}");
    let upgrade = request(&server, "GET", &target("websocket", ""), &upgrade).await;
    let refused = request(&server, "GET", "/engine.io/?transport=x", FRIEND).await;
    let status = [&get, &post, &upgrade, &refused].map(|reply| reply.status);
    assert_eq!(status, [200, 200, 101, 400]);
    for reply in [get, post, upgrade, refused] {
        assert_eq!(grant(&reply), Some("http://friend.test"), "{reply:?}");
        assert!(reply.head.contains("vary: origin\r\n"), "{reply:?}");
        let credentials = "access-control-allow-credentials: true\r\n";
        assert!(reply.head.contains(credentials), "{reply:?}");
    }
}

#[tokio::test]
async fn a_preflight_is_answered_with_204_and_opens_nothing() {
    let server = server();
    let preflight = request(&server, "OPTIONS", &target("polling", ""), FRIEND).await;
    preflight.assert(204, "");
    assert_eq!(grant(&preflight), Some("http://friend.test"));
    let preflight = request(&server, "OPTIONS", &target("polling", ""), STRANGER).await;
    preflight.assert(204, "");
    assert_eq!(grant(&preflight), None);
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test]
async fn a_preflight_that_asks_for_no_headers_is_granted_none() {
    let server = server();
    for (asked, granted) in [("", false), ("x-one", true)] {
        let headers = format!("{FRIEND}access-control-request-headers: {asked}\r\n");
        let preflight = request(&server, "OPTIONS", &target("polling", ""), &headers).await;
        let grant = "\naccess-control-allow-headers: ";
        assert_eq!(preflight.head.contains(grant), granted, "{preflight:?}");
    }
}

#[tokio::test]
async fn a_foreign_page_may_not_open_a_websocket() {
    let server = server();
    let foreign = format!("{STRANGER}{UPGRADE}");
    let reply = request(&server, "GET", &target("websocket", ""), &foreign).await;
    reply.assert(403, "Forbidden");
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test]
async fn a_foreign_page_may_not_use_a_session_and_the_session_lives_on() {
    let server = server();
    let mut client = Polling::open(&server).await;
    let post = format!("{STRANGER}content-length: 2\r\n");
    for (method, headers) in [("GET", STRANGER), ("POST", &post)] {
        let reply = request(&server, method, &client.target(), headers).await;
        reply.assert(403, FORBIDDEN);
        assert_eq!(grant(&reply), None);
    }
    let foreign = format!("{STRANGER}{UPGRADE}");
    let probe = target("websocket", &client.sid);
    let reply = request(&server, "GET", &probe, &foreign).await;
    reply.assert(403, "Forbidden");
    client.send("4hi").await;
}

#[tokio::test]
async fn the_servers_own_pages_need_no_grant() {
    let server = server();
    let own = format!("origin: http://test\r\n{UPGRADE}");
    let reply = request(&server, "GET", &target("websocket", ""), &own).await;
    assert_eq!(reply.status, 101, "{reply:?}");
}
