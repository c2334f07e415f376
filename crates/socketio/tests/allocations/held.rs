//! The bytes that sessions hold on the heap: when they are quiet, and when they were busy or are gone.
//!
//! The connections are pipes within the process. Their buffers are counted as far as they were used, with less than a
//! kilobyte; what a socket of the system would take from the runtime is not: 256 bytes.

use std::time::Duration;

use dhat::HeapStats;
use socketio::{Config, Server, Socket};
use tokio::time::sleep;

use super::{
    peer::{self, Pipe},
    server,
};

/// The most bytes that one may hold who has joined the main namespace by WebSocket and says nothing.
const MOST_OF_A_WEBSOCKET: usize = 2_400;

/// What may be left for one that has gone: the tables keep a little, and a thread its buffers, however many there were.
const MOST_LEFT: usize = 60;

const SESSIONS: usize = 1_000;

/// Those that come first and stay.
const FIRST: usize = 4;

/// What a pipe holds each way: enough for a handshake, and for what is sent here.
const PIPE: usize = 2 * 1024;

pub fn check() {
    server::runtime().block_on(async {
        let io = server::server(Config::default());
        io.of("/")
            .on_connect(async |socket: Socket| socket.join("room").unwrap());
        // What a server has once is there.
        let first = connect(&io, FIRST).await;
        let before = held();
        let mut pipes = connect(&io, SESSIONS).await;
        let pipe = of_a_pipe();
        let idle = (held() - before) / SESSIONS - pipe;
        println!("{idle} bytes for an idle WebSocket; its pipe has {pipe}");
        assert!(idle <= MOST_OF_A_WEBSOCKET, "{idle} bytes for an idle one");

        for _ in 0..RUSH {
            io.of("/").to("room").emit("news", "x").unwrap();
        }
        for pipe in &mut pipes {
            for _ in 0..RUSH {
                pipe.message(|_| {}).await;
            }
        }
        // All of them are pinged.
        sleep(Config::engine().ping_interval).await;
        let after_rush = (held() - before) / SESSIONS - pipe;
        println!("{after_rush} bytes when it was busy and is quiet again");
        assert!(
            after_rush <= idle + MOST_LEFT,
            "{after_rush} bytes, and {idle} before"
        );

        drop(pipes);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(io.engine().clients_count(), first.len());
        let left = held().saturating_sub(before) / SESSIONS;
        println!("{left} bytes of one that has gone");
        assert!(left <= MOST_LEFT, "{left} bytes of one that has gone");
    });
}

/// More than a queue keeps room for, were it not for the heartbeat.
const RUSH: usize = 12;

async fn connect(io: &Server, count: usize) -> Vec<Pipe> {
    let mut pipes = Vec::with_capacity(count);
    for _ in 0..count {
        pipes.push(peer::websocket_on(Pipe::of_size(io, PIPE)).await);
    }
    sleep(Duration::from_millis(1)).await;
    pipes
}

/// What the tests' side of a connection holds, and the pipe.
fn of_a_pipe() -> usize {
    let before = held();
    let _pipe = (tokio::io::duplex(PIPE), vec![0_u8; PIPE]);
    held() - before + size_of::<Pipe>()
}

fn held() -> usize {
    HeapStats::get().curr_bytes
}
