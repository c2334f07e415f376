//! Whatever a client emits comes back: `cargo run -p socketio --example echo`, then with the official client
//! `io("http://localhost:3000").onAny(console.log).emit("hello", 1)`. `LISTEN` is another address than port 3000.

use std::{env, io};

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
    io.serve(address).await
}

/// Answers if the client has asked for an answer, and emits the same event otherwise.
async fn echo(ev: Event, args: Args) -> Result<(), socketio::EmitError> {
    if ev.wants_ack() {
        ev.ack(args)
    } else {
        ev.socket.emit(ev.name(), args)
    }
}
