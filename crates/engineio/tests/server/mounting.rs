//! The server within other servers.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use engineio::Config;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Bytes, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower_layer::Layer as _;

use crate::support::{Http, Server, target, websocket_on};

#[tokio::test]
async fn a_layer_passes_other_paths_on() {
    let server = Server::echo(Config::default());
    let inner = service_fn(async |request: Request<hyper::body::Incoming>| {
        let path = request.uri().path().to_owned();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(path))))
    });
    let service = server.engine.layer().layer(inner);
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(theirs), service));
    let mut http = Http::new(ours);
    http.get("/other?x").await.assert(200, "/other");
    http.get("/engine.io").await.assert(200, "/engine.io");
    let open = http.get(&target("polling", "")).await;
    assert!(open.body.starts_with("0{"), "{open:?}");
}

/// A service of tower's kind that is never ready, and so never to be called.
#[derive(Clone)]
struct NeverReady;

impl tower_service::Service<Request<Full<Bytes>>> for NeverReady {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _request: Request<Full<Bytes>>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn a_tower_layer_is_ready_when_its_inner_service_is() {
    use tower_service::Service;
    let server = Server::echo(Config::default());
    let mut service = server.engine.layer().layer(NeverReady);
    let ready = std::future::poll_fn(|context| {
        Poll::Ready(Service::<Request<Full<Bytes>>>::poll_ready(
            &mut service,
            context,
        ))
    });
    assert!(ready.await.is_pending());
}

#[tokio::test]
async fn the_service_alone_answers_other_paths_with_404() {
    let server = Server::echo(Config::default());
    server
        .connect()
        .get("/other")
        .await
        .assert(404, "the path of this server is /engine.io/\n");
}

#[tokio::test]
async fn axum_routes_to_the_service() {
    let server = Server::echo(Config::default());
    let app = axum::Router::new()
        .route("/other", axum::routing::get(async || "other"))
        .route_service("/engine.io/", server.engine.service());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let connect = async || tokio::net::TcpStream::connect(address).await.unwrap();

    let mut http = Http::new(connect().await);
    http.get("/other").await.assert(200, "other");
    let open = http.get(&target("polling", "")).await;
    let sid = open.body.split('"').nth(3).unwrap();
    let polling = target("polling", sid);
    http.post(&polling, "4a").await.assert(200, "ok");
    http.get(&polling).await.assert(200, "4a");
    let mut socket = websocket_on(connect().await, &target("websocket", sid))
        .await
        .unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    socket.send("5").await;
    socket.send("4b").await;
    assert_eq!(socket.receive().await, "4b");
}
