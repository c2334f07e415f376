//! Engine.IO alone, every message comes back: `cargo run -p engineio --example engine_echo`, then with engine.io-client
//! `new Socket("ws://localhost:3000").on("open", …).send("hello")`. `LISTEN` is another address than port 3000.

use std::{env, io, sync::Arc};

use engineio::{
    CloseReason, Config, Frame, Message, Sid,
    server::{Engine, Handler, Link},
};
use tokio::net::TcpListener;

struct Echo;

impl Handler for Echo {
    type Data = ();

    fn on_open(&self, sid: Sid, _request: &http::request::Parts) {
        println!("{sid} is here");
    }

    fn on_message(&self, link: &Arc<Link<Self>>, message: Message) {
        let frame = match message {
            Message::Text(text) => Frame::message(&String::from_utf8_lossy(&text)),
            Message::Binary(data) => Frame::Binary(data),
        };
        if let Err(error) = link.push(&[frame]) {
            println!("{} gets no answer: {error}", link.sid());
        }
    }

    fn on_close(&self, link: &Arc<Link<Self>>, reason: CloseReason) {
        println!("{} left: {reason}", link.sid());
    }
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/engine.io/", listener.local_addr()?);
    Engine::new(Config::default(), Echo).serve(listener).await
}
