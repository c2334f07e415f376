//! Many at once, on many threads: for what goes wrong rarely.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use engineio::{CloseReason, Config, Frame, Message};

use crate::support::{Polling, Server, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_sessions_come_and_go_without_a_trace() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counted = closed.clone();
    let server = Arc::new(Server::with_close(
        Config::default(),
        |_, _| {},
        move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
        },
    ));
    for _ in 0..10 {
        let clients = (0..100).map(|number| {
            let server = server.clone();
            tokio::spawn(async move {
                if number % 2 == 0 {
                    let mut client = Polling::open(&server).await;
                    client.send("4a").await;
                    if number % 4 == 0 {
                        client.send("1").await;
                    } else {
                        client.park(&server).await;
                    }
                } else {
                    drop(server.websocket().await);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            soon(client).await.unwrap();
        }
    }
    soon(server.engine.close()).await;
    assert_eq!(closed.load(Ordering::SeqCst), 1_000);
    assert_eq!(server.engine.clients_count(), 0);
    // Nobody else holds the engine: sessions, connections and tasks are gone.
    let is_alone = async {
        while Arc::strong_count(&server.engine) > 1 {
            tokio::task::yield_now().await;
        }
    };
    soon(is_alone).await;
}

/// Each message pauses reading, and another thread resumes it right away: a driver that parks in between must not miss
/// that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_resume_is_missed() {
    let is_paused = Arc::new(AtomicBool::new(false));
    let is_over = Arc::new(AtomicBool::new(false));
    let (paused, over) = (is_paused.clone(), is_over.clone());
    let mut server = Server::new(Config::default(), move |link, _| {
        link.pause_reading();
        paused.store(true, Ordering::SeqCst);
    });
    let mut socket = server.websocket().await;
    let link = server.link();
    let resumer = std::thread::spawn(move || {
        let mut delay = 0;
        while !over.load(Ordering::SeqCst) {
            if is_paused.swap(false, Ordering::SeqCst) {
                delay = (delay + 1) % 60;
                (0..delay).for_each(|_| std::hint::spin_loop());
                link.resume_reading();
            }
        }
    });
    for _ in 0..10_000 {
        socket.send("4a").await;
        server.message().await;
    }
    is_over.store(true, Ordering::SeqCst);
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
            let link = server.engine.session(&client.sid.parse().unwrap()).unwrap();
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

/// A pipe that is full most of the time: each push meets a driver that is blocked, or about to be, or no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_push_is_lost_when_a_socket_blocks_and_unblocks() {
    const MESSAGES: usize = 20_000;
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket_through(256).await;
    // The session is made after the change of protocols, on another thread.
    assert!(socket.receive().await.starts_with('0'));
    let link = server.link();
    let pusher = std::thread::spawn(move || {
        for number in 0..MESSAGES {
            // Mostly few are waiting, so that the queue runs empty again and again.
            while !link.has_room(0, 64 * (number % 50)) {
                std::thread::yield_now();
            }
            link.push(&[Frame::message(&number.to_string())]).unwrap();
        }
    });
    for number in 0..MESSAGES {
        assert_eq!(socket.receive().await, format!("4{number}"));
    }
    pusher.join().unwrap();
}

/// The application closes while the client upgrades, closes, or vanishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_session_ends_exactly_once_whoever_ends_it() {
    let closed = Arc::new(AtomicUsize::new(0));
    let counted = closed.clone();
    let config = Config {
        // Some clients are gone and were not heard to go.
        close_timeout: std::time::Duration::from_millis(100),
        ..Config::default()
    };
    let server = Arc::new(Server::with_close(
        config,
        |link, message| {
            if message == Message::Text("close".into()) {
                link.close(CloseReason::ForcedClose);
            }
        },
        move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
        },
    ));
    let rounds = (0..400_u64).map(|round| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut client = Polling::open(&server).await;
            let link = server.engine.session(&client.sid.parse().unwrap()).unwrap();
            let closer = std::thread::spawn(move || {
                for _ in 0..round * 50 {
                    std::hint::spin_loop();
                }
                if round % 3 == 0 {
                    link.close(CloseReason::ForcedClose);
                }
            });
            client.begin_poll().await;
            let target = client.target();
            client.post.post(&target, "4a").await;
            match round % 4 {
                0 => drop(client.get),
                1 => {
                    client.post.post(&target, "4close").await;
                    client.get.reply().await;
                }
                2 => {
                    client.post.post(&target, "1").await;
                }
                _ => drop(client),
            }
            closer.join().unwrap();
        })
    });
    for round in rounds.collect::<Vec<_>>() {
        soon(round).await.unwrap();
    }
    soon(server.engine.close()).await;
    assert_eq!(closed.load(Ordering::SeqCst), 400);
}
