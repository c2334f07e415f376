//! Namespaces made by the program and by its clients: `cargo run -p socketio --example namespaces`, then with the official
//! client `io("http://localhost:3000/game-7")`. `LISTEN` is another address than port 3000.

use std::{env, io};

use serde::Deserialize;
use socketio::{ConnectError, Event, Server, Socket};

#[derive(Deserialize)]
struct Admin {
    password: String,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();

    // Handlers, middlewares and rooms of a namespace are its own.
    io.on("where", async |ev: Event, ()| {
        ev.ack((ev.socket.namespace(),))
    });
    let games = io.of_matching(|name| {
        let number = name.strip_prefix("/game-");
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    });

    // What is registered on the parent is there in each of them.
    games
        .on_connect(async |socket: Socket| {
            let others = socket.broadcast();
            others.emit("player", (socket.id(),))
        })
        .on("where", async |ev: Event, ()| {
            ev.ack((ev.socket.namespace(),))
        });
    io.on_new_namespace(|namespace| println!("{} is there", namespace.name()));

    let server = io.clone();
    io.of("/admin")
        .middleware(async |_: Socket, admin: Admin| match &*admin.password {
            "let me in" => Ok(()),
            _ => Err(ConnectError::new("wrong password")),
        })
        .on("announce", async move |ev: Event, (text,): (String,)| {
            games.emit("announcement", (text,))?; // to all players of all games
            let names = server.namespaces().into_iter();
            let mut names: Vec<_> = names.map(|namespace| namespace.name().to_owned()).collect();
            names.sort();
            ev.ack((names,))
        });

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}
