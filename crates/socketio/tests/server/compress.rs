//! Which long-polling bodies are compressed.

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, service::Service};
use socketio::{Server, Socket};

const PATH: &str = "/socket.io/?EIO=4&transport=polling";

async fn ask(io: &Server, request: Request<Full<Bytes>>) -> (Option<String>, Bytes) {
    let response = io.service().call(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let encoding = response.headers().get("content-encoding");
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    (
        encoding,
        response.into_body().collect().await.unwrap().to_bytes(),
    )
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let request = Request::get(path).header("accept-encoding", "gzip");
    request.body(Full::default()).unwrap()
}

/// Whether the body is compressed in which a client gets what is emitted.
async fn is_compressed(emit: impl FnOnce(&Server, &Socket)) -> bool {
    let io = Server::new();
    io.of("/");
    let (_, open) = ask(&io, get(PATH)).await;
    let sid = str::from_utf8(&open)
        .unwrap()
        .split('"')
        .nth(3)
        .unwrap()
        .to_owned();
    let path = format!("{PATH}&sid={sid}");
    let connect = Request::post(&path).body(Full::from("40")).unwrap();
    assert_eq!(ask(&io, connect).await.1, "ok");
    let (_, reply) = ask(&io, get(&path)).await;
    assert!(reply.starts_with(b"40{"), "{reply:?}");
    let socket = io.of("/").sockets().remove(0);
    emit(&io, &socket);
    let (encoding, body) = ask(&io, get(&path)).await;
    assert!(body.len() > 20, "{body:?}");
    encoding.as_deref() == Some("gzip")
}

fn long() -> (String,) {
    ("x".repeat(2_000),)
}

#[tokio::test]
async fn a_long_body_is_compressed_by_itself() {
    assert!(is_compressed(|_, socket| socket.emit("a", long()).unwrap()).await);
    assert!(is_compressed(|_, socket| socket.compress(true).emit("a", long()).unwrap()).await);
    assert!(is_compressed(|io, _| io.compress(true).emit("a", long()).unwrap()).await);
}

#[tokio::test]
async fn an_event_for_which_it_is_not_worth_it_goes_as_it_is_whoever_emits_it() {
    assert!(!is_compressed(|_, socket| socket.compress(false).emit("a", long()).unwrap()).await);
    assert!(!is_compressed(|io, _| io.compress(false).emit("a", long()).unwrap()).await);
    assert!(!is_compressed(|io, _| io.of("/").compress(false).emit("a", long()).unwrap()).await);
    assert!(
        !is_compressed(|io, socket| {
            io.to(socket.id())
                .compress(false)
                .emit("a", long())
                .unwrap();
        })
        .await
    );
    assert!(
        !is_compressed(|_, socket| {
            drop(socket.compress(false).emit_with_ack::<()>("a", long()));
        })
        .await
    );
    assert!(
        !is_compressed(|io, _| drop(io.compress(false).emit_with_ack::<()>("a", long()))).await
    );
}

#[tokio::test]
async fn one_event_for_which_it_is_worth_it_compresses_the_whole_body() {
    let both = |_: &Server, socket: &Socket| {
        socket.compress(false).emit("a", long()).unwrap();
        socket.emit("b", ()).unwrap();
    };
    assert!(is_compressed(both).await);
}
