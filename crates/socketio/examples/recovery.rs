//! Clients that are cut off come back as who they were: `cargo run -p socketio --example recovery`, then with an official
//! client `emit("sign in", "somebody")` and `io.engine.close()`, and `socket.recovered` is true when it is back. `LISTEN`
//! is another address than port 3000.

use std::{env, io, time::Duration};

use socketio::{Config, EmitError, Event, JoinError, Recovery, Server, Socket};

/// What is kept on a socket comes back with it.
struct Name(String);

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::with_config(Config {
        connection_state_recovery: Some(Recovery {
            max_disconnection_duration: Duration::from_secs(60),
            ..Recovery::default()
        }),
        ..Config::default()
    });

    io.on_connect(async |socket: Socket| greet(&socket));
    io.on("sign in", sign_in).on("say", say);

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}

/// The rooms of a recovered socket are those it was in, and what was said in them meanwhile is on its way.
fn greet(socket: &Socket) -> Result<(), EmitError> {
    match socket.data::<Name>() {
        Some(name) if socket.recovered() => socket.emit("welcome back", (&name.0,)),
        _ => socket.emit("who are you?", ()),
    }
}

async fn sign_in(ev: Event, (name,): (String,)) -> Result<(), JoinError> {
    ev.socket.set(Name(name));
    ev.socket.join("lounge")?;
    // A client that has gone is told when it is back.
    let _ = ev.ack(());
    Ok(())
}

async fn say(ev: Event, (text,): (String,)) -> Result<(), EmitError> {
    let name = ev.socket.data::<Name>();
    let name = name.as_ref().map_or("somebody", |name| &name.0);
    ev.socket.to("lounge").emit("said", (name, text))
}
