//! Ids of sessions that the application makes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use engineio::{CloseReason, Config, server::Hooks};
use tokio::sync::{Semaphore, mpsc};
use tokio_tungstenite::tungstenite;

use crate::support::{Server, Told, soon, target, websocket_on};

const BAD_REQUEST: &str = r#"{"code":3,"message":"Bad request"}"#;
const UUID: &str = "9c5b94b1-35ad-49bb-b118-8e8fc24abf80";

/// A server whose ids are these, in order, and what it was told of handshakes that failed.
fn server(
    ids: &[Result<&str, &str>],
) -> (Server, mpsc::UnboundedReceiver<(u8, Option<&'static str>)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let own = |id: &Result<&str, &str>| id.map(str::to_owned).map_err(str::to_owned);
    let ids: Mutex<Vec<_>> = Mutex::new(ids.iter().rev().map(own).collect());
    let hooks = Hooks::default()
        .generate_id(move |_request| std::future::ready(ids.lock().unwrap().pop().unwrap()))
        .connection_error(move |error| {
            tell.send((error.code, error.context.map(|context| context.as_str())))
                .unwrap();
        });
    (Server::with_hooks(Config::default(), hooks), told)
}

#[tokio::test]
async fn a_session_has_the_id_that_was_made_for_it_on_both_transports() {
    let dots = "a.b_c~d-1";
    let (mut server, _) = server(&[Ok(UUID), Ok(dots)]);
    let mut http = server.connect();
    let open = http.get(&target("polling", "")).await;
    assert!(
        open.body.starts_with(&format!(r#"0{{"sid":"{UUID}","#)),
        "{open:?}"
    );
    assert_eq!(server.told().await, Told::Open(UUID.parse().unwrap()));
    http.post(&target("polling", UUID), "4hi")
        .await
        .assert(200, "ok");
    assert_eq!(server.message().await, "hi");
    let pipe = server.pipe(64 * 1024);
    let mut probe = websocket_on(pipe, &target("websocket", UUID))
        .await
        .unwrap();
    probe.send("2probe").await;
    assert_eq!(probe.receive().await, "3probe");

    let mut direct = server.websocket_through(64 * 1024).await;
    assert!(
        direct
            .receive()
            .await
            .starts_with(&format!(r#"0{{"sid":"{dots}","#))
    );
}

#[tokio::test]
async fn an_id_may_take_its_time_and_be_made_of_the_request() {
    let (gate, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let hooks = Hooks::default().generate_id({
        let (gate, asked) = (gate.clone(), asked.clone());
        move |request: http::request::Parts| {
            let (gate, asked) = (gate.clone(), asked.clone());
            async move {
                asked.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                let region = request.headers["x-region"].to_str().unwrap().to_owned();
                Ok(format!("{region}-1"))
            }
        }
    });
    let server = Server::with_hooks(Config::default(), hooks);
    let mut http = server.connect();
    http.begin("GET", &target("polling", ""), "x-region: north\r\n")
        .await;
    while asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.engine.clients_count(), 0);
    gate.add_permits(1);
    let open = http.reply().await;
    assert!(open.body.starts_with(r#"0{"sid":"north-1","#), "{open:?}");
}

#[tokio::test]
async fn a_handshake_without_an_id_is_a_bad_request() {
    let long = "a".repeat(129);
    for id in [
        Err("the database is away"),
        Ok(""),
        Ok("a b"),
        Ok("a/b"),
        Ok("ä"),
        Ok(&*long),
    ] {
        let (mut server, mut errors) = server(&[id, id]);
        server
            .connect()
            .get(&target("polling", ""))
            .await
            .assert(400, BAD_REQUEST);
        let refused = websocket_on(server.pipe(64 * 1024), &target("websocket", "")).await;
        let Err(tungstenite::Error::Http(response)) = refused else {
            panic!("not refused")
        };
        assert_eq!(response.status(), 400);
        for _ in 0..2 {
            assert_eq!(errors.recv().await, Some((3, Some("ID_GENERATION_ERROR"))));
        }
        assert_eq!(server.told_so_far(), []);
    }
}

#[tokio::test]
async fn an_id_belongs_to_one_session_at_a_time() {
    let (mut server, mut errors) = server(&[Ok("mine"); 4]);
    let mut http = server.connect();
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
    http.get(&target("polling", ""))
        .await
        .assert(400, BAD_REQUEST);
    let direct = websocket_on(server.pipe(64 * 1024), &target("websocket", "")).await;
    assert!(matches!(direct, Err(tungstenite::Error::Http(_))));
    for _ in 0..2 {
        assert_eq!(errors.recv().await, Some((3, Some("ID_GENERATION_ERROR"))));
    }
    http.post(&target("polling", "mine"), "4still there")
        .await
        .assert(200, "ok");
    assert_eq!(server.message().await, "still there");
    http.post(&target("polling", "mine"), "1")
        .await
        .assert(200, "ok");
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
}

#[tokio::test]
async fn an_id_is_taken_from_the_moment_it_is_made_and_free_if_no_session_comes_of_it() {
    let (server, _errors) = server(&[Ok("mine"); 1_000]);
    // Its connection changes over when the answer has been read, and is given up before.
    let mut narrow = server.connect_with_capacity(1);
    let key = "sec-websocket-version: 13\r\nsec-websocket-key: AAECAwQFBgcICQoLDA0ODw==\r\n";
    let upgrade = format!("connection: Upgrade\r\nupgrade: websocket\r\n{key}");
    narrow
        .begin("GET", &target("websocket", ""), &upgrade)
        .await;
    let mut http = server.connect();
    http.get(&target("polling", ""))
        .await
        .assert(400, BAD_REQUEST);
    drop(narrow);
    soon(async {
        while http.get(&target("polling", "")).await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
