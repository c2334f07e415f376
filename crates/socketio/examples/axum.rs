//! Socket.IO in an axum router, sharing its state with the other routes: `cargo run -p socketio --example axum`, then
//! `emitWithAck("echo", 1)` and <http://localhost:3000>. `LISTEN` is another address than port 3000.

use std::{
    env, io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, extract::State, routing::get};
use socketio::{Args, Event, Server, Socket};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    serve(TcpListener::bind(address).await?).await
}

/// Serves until the listener fails.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let echoes = Arc::new(AtomicU64::new(0));

    let io = Server::new();
    let counter = echoes.clone();
    io.of("/")
        .on_connect(async |socket: Socket| socket.emit("welcome", ("from axum",)))
        .on("echo", async move |ev: Event, args: Args| {
            counter.fetch_add(1, Ordering::Relaxed);
            ev.ack(args)
        });

    let app = Router::new()
        .route("/", get(index))
        .with_state(echoes)
        .layer(io.layer());
    axum::serve(listener, app).await
}

async fn index(State(echoes): State<Arc<AtomicU64>>) -> String {
    format!("{} echoes so far", echoes.load(Ordering::Relaxed))
}
