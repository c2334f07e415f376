//! What the application decides about requests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use engineio::{Config, server::Hooks};

use crate::support::{Polling, Reply, Server, Told, target};

const UPGRADE: &str = "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n";

async fn get(server: &Server, target: &str, headers: &str) -> Reply {
    let mut http = server.connect();
    http.begin("GET", target, headers).await;
    http.reply().await
}

#[tokio::test]
async fn a_refused_client_reads_the_message_and_opens_nothing() {
    let hooks = Hooks::default().allow_request(async |_request| Err("not \"now\"".to_owned()));
    let mut server = Server::with_hooks(Config::default(), hooks);
    let polling = get(&server, &target("polling", ""), "").await;
    polling.assert(403, r#"{"code":4,"message":"not \"now\""}"#);
    let upgrade = get(&server, &target("websocket", ""), UPGRADE).await;
    upgrade.assert(400, "not \"now\"");
    assert_eq!(server.told_so_far(), []);
}

#[tokio::test]
async fn a_refusal_without_a_message_is_forbidden() {
    let hooks = Hooks::default().allow_request(async |_request| Err(String::new()));
    let server = Server::with_hooks(Config::default(), hooks);
    let polling = get(&server, &target("polling", ""), "").await;
    polling.assert(403, r#"{"code":4,"message":"Forbidden"}"#);
    let upgrade = get(&server, &target("websocket", ""), UPGRADE).await;
    upgrade.assert(400, "Forbidden");
}

#[tokio::test]
async fn the_request_decides_after_a_wait() {
    let hooks = Hooks::default().allow_request(async |request| {
        tokio::task::yield_now().await;
        let has_key = request.headers.contains_key("x-key");
        let is_ours = request
            .uri
            .query()
            .is_some_and(|query| query.contains("EIO=4"));
        if has_key && is_ours {
            Ok(())
        } else {
            Err("no key".to_owned())
        }
    });
    let server = Server::with_hooks(Config::default(), hooks);
    let open = get(&server, &target("polling", ""), "x-key: 1\r\n").await;
    assert_eq!(open.status, 200, "{open:?}");
    let upgrade = format!("x-key: 1\r\n{UPGRADE}");
    let open = get(&server, &target("websocket", ""), &upgrade).await;
    assert_eq!(open.status, 101, "{open:?}");
    let refused = get(&server, &target("polling", ""), "").await;
    refused.assert(403, r#"{"code":4,"message":"no key"}"#);
}

#[tokio::test]
async fn only_handshakes_are_asked_for() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let hooks = Hooks::default().allow_request(move |_request| {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(()))
    });
    let mut server = Server::with_hooks(Config::default(), hooks);
    let mut client = Polling::open(&server).await;
    client.send("4hi").await;
    client.probe(&server).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert!(matches!(server.told().await, Told::Open(_)));
    assert_eq!(server.message().await, "hi");
}
