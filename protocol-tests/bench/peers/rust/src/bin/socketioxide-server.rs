//! socketioxide, alone on hyper as its own examples have it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::{SocketIo, SocketIoBuilder};
use tokio::net::TcpListener;

/// What the scenario of the object sends.
#[derive(Debug, Serialize, Deserialize)]
struct Item {
    active: bool,
    author: String,
    body: String,
    count: u64,
    id: String,
    tags: Vec<String>,
}

fn main() -> io::Result<()> {
    bench_peers::run(serve)
}

async fn serve(port: u16, ping_interval: Duration) -> io::Result<()> {
    let (service, io): (_, SocketIo) = SocketIoBuilder::new()
        .max_buffer_size(10_000)
        .ping_interval(ping_interval)
        .build_svc();
    io.ns("/", connected);

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // A client that goes away is none of our business.
            served.await.ok();
        });
    }
}

async fn connected(socket: SocketRef) {
    socket.on("echo", async |ack: AckSender, Data::<String>(text)| {
        ack.send(&text).ok();
    });
    socket.on("object", async |ack: AckSender, Data::<Item>(item)| {
        ack.send(&item).ok();
    });
    socket.on("binary", async |ack: AckSender, Data::<Bytes>(data)| {
        ack.send(&data).ok();
    });
    socket.on("broadcast", async |io: SocketIo, Data::<String>(text)| {
        io.emit("broadcast", &text).await.ok();
    });
    socket.on(
        "join",
        async |socket: SocketRef, ack: AckSender, Data::<String>(room)| {
            socket.join(room.clone());
            ack.send(&room).ok();
        },
    );
    socket.on(
        "room",
        async |io: SocketIo, Data::<(String, String)>((room, text))| {
            io.to(room).emit("room", &text).await.ok();
        },
    );
}
