//! Socket.IO in a plain hyper server, beside other routes: `cargo run -p socketio --example hyper`, then
//! `emitWithAck("echo", 1)` and <http://localhost:3000>. `LISTEN` is another address than port 3000.

use std::{convert::Infallible, env, io};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use socketio::{Args, Event, Server, Socket};
use tokio::net::TcpListener;
use tower_layer::Layer;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    serve(TcpListener::bind(address).await?).await
}

/// Serves until the listener fails.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let io = Server::new();
    io.of("/")
        .on_connect(async |socket: Socket| socket.emit("welcome", ("from hyper",)))
        .on("echo", async |ev: Event, args: Args| ev.ack(args));

    // Requests below `/socket.io/` go to the server, all others to the pages.
    let app = io.layer().layer(service_fn(pages));
    loop {
        let (stream, _) = listener.accept().await?;
        let app = app.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), app)
                .with_upgrades();
            if let Err(error) = connection.await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

async fn pages(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match request.uri().path() {
        "/" => (StatusCode::OK, "hello from hyper"),
        _ => (StatusCode::NOT_FOUND, "no such page"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}
