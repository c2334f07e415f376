//! Measures the heap that an idle WebSocket session costs: `cargo run --release -p engineio --example idle_heap`.
//!
//! The clients are another process, so that only the server's memory is counted. With the argument `polling` it
//! measures sessions on long-polling, each with a parked request, whose connections the HTTP library holds.

use std::{
    env, io,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Command, Stdio},
    sync::Arc,
};

use engineio::{
    CloseReason, Config, Message, Sid,
    server::{Engine, Handler, Link},
};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CLIENTS: usize = 1_000;

struct Silent;

impl Handler for Silent {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {}

    fn on_message(&self, _link: &Arc<Link<Self>>, _message: Message) {}

    fn on_close(&self, _link: &Arc<Link<Self>>, _reason: CloseReason) {}
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["clients", address, transport] => {
            be_clients(address.parse().expect("an address"), transport)
        }
        [] => measure("websocket"),
        [transport] => measure(transport),
        _ => Err(io::Error::other("usage: idle_heap [websocket|polling]")),
    }
}

#[tokio::main]
async fn measure(transport: &str) -> io::Result<()> {
    let _profiler = dhat::Profiler::builder().testing().build();
    let engine = Engine::new(Config::default(), Silent);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn({
        let engine = engine.clone();
        async move { engine.serve(listener).await }
    });
    // What the first session costs once for all is not counted.
    let mut warm = clients(address, transport)?;
    let mut counts = Vec::new();
    for _ in 0..2 {
        let before = dhat::HeapStats::get().curr_bytes;
        let child = tokio::task::spawn_blocking({
            let transport = transport.to_owned();
            move || clients(address, &transport)
        });
        let mut child = child.await.expect("not cancelled")?;
        let per_session = (dhat::HeapStats::get().curr_bytes - before) / CLIENTS;
        counts.push(per_session);
        child.kill()?;
        while engine.clients_count() > CLIENTS {
            tokio::task::yield_now().await;
        }
    }
    println!("{CLIENTS} idle sessions by {transport}: {counts:?} bytes of heap each");
    warm.kill()
}

fn clients(address: SocketAddr, transport: &str) -> io::Result<std::process::Child> {
    let mut child = Command::new(env::current_exe()?)
        .args(["clients", &address.to_string(), transport])
        .stdout(Stdio::piped())
        .spawn()?;
    let ready = child.stdout.take().expect("piped");
    BufReader::new(ready).read_line(&mut String::new())?;
    Ok(child)
}

fn be_clients(address: SocketAddr, transport: &str) -> io::Result<()> {
    let mut open = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(address)?;
        let upgrade = match transport {
            "websocket" => {
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            }
            _ => "",
        };
        write!(
            stream,
            "GET /engine.io/?EIO=4&transport={transport} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n"
        )?;
        let mut received = Vec::new();
        while !received.ends_with(b"}") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            received.push(byte[0]);
        }
        if transport == "polling" {
            let text = String::from_utf8_lossy(&received).into_owned();
            let sid = text
                .split("\"sid\":\"")
                .nth(1)
                .and_then(|rest| rest.get(..20))
                .expect("an open packet");
            write!(
                stream,
                "GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )?;
        }
        open.push(stream);
    }
    println!("ready");
    // Until the measuring process ends this one.
    loop {
        std::thread::park();
    }
}
