//! Socket.IO 5 for Rust: events, acknowledgements, namespaces and rooms over WebSocket and HTTP long-polling.
//!
//! It speaks with the official JavaScript client and any other client of protocol 5, and is built on `engineio`. Who knows
//! Socket.IO from elsewhere finds what it is called here in [From Node](guide::from_node) and
//! [From socketioxide](guide::from_socketioxide).
//!
//! # A server
//!
//! ```no_run
//! use socketio::{Event, Server, Socket};
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let io = Server::new();
//!
//!     io.of("/")
//!         .on_connect(async |socket: Socket| println!("{} is here", socket.id()))
//!         .on("chat message", async |ev: Event, (text,): (String,)| {
//!             ev.socket.broadcast().emit("chat message", (text,))
//!         })
//!         .on_disconnect(async |socket: Socket, why| println!("{} left: {why}", socket.id()));
//!
//!     io.serve("0.0.0.0:3000").await
//! }
//! ```
//!
//! A handler is an async closure or function. It takes the [`Event`] and whatever the arguments are to be parsed into
//! (see [`args`]), of owned types, such as `(String,)` and not `(&str,)`: extra arguments are ignored, absent ones are
//! `None`, and a handler whose type they do not fit is not called, which is logged as a warning the first time. It returns
//! nothing, or a result whose error is logged; [`Error`] is one for all that this crate returns.
//!
//! Handlers of one client *start* in the order in which its events arrive, and run up to their first await before the
//! next one starts; from there on they run side by side.
//!
//! # Acknowledgements
//!
//! A client may ask for an answer, and so may the server.
//!
//! ```
//! # use std::{fmt, time::Duration};
//! # use serde::Deserialize;
//! # use socketio::{AckError, EmitError, Event, Server, Socket};
//! # #[derive(Deserialize)]
//! # struct Note { text: String }
//! # #[derive(Clone)]
//! # struct Store;
//! # impl Store { async fn insert(&self, note: Note) -> Result<u64, AppError> { Ok(note.text.len() as u64) } }
//! # struct AppError(String);
//! # impl fmt::Display for AppError { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) } }
//! # impl From<EmitError> for AppError { fn from(error: EmitError) -> Self { Self(error.to_string()) } }
//! # fn app(io: &Server, store: Store) {
//! io.of("/").on("save", async move |ev: Event, (note,): (Note,)| save(&store, ev, note).await);
//! # }
//!
//! // Logic in plain functions, wiring in closures.
//! async fn save(store: &Store, ev: Event, note: Note) -> Result<(), AppError> {
//!     let id = store.insert(note).await?;
//!     ev.ack(("ok", id))?; // a no-op if the client asked for none
//!     Ok(())
//! }
//!
//! # async fn ask(socket: Socket) -> Result<(), AckError> {
//! let (answer,): (String,) = socket
//!     .timeout(Duration::from_secs(5))
//!     .emit_with_ack("question", ("6 x 7",))
//!     .await?;
//! # drop(answer);
//! # Ok(())
//! # }
//! ```
//!
//! # Rooms and broadcasts
//!
//! ```
//! # use std::time::Duration;
//! # use socketio::{AckError, EmitError, Server, Socket};
//! # const FIVE_SECONDS: Duration = Duration::from_secs(5);
//! # async fn app(io: &Server, socket: &Socket, name: &str, item: u8, x: u8, y: u8) -> Result<(), Box<dyn std::error::Error>> {
//! socket.join("general")?;
//! socket.to("general").emit("joined", (name,))?; // all but me
//! io.of("/").to("general").except("muted").emit("news", (item,))?; // from anywhere
//! io.of("/").volatile().emit("cursor", (x, y))?;
//! let votes: Vec<Result<(u8,), AckError>> =
//!     io.of("/").to("jury").timeout(FIVE_SECONDS).emit_with_ack("vote", ()).await?;
//! # drop(votes);
//! # Ok(())
//! # }
//! ```
//!
//! A broadcast is encoded once, and all recipients get packets of a namespace in the same order. What a client gets is
//! always a prefix of what was emitted to it: one that is too slow is closed, with the reason `slow consumer`, and never
//! skipped. Only `volatile` events may be dropped. A producer that prefers to wait for slow clients encodes its events by
//! [`Namespace::encode`], and uses [`Socket::try_emit`] and [`Socket::ready`].
//!
//! # Emit cheat sheet
//!
#![cfg_attr(feature = "server", doc = include_str!("guide/emit.md"))]
//!
//! # Middleware, auth, and data on the socket
//!
//! ```
//! # use std::sync::Arc;
//! # use serde::Deserialize;
//! # use socketio::{ConnectError, Event, Server, Socket};
//! # struct User { name: String }
//! # struct Users;
//! # impl Users { fn verify(&self, token: &str) -> Option<User> { Some(User { name: token.to_owned() }) } }
//! # fn app(io: &Server, users: Arc<Users>) {
//! #[derive(Deserialize)]
//! struct Login {
//!     token: String,
//! }
//!
//! io.of("/admin")
//!     .middleware(async move |socket: Socket, login: Login| {
//!         let user = users.verify(&login.token).ok_or(ConnectError::new("unauthorized"))?;
//!         socket.set(user); // the socket carries data, not handlers
//!         Ok(())
//!     })
//!     .on("whoami", async |ev: Event, ()| match ev.socket.data::<User>() {
//!         Some(user) => ev.ack((&user.name,)),
//!         None => ev.ack(()),
//!     });
//! # }
//! ```
//!
//! # Namespaces
//!
//! A client may be in several namespaces over one connection; each has its own handlers, middlewares and rooms.
//!
//! ```
//! # use socketio::{EmitError, Event, Server};
//! # fn app(io: &Server) -> Result<(), EmitError> {
//! let chat = io.of("/chat");
//! chat.on("ping", async |ev: Event, ()| ev.ack(("pong",)));
//! chat.emit("news", ("from the chat",))?;
//! # Ok(())
//! # }
//! ```
//!
//! With [`Server::of_matching`] clients bring about namespaces themselves, within bounds; their parent has the handlers:
//!
//! ```
//! # use socketio::{Server, Socket};
//! # fn app(io: &Server) {
//! io.of_matching(|name| name.starts_with("/tenant-"))
//!     .on_connect(async |socket: Socket| println!("somebody in {}", socket.namespace()));
//! # }
//! ```
//!
//! # Handlers of one socket
//!
//! Handlers of the namespace are for all of its sockets, and the fastest. A socket may also have its own, as in
//! JavaScript:
//!
//! ```
//! # use socketio::{Args, Event, Server, Socket};
//! # let io = Server::new();
//! io.of("/").on_connect(async |socket: Socket| {
//!     socket.once("hello", async |ev: Event, (name,): (String,)| ev.ack((name,)));
//!     socket.on_any(async |ev: Event, args: Args| println!("{} {}", ev.name(), args.json()));
//!     socket.use_packet(async |ev: Event, ()| match ev.name() {
//!         "forbidden" => Err("not for you"),
//!         _ => Ok(()),
//!     });
//!     socket.on_any_outgoing(|event, args| println!("to it: {event} {}", args.json()));
//! });
//! ```
//!
//! # Binary data
//!
//! [`Binary`] may stand anywhere in the arguments, in any type, in both directions and in answers. [`Args`] are all
//! arguments as they came, to be passed on unchanged or parsed later:
//!
//! ```
//! # use bytes::Bytes;
//! # use serde::{Deserialize, Serialize};
//! # use socketio::{Args, Binary, Event, Server};
//! # let io = Server::new();
//! #[derive(Serialize, Deserialize)]
//! struct Upload {
//!     name: String,
//!     data: Binary,
//! }
//!
//! io.of("/files")
//!     .on("upload", async |ev: Event, upload: Upload| {
//!         ev.ack((upload.data.len(),))?;
//!         ev.socket.broadcast().emit("file", upload)
//!     })
//!     .on("echo", async |ev: Event, args: Args| ev.ack(args));
//! ```
//!
//! With [`parser::Msgpack`], or a [parser] of your own, other bytes travel, and the same code runs.
//!
//! # Clients that were cut off
//!
//! With [`Config::connection_state_recovery`] a client that comes back soon enough is the same socket again: with its id,
//! its rooms, what was kept on it, and the events that it has missed, each once and in order. It needs no code of its own,
//! but may be told apart:
//!
//! ```
//! # use socketio::{Config, Recovery, Server, Socket};
//! let io = Server::with_config(Config {
//!     connection_state_recovery: Some(Recovery::default()),
//!     ..Config::default()
//! });
//! io.on_connect(async |socket: Socket| {
//!     if socket.recovered() {
//!         return Ok(()); // what it has missed is on its way
//!     }
//!     socket.join("news").map_err(|error| error.to_string())
//! });
//! ```
//!
//! Middlewares are asked again. What volatile events, those with an acknowledgement and those of [`Socket::try_emit`] say
//! is not sent again. [`recovery`] says how far that can be relied on, and how it [outlives the process](recovery::Store).
//!
//! # Several servers
//!
//! Broadcasts, questions about sockets and events for other servers are carried out by an
//! [adapter](server::adapter::Adapter). By default that is this process alone; one that joins several servers is set as
//! [`Config::adapter`], and no other line changes. The crate's tests have a whole one, which joins two servers by nothing
//! but bytes (`tests/server/cluster`).
//!
//! # In another program
//!
//! [`Server::service`] is both a hyper and a tower service, and [`Server::layer`] puts it in front of any other.
//!
//! ```
//! # use axum::{Router, routing::get};
//! # use hyper::server::conn::http1;
//! # use hyper_util::rt::TokioIo;
//! # use socketio::Server;
//! # use tower_layer::Layer;
//! # async fn index() -> &'static str { "hello" }
//! # async fn axum(io: &Server, listener: tokio::net::TcpListener) -> std::io::Result<()> {
//! // axum: all that is below our path goes to us, the rest to the routes
//! let app = Router::new().route("/", get(index)).layer(io.layer());
//! axum::serve(listener, app).await?;
//! # Ok(())
//! # }
//!
//! # async fn hyper(io: &Server, stream: tokio::net::TcpStream) -> hyper::Result<()> {
//! // hyper
//! http1::Builder::new()
//!     .serve_connection(TokioIo::new(stream), io.service())
//!     .with_upgrades()
//!     .await?;
//! # Ok(())
//! # }
//!
//! # fn layer(io: &Server, inner: Router) {
//! // in front of any tower service: our path goes to us, the rest passes through
//! let app = io.layer().layer(inner);
//! # drop(app);
//! # }
//! ```
//!
//! [`Server::serve`] needs no other program. [`Server::serve_unix`] is for a Unix socket, and `serve_tls` for TLS (feature
//! `rustls`); [`Server::serve_listener`] takes any [`Listener`].
//!
//! Whole programs are in the crate's `examples`.
//!
//! # Memory
//!
//! A client by WebSocket that says nothing costs about two kilobytes: its session, socket and task, and what is kept of its
//! handshake ([`Config::keep_handshake`]). Buffers belong to threads, and are only a client's while its message is under
//! way. What a client held is freed when it goes. Whether the process then gets smaller is up to the allocator, which
//! libraries leave to the program: that of the C library keeps most of it, so that a program for many clients does well to
//! choose one that gives it back. With `tikv-jemallocator`, its feature `background_threads`, and in the environment
//! `_RJEM_MALLOC_CONF=dirty_decay_ms:1000`, a server that 5,000 clients have left is within seconds nearly as small as
//! before they came. The chat of this repository sets the same by itself (`chat-app/src/allocator.rs`).
//!
//! # Clients of Socket.IO 2
//!
//! They are let in by an option, and are sockets like all others ([`Socket::protocol`] tells them apart):
//!
//! ```
//! use socketio::{Config, Server};
//!
//! let mut config = Config::default();
//! config.engine.allow_eio3 = true;
//! let io = Server::with_config(config);
//! # drop(io);
//! ```
//!
//! They join the main namespace by connecting at all, and its middlewares see no auth payload; for another namespace that
//! is the query they name behind it, as an object of strings. Whom a middleware refuses gets the data of the
//! [`ConnectError`] alone, or its message if there is none. They make their ids of the session's, which is a secret of
//! everybody else: do not tell the id of such a socket to whom you would not let act for it.
//!
//! # What is promised
//!
//! - **Order.** Packets of a namespace reach each client in the order in which they were emitted, attachments with them.
//! - **At most once.** A packet is delivered once or not at all, and what is lost is at the end: see
//!   [`Socket::emit_with_ack`] for more.
//! - **One end.** Each socket that was connected has its disconnect handlers called exactly once, with the official
//!   reason, after its connect handlers.
//! - **Bounds.** Whatever a client sends, nothing panics, blocks or grows without a bound; [`Config`] has the bounds.
//!
//! # How it is built
//!
//! ```text
//! ┌────────────────────────────────────────────────────────────┐
//! │ server   Server Namespace Socket Broadcast Adapter         │  tokio: spawn, oneshot, timers
//! ├────────────────────────────────────────────────────────────┤
//! │ packet args binary assembler encode parser acks rooms      │  pure: no clock, no IO
//! │ recovery error                                             │
//! └────────────────────────────────────────────────────────────┘
//! ```
//!
//! The modules in reading order: [`packet`], [`args`], [`binary`], [`assembler`], [`encode`], [`parser`], [`acks`],
//! [`rooms`], [`recovery`], [`error`], then [`server`]. Without the feature `server` the crate is the pure half alone.
#![forbid(unsafe_code)]

pub mod packet;

pub mod args;
pub mod binary;

pub mod assembler;
pub mod encode;
pub mod parser;

pub mod acks;
pub mod rooms;

pub mod recovery;

pub mod error;

#[cfg(feature = "server")]
pub mod guide;
#[cfg(feature = "server")]
pub mod server;

pub use self::{
    args::Args,
    binary::Binary,
    encode::EventPacket,
    error::{
        AckError, ArgsError, ConnectError, DecodeError, DisconnectReason, EmitError, EncodeError,
        JoinError, TryEmitError,
    },
    parser::Parser,
};

/// The engine below, so that its options and types need no second dependency: `socketio::engineio::Config`.
#[doc(inline)]
pub use engineio;

#[cfg(feature = "server")]
pub use engineio::{
    CloseDetail, Cookie, CookieError, CookieOptions, Cors, CorsError, CorsOptions, HttpCompression,
    Origins, Protocol, SameSite, Transport,
    server::{BadRequest, ConnectionError, Hooks, Listener, Peer, RemoteAddr, Secure, StaticFiles},
};

#[cfg(all(feature = "server", unix))]
pub use engineio::server::UnixSocket;

#[cfg(feature = "rustls")]
pub use engineio::server::{ClientCertificates, Tls, TlsError, rustls};

#[cfg(feature = "server")]
pub use self::server::{
    Answer, AnswerFrom, AnswerStream, Answers, Broadcast, ClientBundle, Config, Counters, Emitter,
    Error, Event, Handshake, IntoRooms, ListenerId, Namespace, Outcome, Recovery, RemoteEmitter,
    RemoteSocket, Server, ServerEvent, Socket, StoredData,
};
