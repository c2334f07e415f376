//! Counts for a monitoring system: `cargo run -p socketio --example metrics`, then <http://localhost:3000/metrics> in the
//! text format of Prometheus, while clients come and go. `LISTEN` is another address than port 3000.

use std::{env, fmt::Display, io};

use axum::{Router, extract::State, routing::get};
use socketio::{Args, Event, Server};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();
    io.on("echo", async |ev: Event, args: Args| ev.ack(args));

    let app = Router::new()
        .route("/metrics", get(metrics))
        .with_state(io.clone())
        .layer(io.layer());
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    axum::serve(TcpListener::bind(address).await?, app).await
}

async fn metrics(State(io): State<Server>) -> String {
    let namespaces = io.namespaces();
    let sockets = namespaces
        .iter()
        .map(|namespace| namespace.local_adapter().socket_count());
    let now = [
        ("clients", io.engine().clients_count()),
        ("namespaces", namespaces.len()),
        ("sockets", sockets.sum()),
    ];
    let counted = io.counters();
    let so_far = [
        ("protocol_errors", counted.protocol_errors),
        ("mismatched_arguments", counted.mismatched_arguments),
        ("ignored_acks", counted.ignored_acks),
        ("handler_errors", counted.handler_errors),
        ("handler_panics", counted.handler_panics),
    ];
    let gauges = now.map(|(name, value)| metric(name, "gauge", value));
    let counters = so_far.map(|(name, value)| metric(&format!("{name}_total"), "counter", value));
    gauges.concat() + &counters.concat()
}

fn metric(name: &str, kind: &str, value: impl Display) -> String {
    format!("# TYPE socketio_{name} {kind}\nsocketio_{name} {value}\n")
}
