//! Rooms that clients join and talk in: `cargo run -p socketio --example rooms`, then with two official clients
//! `emit("join", "tea")`, and one of them `emit("say", "tea", "hello")`. `LISTEN` is another address than port 3000.

use std::{env, io};

use socketio::{EmitError, Event, JoinError, Server, Socket};

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();

    io.on("join", join).on("say", say).on("leave", leave);

    // Who is in a room, on whichever server of a cluster.
    let everybody = io.clone();
    io.on("who", async move |ev: Event, (room,): (String,)| {
        let Ok(found) = everybody.to(room).fetch_sockets().await else {
            return ev.ack(()); // a server of the cluster does not answer
        };
        let ids: Vec<_> = found.iter().map(|socket| socket.id().to_owned()).collect();
        ev.ack((ids,))
    });

    // The rooms are still known when a socket is about to leave them.
    io.on_disconnecting(async |socket: Socket, _| {
        let rooms = socket.rooms();
        socket.to(rooms).emit("left", (socket.id(),))
    });

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}

async fn join(ev: Event, (room,): (String,)) -> Result<(), JoinError> {
    ev.socket.join(&room)?;
    // Nobody waits for the news, so nothing is to be done if they cannot be told.
    let _ = ev.socket.to(room).emit("joined", (ev.socket.id(),));
    let _ = ev.ack(());
    Ok(())
}

/// To all others in the room.
async fn say(ev: Event, (room, text): (String, String)) -> Result<(), EmitError> {
    ev.socket.to(room).emit("said", (ev.socket.id(), text))
}

async fn leave(ev: Event, (room,): (String,)) -> Result<(), EmitError> {
    ev.socket.leave(&room);
    ev.socket.to(room).emit("left", (ev.socket.id(),))?;
    ev.ack(())
}
