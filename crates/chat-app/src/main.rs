//! The chat's binary: reads its options, opens what it needs in an order that touches nothing in vain, serves, and
//! stops in order.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod allocator;
mod descriptors;
mod options;
mod recovery;
mod web;

use std::{
    convert::Infallible,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use chat_app::chat::{self, Chat};
use clap::Parser;
use event_log::{
    Log,
    sqlite::{self, SqliteStore},
};
use http::{Request, StatusCode};
use hyper::{body::Incoming, service::service_fn};
use socketio::{Recovery, Server};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::Instant,
};
use tower_layer::Layer;

use self::{options::Options, recovery::SessionFile};

/// Tells this chat's databases from those of other applications of the log.
const APPLICATION_ID: u32 = u32::from_be_bytes(*b"Chat");

/// Signals within this time say the same: some programs signal a process and then its group, it among them.
const ONE_WISH: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(&options.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if let Err(error) = allocator::set_up() {
        tracing::debug!(%error, "unused memory is given back later than it could be");
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("the runtime cannot be started: {error}")),
    };
    match runtime.block_on(run(options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(why),
    }
}

fn fail(why: String) -> ExitCode {
    eprintln!("chat-app: {why}");
    ExitCode::FAILURE
}

async fn run(options: Options) -> Result<(), String> {
    let mut signals =
        Signals::listen().map_err(|error| format!("signals cannot be received: {error}"))?;
    // The address first: if it is taken, no database is made.
    let cannot_listen = |error| format!("cannot listen on {}: {}", options.listen, advice(&error));
    let listener = TcpListener::bind(&options.listen)
        .await
        .map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    // Nor is one made if the other file will not do.
    if let Some(file) = &options.recovery {
        recovery::check(file, &options.database).map_err(|error| error.to_string())?;
    }
    let store_options = sqlite::Options {
        application_id: APPLICATION_ID,
        synchronous: options.synchronous(),
        ..sqlite::Options::default()
    };
    // Each refusal is a sentence that names the file.
    let store =
        SqliteStore::open(&options.database, store_options).map_err(|error| error.to_string())?;

    let recovery = options.recovery.as_deref().map(recovery_in).transpose()?;

    let mut config = socketio::Config {
        connection_state_recovery: recovery,
        serve_client: web::client_bundle(),
        ..socketio::Config::default()
    };
    config.engine.max_sessions = descriptors::max_sessions(config.engine.max_sessions);
    let io = Server::with_config(config);
    let database = store.path().display().to_string();
    let log_config = event_log::Config {
        retention: options.retention(),
        ..event_log::Config::default()
    };
    let log = Log::open(store, log_config, chat::encoder(&io))
        .map_err(|error| format!("cannot read the database {database}: {error}"))?;
    let chat = Chat::new(log, options.history);
    chat.install(&io);

    tracing::info!("the chat is on http://{address}, and what is said there in {database}");
    let page = service_fn(|request: Request<Incoming>| {
        std::future::ready(Ok::<_, Infallible>(respond(&request)))
    });
    let serving = tokio::spawn({
        let (io, service) = (io.clone(), io.layer().layer(page));
        async move { io.engine().serve_with(listener, service).await }
    });
    let first = signals.next().await;
    tracing::info!(signal = first.name, "stopping");
    let stopped = stop(&io, &chat, serving);
    tokio::select! {
        result = stopped => result,
        second = later(ONE_WISH, async || signals.next().await) => {
            tracing::warn!(signal = second.name, "stopped at once");
            std::process::exit(second.exit_code());
        }
    }
}

/// Recovery with its sessions in this file. What is said does not depend on it: visitors name their cursor in any case.
fn recovery_in(file: &Path) -> Result<Recovery, String> {
    let now = Instant::now().into_std();
    let store = SessionFile::open(file, now).map_err(|error| error.to_string())?;
    Ok(Recovery {
        store: Some(store),
        ..Recovery::default()
    })
}

/// Stops in order, and closes the port.
async fn stop(
    io: &Server,
    chat: &Chat,
    serving: tokio::task::JoinHandle<io::Result<()>>,
) -> Result<(), String> {
    let closed = chat_app::stop::stop(io, chat).await;
    let stats = chat.stats();
    tracing::info!(
        stored = stats.rows,
        commits = stats.commits,
        duplicates = stats.duplicates,
        "stopped; counted since the start"
    );
    match serving.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(format!("serving failed: {error}")),
        Err(error) => return Err(format!("serving failed: {error}")),
    }
    closed.map_err(|error| format!("the database could not be closed properly: {error}"))
}

/// What to do about an address that cannot be listened on.
fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program uses this port; choose one by --listen".to_owned()
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 need privileges".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => format!(
            "{error}; expected an address and a port, as in 127.0.0.1:3000, or 0.0.0.0:3000 for all interfaces"
        ),
    }
}

/// Everything that is not Socket.IO.
fn respond(request: &Request<Incoming>) -> http::Response<web::Body> {
    match request.uri().path() {
        "/healthz" => web::text(StatusCode::OK, "ok\n"),
        path => web::respond(request.method(), path, request.headers()),
    }
}

/// The signals that ask for a stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

#[derive(Clone, Copy)]
struct StopSignal {
    name: &'static str,
    number: i32,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.terminate.recv() => StopSignal { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() },
            _ = self.interrupt.recv() => StopSignal { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() },
        }
    }
}

/// The first of the signals that come, one after the other, when `pause` is over.
async fn later<S>(pause: Duration, mut next: impl AsyncFnMut() -> S) -> S {
    let begun = Instant::now();
    loop {
        let signal = next().await;
        if begun.elapsed() >= pause {
            return signal;
        }
    }
}

impl StopSignal {
    /// As shells count a process that a signal has ended.
    fn exit_code(self) -> i32 {
        128 + self.number
    }
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn signals_that_come_together_are_one_wish() {
        let begun = Instant::now();
        let mut pauses = [0, 1, 98, 1, 50].into_iter();
        let came_at = later(ONE_WISH, async || {
            let pause = Duration::from_millis(pauses.next().unwrap());
            time::advance(pause).await;
            begun.elapsed()
        })
        .await;
        assert_eq!(came_at, ONE_WISH);
        assert_eq!(pauses.next(), Some(50));
    }
}
