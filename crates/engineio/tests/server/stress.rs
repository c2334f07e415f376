//! Many at once, on many threads: for what goes wrong rarely.

use std::sync::{Arc, mpsc};

use engineio::{Config, Frame, server::Link};

use crate::support::{App, Polling, Server, soon};

/// Each message pauses reading, and another thread resumes it right away: a driver that parks in between must not miss
/// that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_resume_is_missed() {
    let (paused, pauses) = mpsc::channel::<Arc<Link<App>>>();
    let mut server = Server::new(Config::default(), move |link, _| {
        link.pause_reading();
        paused.send(link.clone()).unwrap();
    });
    let resumer = std::thread::spawn(move || {
        for (count, link) in pauses.iter().enumerate() {
            for _ in 0..count % 200 {
                std::hint::spin_loop();
            }
            link.resume_reading();
        }
    });
    let mut socket = server.websocket().await;
    let mut client = Polling::open(&server).await;
    for _ in 0..1_000 {
        socket.send("4a").await;
        server.message().await;
        client.send("4b\x1e4c").await;
    }
    client.send("1").await;
    drop(socket);
    soon(server.engine.close()).await;
    drop((client, server));
    resumer.join().unwrap();
}

/// Pushes come from a thread of their own while the session upgrades.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_push_is_lost_or_out_of_order_during_an_upgrade() {
    const MESSAGES: usize = 100;
    let server = Arc::new(Server::quiet(Config::default()));
    let rounds = (0..100).map(|round| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut client = Polling::open(&server).await;
            let link = server.engine.session(client.sid.parse().unwrap()).unwrap();
            let pusher = std::thread::spawn(move || {
                for number in 0..MESSAGES {
                    link.push(&[Frame::message(&number.to_string())]).unwrap();
                    for _ in 0..round * 10 {
                        std::hint::spin_loop();
                    }
                }
            });
            let mut received = Vec::new();
            let mut take = |body: &str| {
                let messages = body
                    .split('\x1e')
                    .filter_map(|packet| packet.strip_prefix('4'));
                received.extend(messages.map(|number| number.parse::<usize>().unwrap()));
                received.len()
            };
            take(&client.poll().await);
            client.begin_poll().await;
            let mut socket = client.probe(&server).await;
            take(&client.polled().await);
            socket.send("5").await;
            while take("") < MESSAGES {
                take(&socket.receive().await);
            }
            assert!(received.into_iter().eq(0..MESSAGES));
            pusher.join().unwrap();
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        soon(round).await.unwrap();
    }
}
