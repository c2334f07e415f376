//! Answers both ways, of one client and of all: `cargo run -p socketio --example acks`, then with the official client
//! `socket.on("name", (answer) => answer("ada"))`. `LISTEN` is another address than port 3000.

use std::{env, io, time::Duration};

use futures_util::StreamExt;
use socketio::{AckError, Event, Server, Socket};

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();

    // The client asks.
    io.on("add", async |ev: Event, (a, b): (f64, f64)| {
        ev.ack((a + b,))
    });

    // The server asks: this handler waits, and others of the same client run meanwhile.
    io.on_connect(async |socket: Socket| {
        let ask = socket.timeout(Duration::from_secs(5));
        let (name,): (String,) = ask.emit_with_ack("name", ()).await?;
        socket.emit("hello", (name,)).map_err(AckError::from)
    });

    // The server asks all of them, and hands on what it hears as it hears it.
    let everybody = io.clone();
    io.on("poll", async move |ev: Event, (question,): (String,)| {
        let (mut yes, mut silent) = (0, 0);
        let ask = everybody.timeout(Duration::from_secs(2));
        let answers = ask.emit_with_ack::<(bool,)>("question", (question,));
        let mut answers = answers.stream()?;
        while let Some(from) = answers.next().await {
            match from.answer {
                Ok((is_yes,)) => {
                    yes += u32::from(is_yes);
                    everybody.emit("so far", (yes,))?;
                }
                Err(_) => silent += 1, // late, gone, or not a boolean
            }
        }
        ev.ack((yes, silent))
    });

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}
