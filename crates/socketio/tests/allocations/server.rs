//! Messages through a whole server, from the bytes of the request to those of the answer.

use serde::{Deserialize, Serialize};
use socketio::{Binary, Config, Event, Namespace, Recovery, Server};
use tokio::runtime::{Builder, Runtime};

use super::{
    Count, REPEATS, TURNS, allocations,
    peer::{self, Pipe},
    per_turn,
};

pub fn counts() -> Vec<Count> {
    let mut counts = echoes();
    counts.push(connections());
    counts.push(polling(1, "answer an event by long-polling"));
    counts.push(polling(8, "answer 8 events of one body by long-polling"));
    let plain = Config::default();
    let everybody = "emit an event to everybody";
    counts.extend(fan(
        "broadcast",
        everybody,
        "for each receiver of it",
        plain,
    ));
    let plain = Config::default();
    let room = "emit an event to a room";
    counts.extend(fan("room", room, "for each member of the room", plain));
    let recovered = Config {
        connection_state_recovery: Some(Recovery::default()),
        ..Config::default()
    };
    let numbered = "emit an event to everybody, with recovery";
    let each = "for each receiver of it, with recovery";
    counts.extend(fan("broadcast", numbered, each, recovered));
    counts
}

fn echoes() -> Vec<Count> {
    let runtime = runtime();
    let io = server(Config::default());
    let mut pipe = runtime.block_on(peer::websocket(&io));
    let mut exchange = |name, request: &str, attachment: &[u8], answers| {
        let mut frames = peer::text(request);
        if !attachment.is_empty() {
            frames.extend(peer::binary(attachment));
        }
        let frames = frames.repeat(1.max(answers));
        let per_turn = answers * (1 + usize::from(!attachment.is_empty()));
        counted(name, &runtime, async || {
            pipe.write(&frames).await;
            for _ in 0..per_turn {
                pipe.message(|_| {}).await;
            }
        })
    };
    let text = "x".repeat(64);
    let echo = format!("420[\"echo\",\"{text}\"]");
    let body = "y".repeat(880);
    let object = format!(
        "420[\"object\",{{\"active\":true,\"author\":\"me\",\"body\":\"{body}\",\"count\":1,\"id\":\"1-1\",\
         \"tags\":[\"one\",\"two\",\"three\"]}}]"
    );
    let binary = r#"451-0["binary",{"_placeholder":true,"num":0}]"#;
    vec![
        exchange("answer an event", &echo, &[], 1),
        exchange("answer 8 events that come at once", &echo, &[], 8),
        exchange("answer an event with an object of 1 kB", &object, &[], 1),
        exchange(
            "answer an event with an attachment of 1 kB",
            binary,
            &[7; 1_024],
            1,
        ),
        exchange("emit an event to one socket", "42[\"reply\",1]", &[], 1),
    ]
}

/// A WebSocket that opens a session and joins the main namespace, and goes. The test's pipe and buffers are counted, too.
fn connections() -> Count {
    let runtime = runtime();
    let io = server(Config::default());
    counted(
        "a connection by WebSocket into a namespace",
        &runtime,
        async || {
            drop(peer::websocket(&io).await);
        },
    )
}

fn polling(at_once: usize, name: &'static str) -> Count {
    let runtime = runtime();
    let io = server(Config::default());
    let (mut get, mut post) = runtime.block_on(async { (Pipe::to(&io), Pipe::to(&io)) });
    let path = "/socket.io/?EIO=4&transport=polling";
    let mut sid = String::new();
    runtime.block_on(async {
        get.write(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes())
            .await;
        get.response(|open| sid = open[9..29].to_owned()).await;
    });
    let fetch = format!("GET {path}&sid={sid} HTTP/1.1\r\nhost: test\r\n\r\n");
    let send = |body: &str| {
        format!(
            "POST {path}&sid={sid} HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let join = send("40");
    runtime.block_on(async {
        post.write(join.as_bytes()).await;
        post.response(|said| assert_eq!(said, "ok")).await;
        get.write(fetch.as_bytes()).await;
        get.response(|joined| assert!(joined.starts_with("40{")))
            .await;
    });
    let events = send(&vec!["420[\"echo\",\"x\"]"; at_once].join("\x1e"));
    counted(name, &runtime, async || {
        get.write(fetch.as_bytes()).await;
        post.write(events.as_bytes()).await;
        post.response(|said| assert_eq!(said, "ok")).await;
        get.response(|answers| assert_eq!(answers.split('\x1e').count(), at_once))
            .await;
    })
}

/// The allocations of an event to many, by what it costs with few receivers and with many more.
fn fan(event: &str, name: &'static str, each: &'static str, config: Config) -> [Count; 2] {
    let runtime = runtime();
    let io = server(config);
    let mut pipes: Vec<Pipe> = Vec::new();
    let mut cost = |receivers| {
        runtime.block_on(async {
            while pipes.len() < receivers {
                let mut pipe = peer::websocket(&io).await;
                pipe.write(&peer::text("420[\"join\"]")).await;
                pipe.message(|_| {}).await;
                pipes.push(pipe);
            }
        });
        let frame = peer::text(&format!("42[\"{event}\",\"x\"]"));
        let (_, count) = counted(name, &runtime, async || {
            pipes[0].write(&frame).await;
            for pipe in &mut pipes {
                pipe.message(|_| {}).await;
            }
        });
        count
    };
    let (few, many) = (cost(FEW), cost(MANY));
    let slope = (many - few) / (MANY - FEW) as f64;
    [(name, few - slope * FEW as f64), (each, slope)]
}

const FEW: usize = 10;
const MANY: usize = 60;

/// The allocations of one turn of something that waits. All that the server does happens on this thread meanwhile.
fn counted(name: &'static str, runtime: &Runtime, mut turn: impl AsyncFnMut()) -> Count {
    runtime.block_on(async {
        for _ in 0..WARM_UP {
            turn().await;
        }
        let mut counts = [0; REPEATS];
        for count in &mut counts {
            let before = allocations();
            for _ in 0..TURNS {
                turn().await;
            }
            *count = allocations() - before;
        }
        (name, per_turn(counts))
    })
}

/// So many that buffers and tables have the size that they keep.
const WARM_UP: usize = 20;

pub fn runtime() -> Runtime {
    // With the clock held no heartbeat comes in between, however slow the machine is.
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

pub fn server(config: Config) -> Server {
    let io = Server::with_config(config);
    let namespace = io.of("/");
    answers(&namespace);
    let (all, rooms) = (namespace.clone(), namespace.clone());
    namespace
        .on("join", async |ev: Event, ()| {
            ev.socket.join("room").unwrap();
            ev.ack(())
        })
        .on("reply", async |ev: Event, (number,): (u32,)| {
            ev.socket.emit("reply", number)
        })
        .on("broadcast", async move |_: Event, (text,): (String,)| {
            all.emit("broadcast", (text,))
        })
        .on("room", async move |_: Event, (text,): (String,)| {
            rooms.to("room").emit("room", (text,))
        });
    io
}

/// What the scenarios of `protocol-tests/bench` have answered.
#[derive(Serialize, Deserialize)]
struct Item {
    active: bool,
    author: String,
    body: String,
    count: u64,
    id: String,
    tags: Vec<String>,
}

fn answers(namespace: &Namespace) {
    namespace
        .on("echo", async |ev: Event, (text,): (String,)| {
            ev.ack((text,))
        })
        .on("object", async |ev: Event, (item,): (Item,)| {
            ev.ack((item,))
        })
        .on("binary", async |ev: Event, (data,): (Binary,)| {
            ev.ack((data,))
        });
}
