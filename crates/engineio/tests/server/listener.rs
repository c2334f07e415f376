//! Listeners that fail.

use std::{
    collections::VecDeque,
    future::{Ready, pending, ready},
    io,
    time::Duration,
};

use engineio::{
    Config,
    server::{Listener, Peer},
};
use tokio::{io::DuplexStream, time::Instant};

use crate::support::{Http, Server, target};

/// Gives these connections and errors, one after the other.
struct Script(VecDeque<io::Result<Handshake>>);

type Handshake = Ready<io::Result<(DuplexStream, Peer)>>;

impl Listener for Script {
    type Stream = DuplexStream;
    type Handshake = Handshake;

    async fn accept(&mut self) -> io::Result<Handshake> {
        match self.0.pop_front() {
            Some(next) => next,
            None => pending().await,
        }
    }
}

fn broken<T>() -> io::Result<T> {
    Err(io::Error::other("by test"))
}

/// How long the client waits for its answer that comes last in the queue.
async fn wait_behind(before: Vec<io::Result<Handshake>>) -> Duration {
    let server = Server::quiet(Config::default());
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut script = VecDeque::from(before);
    script.push_back(Ok(ready(Ok((theirs, Peer::default())))));
    let engine = server.engine.clone();
    tokio::spawn(async move { engine.serve(Script(script)).await });
    let start = Instant::now();
    let reply = Http::new(ours).get(&target("polling", "")).await;
    assert_eq!(reply.status, 200);
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn accepting_goes_on_a_moment_after_an_error() {
    let waited = wait_behind(vec![broken(), broken(), broken()]).await;
    assert_eq!(waited, Duration::from_millis(300));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_fails_holds_nobody_up() {
    let failing = || Ok(ready(broken()));
    let waited = wait_behind(vec![failing(), failing(), failing()]).await;
    assert_eq!(waited, Duration::ZERO);
}
