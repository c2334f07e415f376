//! Whatever a client emits comes back: `cargo run -p socketio --example echo`, then with the official client
//! `io("http://localhost:3000").onAny(console.log).emit("hello", 1)`. `LISTEN` is another address than port 3000. Ctrl-C and
//! SIGTERM stop it in order, and a second one at once.

use std::{env, io, process, time::Duration};

use socketio::{Args, Event, Server, Socket};

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();

    io.on_connect(async |socket: Socket| {
        println!("{} is here", socket.id());
        socket.on_any(echo);
    });
    io.on_disconnect(async |socket: Socket, why| println!("{} left: {why}", socket.id()));

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    tokio::spawn(stop(io.clone()));
    io.serve(address).await
}

/// Waits for a signal, then sends the clients away little by little; `serve` returns when all are gone.
async fn stop(io: Server) {
    signal().await;
    tokio::spawn(async {
        signal().await;
        process::exit(1);
    });
    io.drain(Duration::from_secs(5)).await;
    io.close().await;
}

/// Ctrl-C, or SIGTERM where there is such a thing.
async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = tokio::signal::ctrl_c() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Answers if the client has asked for an answer, and emits the same event otherwise.
async fn echo(ev: Event, args: Args) -> Result<(), socketio::EmitError> {
    if ev.wants_ack() {
        ev.ack(args)
    } else {
        ev.socket.emit(ev.name(), args)
    }
}
