//! Measures the heap that an idle session costs: `cargo run --release -p socketio --example idle_heap`.
//!
//! It prints three figures: a WebSocket of Engine.IO alone, one with a socket in the main namespace, and a session on
//! long-polling with its request parked, whose connection the HTTP library holds. The clients are other processes, so
//! that only the server's memory is counted.

use std::{
    env, io,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use engineio::{
    CloseReason, Config, Message, Sid,
    server::{Engine, Handler, Link},
};

use socketio::{Server, Socket};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

const CLIENTS: usize = 1_000;

#[derive(Clone, Copy)]
enum Kind {
    EngineWebSocket,
    SocketWebSocket,
    EnginePolling,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::EngineWebSocket => "Engine.IO by WebSocket",
            Self::SocketWebSocket => "Socket.IO by WebSocket",
            Self::EnginePolling => "Engine.IO by long-polling",
        }
    }

    fn transport(self) -> &'static str {
        match self {
            Self::EngineWebSocket | Self::SocketWebSocket => "websocket",
            Self::EnginePolling => "polling",
        }
    }
}

struct Silent;

impl Handler for Silent {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {}

    fn on_message(&self, _link: &Arc<Link<Self>>, _message: Message) {}

    fn on_close(&self, _link: &Arc<Link<Self>>, _reason: CloseReason) {}
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [address, kind] = &arguments[..] {
        return be_clients(address, kind);
    }
    let _profiler = dhat::Profiler::builder().testing().build();
    let config = Config {
        path: "/socket.io".to_owned(),
        ..Config::default()
    };
    let engine = Engine::new(config, Silent);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn({
        let engine = engine.clone();
        async move { engine.serve(listener).await }
    });
    measure(Kind::EngineWebSocket, address, || engine.clients_count()).await?;
    measure(Kind::EnginePolling, address, || engine.clients_count()).await?;

    let io = Server::new();
    io.of("/").on_connect(async |_socket: Socket| {});
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn({
        let io = io.clone();
        async move { io.serve_listener(listener).await }
    });
    measure(Kind::SocketWebSocket, address, || {
        io.engine().clients_count()
    })
    .await
}

/// The second thousand is counted: the first one also pays for what a server has once.
async fn measure(kind: Kind, address: SocketAddr, count: impl Fn() -> usize) -> io::Result<()> {
    let mut first = clients(kind, address).await?;
    let before = dhat::HeapStats::get().curr_bytes;
    let mut second = clients(kind, address).await?;
    let bytes = (dhat::HeapStats::get().curr_bytes - before) / CLIENTS;
    println!(
        "{}: {bytes} bytes of heap for each of {CLIENTS} idle sessions",
        kind.name()
    );
    first.kill()?;
    second.kill()?;
    while count() > 0 {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn clients(kind: Kind, address: SocketAddr) -> io::Result<Child> {
    let start = move || {
        let mut child = Command::new(env::current_exe()?)
            .args([&address.to_string(), kind.name()])
            .stdout(Stdio::piped())
            .spawn()?;
        let ready = child.stdout.take().expect("piped");
        BufReader::new(ready).read_line(&mut String::new())?;
        Ok(child)
    };
    tokio::task::spawn_blocking(start)
        .await
        .expect("not cancelled")
}

fn be_clients(address: &str, kind: &str) -> io::Result<()> {
    let kinds = [
        Kind::EngineWebSocket,
        Kind::SocketWebSocket,
        Kind::EnginePolling,
    ];
    let kind = kinds
        .into_iter()
        .find(|known| known.name() == kind)
        .expect("one of the kinds");
    let open: io::Result<Vec<TcpStream>> = (0..CLIENTS).map(|_| be_client(address, kind)).collect();
    let _open = open?;
    println!("ready");
    // Until the measuring process ends this one.
    loop {
        std::thread::park();
    }
}

fn be_client(address: &str, kind: Kind) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    let transport = kind.transport();
    let upgrade = match kind {
        Kind::EnginePolling => "",
        Kind::EngineWebSocket | Kind::SocketWebSocket => {
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        }
    };
    write!(
        stream,
        "GET /socket.io/?EIO=4&transport={transport} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n"
    )?;
    let open = read_to_brace(&mut stream)?;
    match kind {
        Kind::EngineWebSocket => {}
        // A text frame with the mask 0: `40`, which joins the main namespace.
        Kind::SocketWebSocket => {
            stream.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0'])?;
            read_to_brace(&mut stream)?;
        }
        Kind::EnginePolling => {
            let sid = open
                .split("\"sid\":\"")
                .nth(1)
                .and_then(|rest| rest.get(..20))
                .expect("an open packet");
            write!(
                stream,
                "GET /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )?;
        }
    }
    Ok(stream)
}

fn read_to_brace(stream: &mut TcpStream) -> io::Result<String> {
    let mut received = Vec::new();
    while !received.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        received.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&received).into_owned())
}
