//! The examples, over real connections.

use std::{future::Future, io, net::SocketAddr};

use ::axum::{Router, routing::get};
use socketio::{Args, ClientBundle, Config, Event, Server, Socket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::client::Client;

#[path = "../../examples/axum.rs"]
#[expect(dead_code, reason = "its main is for those who run it")]
mod axum;
#[path = "../../examples/hyper.rs"]
#[expect(dead_code, reason = "its main is for those who run it")]
mod hyper;

/// Runs an example until the test is over.
async fn run<F>(serve: impl FnOnce(TcpListener) -> F) -> SocketAddr
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener));
    address
}

/// One request, as bytes; status and body of the answer.
async fn request(address: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

async fn speaks_socket_io(address: SocketAddr, welcome: &str) {
    let mut client = Client::dial(address).await;
    client.join("/").await;
    client
        .expect(&format!(r#"42["welcome","{welcome}"]"#))
        .await;
    client
        .ask(r#"421["echo",{"a":[1]},"b"]"#, r#"431[{"a":[1]},"b"]"#)
        .await;
}

async fn speaks_long_polling(address: SocketAddr, welcome: &str) {
    let path = "/socket.io/?EIO=4&transport=polling";
    let (status, open) = request(address, &format!("GET {path}"), "").await;
    assert_eq!(status, 200);
    let sid = open.split('"').nth(3).unwrap();
    let path = format!("{path}&sid={sid}");
    let ok = (200, "ok".to_owned());
    assert_eq!(request(address, &format!("POST {path}"), "40").await, ok);
    let (_, mut answers) = request(address, &format!("GET {path}"), "").await;
    while !answers.contains("welcome") {
        answers += &request(address, &format!("GET {path}"), "").await.1;
    }
    assert!(answers.starts_with(r#"40{"sid":""#), "{answers}");
    assert!(
        answers.ends_with(&format!(r#"42["welcome","{welcome}"]"#)),
        "{answers}"
    );
    assert_eq!(
        request(address, &format!("POST {path}"), r#"421["echo",1]"#).await,
        ok
    );
    let answer = request(address, &format!("GET {path}"), "").await;
    assert_eq!(answer, (200, "431[1]".to_owned()));
}

#[tokio::test]
async fn in_a_plain_hyper_server_beside_other_routes() {
    let address = run(hyper::serve).await;
    assert_eq!(
        request(address, "GET /", "").await,
        (200, "hello from hyper".to_owned())
    );
    assert_eq!(
        request(address, "GET /nowhere", "").await,
        (404, "no such page".to_owned())
    );
    speaks_socket_io(address, "from hyper").await;
    speaks_long_polling(address, "from hyper").await;
}

#[tokio::test]
async fn in_an_axum_router_that_shares_its_state() {
    let address = run(axum::serve).await;
    assert_eq!(
        request(address, "GET /", "").await,
        (200, "0 echoes so far".to_owned())
    );
    speaks_socket_io(address, "from axum").await;
    speaks_long_polling(address, "from axum").await;
    assert_eq!(
        request(address, "GET /", "").await,
        (200, "2 echoes so far".to_owned())
    );
    assert_eq!(request(address, "GET /nowhere", "").await.0, 404);
}

#[tokio::test]
async fn as_routes_of_an_axum_router_with_the_scripts() {
    let address = run(|listener| async {
        let io = Server::with_config(Config {
            serve_client: Some(ClientBundle::new().file("socket.io.js", "io();")),
            ..Config::default()
        });
        io.on_connect(async |socket: Socket| socket.emit("welcome", ("from a route",)))
            .on("echo", async |ev: Event, args: Args| ev.ack(args));
        let router = Router::new()
            .route("/", get(async || "a page"))
            .route_service("/socket.io/", io.service())
            .route_service("/socket.io/{*rest}", io.service());
        ::axum::serve(listener, router).await
    })
    .await;
    assert_eq!(
        request(address, "GET /socket.io/socket.io.js", "").await,
        (200, "io();".to_owned())
    );
    assert_eq!(
        request(address, "GET /", "").await,
        (200, "a page".to_owned())
    );
    speaks_socket_io(address, "from a route").await;
    speaks_long_polling(address, "from a route").await;
    assert_eq!(request(address, "GET /nowhere", "").await.0, 404);
}

#[tokio::test]
async fn alone_on_a_port_it_answers_other_paths_with_404_and_its_own() {
    let address = run(|listener| async move { Server::new().serve_listener(listener).await }).await;
    for target in ["GET /", "GET /engine.io/?EIO=4&transport=polling"] {
        assert_eq!(
            request(address, target, "").await,
            (404, "the path of this server is /socket.io/\n".to_owned())
        );
    }
    let opening = "GET /socket.io/?EIO=4&transport=polling";
    assert_eq!(request(address, opening, "").await.0, 200);
}
