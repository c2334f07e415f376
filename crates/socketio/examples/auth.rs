//! Clients that must say who they are: `cargo run -p socketio --example auth`, then with the official client
//! `io("http://localhost:3000", { auth: { token: "ada-secret" } })`. `LISTEN` is another address than port 3000.

use std::{env, io};

use serde::Deserialize;
use serde_json::json;
use socketio::{ConnectError, Event, Server, Socket};

/// What a client says in its `auth` option.
#[derive(Deserialize)]
struct Login {
    token: String,
}

/// What the socket keeps of it.
struct User {
    name: &'static str,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();

    io.middleware(async |socket: Socket, login: Option<Login>| {
        let Some(login) = login else {
            return Err(ConnectError::new("who are you?"));
        };
        let user = find(&login.token).await;
        let why = json!({ "code": "unknown token" }); // `error.data` of the client
        let user = user.ok_or_else(|| ConnectError::new("unauthorized").with_data(why))?;
        // Each user has a room, so that all their devices can be reached, or sent away.
        let _ = socket.join(user.name);
        socket.set(user);
        Ok(())
    })
    .on("whoami", async |ev: Event, ()| {
        ev.ack(ev.socket.data::<User>().map(|user| (user.name,)))
    });

    let devices = io.clone();
    io.on("sign out everywhere", async move |ev: Event, ()| {
        if let Some(user) = ev.socket.data::<User>() {
            devices.to(user.name).close_sockets();
        }
    });

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}

/// Stands for a database.
async fn find(token: &str) -> Option<User> {
    let users = [("ada-secret", "ada"), ("bob-secret", "bob")];
    let (_, name) = users.into_iter().find(|(secret, _)| *secret == token)?;
    Some(User { name })
}
