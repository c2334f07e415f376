//! Files that clients send each other: `cargo run -p socketio --example binary`, then with the official client
//! `emit("upload", { name: "a.bin", data: new Uint8Array([1, 2]) })`. `LISTEN` is another address than port 3000.

use std::{
    collections::VecDeque,
    env, io,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use socketio::{Binary, Event, Server};

/// Bytes may stand anywhere in the arguments, and any number of times.
#[derive(Clone, Serialize, Deserialize)]
struct File {
    name: String,
    data: Binary,
}

/// What clients send has a bound, as everything should that they fill.
const KEPT: usize = 10;

#[tokio::main]
async fn main() -> io::Result<()> {
    let io = Server::new();
    let files = Arc::new(Mutex::new(VecDeque::<File>::new()));

    let kept = files.clone();
    io.on("upload", async move |ev: Event, (file,): (File,)| {
        {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(file.clone()); // no copy of the bytes
            if kept.len() > KEPT {
                kept.pop_front();
            }
        }
        ev.ack((file.data.len(),))?;
        ev.socket.broadcast().emit("file", (file,))
    });

    io.on("download", async move |ev: Event, (name,): (String,)| {
        let kept = files.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().rev().find(|file| file.name == name).cloned();
        drop(kept);
        ev.ack((found,)) // bytes in an answer, or null
    });

    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    println!("listening on http://{address}");
    io.serve(address).await
}
