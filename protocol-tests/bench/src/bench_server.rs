//! Our server with the events of the scenarios, on either of tokio's runtimes, or with workers.
//!
//! Its chat keeps the messages in memory only: it shows what storing them costs, and is not for keeping any.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use socketio::{Binary, Config, Event, Namespace, Recovery, Server, engineio};
use tokio::runtime::Builder;

/// A server to be measured.
#[derive(Debug, Parser)]
struct Options {
    /// The port to serve on, at 127.0.0.1
    #[arg(long)]
    port: u16,

    /// How many milliseconds are between two heartbeats
    #[arg(long, default_value_t = 25_000)]
    ping_interval: u64,

    /// The runtime to run on
    #[arg(long, value_enum, default_value_t = Form::Multi)]
    runtime: Form,

    /// Lets clients be recovered; with a number, of so many events
    #[arg(long, value_name = "EVENTS")]
    recovery: Option<Option<usize>>,

    /// Has so many namespaces beside the main one, `/n1` and so on, all with the same events
    #[arg(long, default_value_t = 0)]
    namespaces: usize,

    /// Taken as chats have it, and left empty
    #[arg(long)]
    database: Option<PathBuf>,
}

/// The forms of tokio's runtime.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// The multi-thread runtime, with as many workers as there are cores to run on
    Multi,
    /// The current-thread runtime
    Current,
    /// The current-thread runtime, and a worker for each core
    Workers,
}

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

/// Serves as the command line says, until the process is ended.
pub fn run() -> io::Result<()> {
    let options = Options::parse();
    let mut builder = match options.runtime {
        Form::Multi => Builder::new_multi_thread(),
        Form::Current | Form::Workers => Builder::new_current_thread(),
    };
    if let Some(file) = options.database {
        eprintln!("{} stays empty: this chat stores nothing", file.display());
    }
    let recovery = options.recovery.map(|events| {
        let default = Recovery::default();
        Recovery {
            max_packets: events.unwrap_or(default.max_packets),
            ..default
        }
    });
    let workers = matches!(options.runtime, Form::Workers).then_some(0);
    let default = Config::default();
    builder.enable_all().build()?.block_on(async {
        let io = Server::with_config(Config {
            engine: engineio::Config {
                ping_interval: Duration::from_millis(options.ping_interval),
                workers,
                ..Config::engine()
            },
            connection_state_recovery: recovery,
            // A client may be in all of them.
            max_namespaces_per_client: default.max_namespaces_per_client + options.namespaces,
            ..default
        });
        events(&io.of("/"));
        for number in 1..=options.namespaces {
            events(&io.of(&format!("/n{number}")));
        }
        chat(&io.of("/"));
        io.serve((Ipv4Addr::LOCALHOST, options.port)).await
    })
}

fn events(namespace: &Namespace) {
    let (all, rooms) = (namespace.clone(), namespace.clone());
    namespace
        .on("echo", async |ev: Event, (text,): (String,)| {
            ev.ack((text,))
        })
        .on("object", async |ev: Event, (item,): (Item,)| {
            ev.ack((item,))
        })
        .on("binary", async |ev: Event, (data,): (Binary,)| {
            ev.ack((data,))
        })
        .on("broadcast", async move |_: Event, (text,): (String,)| {
            all.emit("broadcast", (text,))
        })
        .on("join", async |ev: Event, (room,): (String,)| {
            ev.socket
                .join(&room[..])
                .map_err(|error| error.to_string())?;
            ev.ack((room,)).map_err(|error| error.to_string())
        })
        .on(
            "room",
            async move |_: Event, (room, text): (String, String)| {
                rooms.to(&room[..]).emit("room", (text,))
            },
        );
}

fn chat(namespace: &Namespace) {
    let stored: Arc<Mutex<Vec<String>>> = Arc::default();
    let all = namespace.clone();
    namespace.on(
        "chat message",
        async move |ev: Event, (text, _key): (String, String)| {
            // Held over the emit, so that offsets go out in their order.
            let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
            stored.push(text);
            let sent = all.emit("chat message", (stored.last(), stored.len()));
            drop(stored);
            sent.and_then(|()| ev.ack(()))
        },
    );
}
