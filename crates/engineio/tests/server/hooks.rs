//! What the application decides about requests.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use engineio::{
    Config, Cookie, CookieOptions,
    server::{BadRequest, Hooks},
};
use http::{HeaderMap, HeaderValue, request::Parts};

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

/// Hooks that count their calls in a header.
fn counting() -> Hooks {
    let counter = |name: &'static str| {
        let count = AtomicUsize::new(0);
        move |headers: &mut HeaderMap, request: &Parts| {
            let calls = count.fetch_add(1, Ordering::Relaxed) + 1;
            assert_eq!(request.uri.path(), "/engine.io/");
            headers.insert(name, HeaderValue::from(calls));
        }
    };
    Hooks::default()
        .initial_headers(counter("x-initial"))
        .headers(counter("x-every"))
}

fn counts(reply: &Reply) -> [Option<&str>; 2] {
    ["x-initial: ", "x-every: "].map(|name| {
        let mut lines = reply.head.lines();
        lines.find_map(|line| line.strip_prefix(name))
    })
}

#[tokio::test]
async fn headers_are_added_to_the_first_response_and_to_every_one() {
    let server = Server::with_hooks(Config::default(), counting());
    let open = get(&server, &target("polling", ""), "").await;
    assert_eq!(counts(&open), [Some("1"), Some("1")]);
    let sid = open.body.split('"').nth(3).unwrap();
    let mut http = server.connect();
    let post = http.post(&target("polling", sid), "4hi").await;
    assert_eq!(counts(&post), [None, Some("2")]);
    let link = server.engine.session(&sid.parse().unwrap()).unwrap();
    link.push(&[engineio::Frame::message("x")]).unwrap();
    let poll = http.get(&target("polling", sid)).await;
    assert_eq!(counts(&poll), [None, Some("3")]);
    let probe = get(&server, &target("websocket", sid), UPGRADE).await;
    assert_eq!((probe.status, counts(&probe)), (101, [None, Some("4")]));
}

#[tokio::test]
async fn headers_are_added_to_the_change_to_websocket() {
    let server = Server::with_hooks(Config::default(), counting());
    let open = get(&server, &target("websocket", ""), UPGRADE).await;
    assert_eq!((open.status, counts(&open)), (101, [Some("1"), Some("1")]));
}

#[tokio::test]
async fn headers_are_not_added_to_refusals() {
    let server = Server::with_hooks(Config::default(), counting());
    let refused = get(&server, &target("polling", "x"), "").await;
    assert_eq!((refused.status, counts(&refused)), (400, [None, None]));
    let upgrade = get(&server, &target("polling", ""), UPGRADE).await;
    assert_eq!((upgrade.status, counts(&upgrade)), (400, [None, None]));
}

#[tokio::test]
async fn the_cookie_can_be_changed_by_the_first_headers() {
    let config = Config {
        cookie: Some(Cookie::new(CookieOptions::default()).unwrap()),
        ..Config::default()
    };
    let hooks = Hooks::default().initial_headers(|headers, _request| {
        let cookie = headers.remove("set-cookie").unwrap();
        assert!(cookie.to_str().unwrap().starts_with("io="));
        headers.insert("set-cookie", HeaderValue::from_static("mine=1"));
    });
    let server = Server::with_hooks(config, hooks);
    let open = get(&server, &target("polling", ""), "").await;
    assert!(open.head.contains("set-cookie: mine=1\r\n"), "{open:?}");
    assert!(!open.head.contains("io="), "{open:?}");
}

#[tokio::test]
async fn refused_requests_are_reported_with_code_message_and_context() {
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let hooks = Hooks::default()
        .allow_request(
            async |request| match request.headers.contains_key("x-key") {
                true => Ok(()),
                false => Err("no key".to_owned()),
            },
        )
        .connection_error(move |error| {
            let context = error.context.map(BadRequest::as_str);
            let method = error.request.method.to_string();
            let told = (method, error.code, error.message.clone(), context);
            report.send(told).unwrap();
        });
    let server = Server::with_hooks(Config::default(), hooks);
    let open = get(&server, &target("polling", ""), "x-key: 1\r\n").await;
    let sid = open.body.split('"').nth(3).unwrap();
    let other_version = target("polling", sid).replace("EIO=4", "EIO=3");
    let cases = [
        (
            "GET",
            "/engine.io/".to_owned(),
            "",
            0,
            "Transport unknown",
            None,
        ),
        (
            "GET",
            target("polling", "x"),
            "",
            1,
            "Session ID unknown",
            None,
        ),
        (
            "PUT",
            target("polling", ""),
            "",
            2,
            "Bad handshake method",
            None,
        ),
        (
            "GET",
            target("polling", ""),
            "origin: http://\u{e9}\r\n",
            3,
            "Bad request",
            Some("INVALID_ORIGIN"),
        ),
        (
            "GET",
            target("websocket", sid),
            "",
            3,
            "Bad request",
            Some("TRANSPORT_MISMATCH"),
        ),
        (
            "GET",
            other_version,
            "",
            3,
            "Bad request",
            Some("PROTOCOL_MISMATCH"),
        ),
        (
            "GET",
            target("websocket", ""),
            "",
            3,
            "Bad request",
            Some("TRANSPORT_HANDSHAKE_ERROR"),
        ),
        ("GET", target("polling", ""), "", 4, "no key", None),
        ("GET", target("websocket", ""), UPGRADE, 4, "no key", None),
        (
            "GET",
            "/engine.io/?EIO=3&transport=polling".to_owned(),
            "x-key: 1\r\n",
            5,
            "Unsupported protocol version",
            None,
        ),
    ];
    for (method, target, headers, code, message, context) in cases {
        let mut http = server.connect();
        http.begin(method, &target, headers).await;
        assert!(http.reply().await.status >= 400);
        let expected = (method.to_owned(), code, message.to_owned(), context);
        assert_eq!(reported.try_recv(), Ok(expected), "{method} {target}");
        assert!(reported.try_recv().is_err());
    }
}
