//! What a socket knows of how its client came.

use socketio::{Config, Event, Hooks, Server};

use crate::client::{Client, PATH};

#[tokio::test(start_paused = true)]
async fn the_request_and_each_sockets_auth_are_known() {
    let io = Server::new();
    for namespace in ["/", "/other"] {
        io.of(namespace).on("who am i", async |ev: Event, ()| {
            let handshake = ev.socket.handshake();
            let auth: serde_json::Value = handshake.auth().unwrap();
            ev.ack((
                handshake.query("user"),
                handshake.header("host"),
                handshake.url(),
                auth,
            ))
        });
    }
    let mut client = Client::open_with(&io, &format!("{PATH}&user=J%C3%BC")).await;
    client.send(r#"40{"a":1}"#).await;
    client.text().await;
    client.join("/other").await;
    let request = r#""Jü","test","/socket.io/?EIO=4&transport=websocket&user=J%C3%BC""#;
    client
        .ask(
            r#"420["who am i"]"#,
            &format!(r#"430[{request},{{"a":1}}]"#),
        )
        .await;
    client
        .ask(
            r#"42/other,0["who am i"]"#,
            &format!("43/other,0[{request},{{}}]"),
        )
        .await;
}

#[tokio::test]
async fn the_address_is_that_of_the_peer() {
    let io = Server::new();
    io.of("/").on("from", async |ev: Event, ()| {
        let handshake = ev.socket.handshake();
        let address = handshake.address().map(|address| address.ip().to_string());
        ev.ack((address, handshake.is_secure()))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = io.clone();
    tokio::spawn(async move { serving.serve_listener(listener).await });
    let mut client = Client::dial(address).await;
    client.join("/").await;
    client
        .ask(r#"420["from"]"#, r#"430["127.0.0.1",false]"#)
        .await;
    client.vanish();
    io.close().await;
}

#[tokio::test(start_paused = true)]
async fn the_request_need_not_be_kept() {
    let io = Server::with_config(Config {
        keep_handshake: false,
        ..Config::default()
    });
    io.of("/").on("who am i", async |ev: Event, ()| {
        let handshake = ev.socket.handshake();
        ev.ack((
            handshake.query("EIO"),
            handshake.headers().count(),
            handshake.url(),
        ))
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"420["who am i"]"#, r#"430[null,0,""]"#).await;
}

#[tokio::test]
async fn hooks_of_the_configuration_see_the_request() {
    let io = Server::with_config(Config {
        hooks: Hooks::default().allow_request(async |request| {
            match request.headers.contains_key("x-key") {
                true => Ok(()),
                false => Err("no key".to_owned()),
            }
        }),
        ..Config::default()
    });
    for (name, status) in [("x-key", 200), ("x-other", 403)] {
        let request = http::Request::get("/socket.io/?EIO=4&transport=polling")
            .header(name, "1")
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = hyper::service::Service::call(&io.service(), request).await;
        assert_eq!(response.unwrap().status(), status, "{name}");
    }
}
