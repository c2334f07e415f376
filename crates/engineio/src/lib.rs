//! Engine.IO 4 from scratch: long-polling and WebSocket sessions with heartbeat, upgrade and kept order.
//!
//! Engine.IO gives a client and a server one ordered stream of messages, text or binary, each way. It begins with
//! HTTP long-polling, which passes everywhere, and moves to WebSocket where that is possible; the application sees
//! one session. Socket.IO is built on it, and so can be anything else. Protocol 4 is spoken, and protocol 3 with those
//! whom [`Config::allow_eio3`] lets in.
//!
//! # A server
//!
//! Implement [`Handler`](server::Handler), and serve it alone or mount it in a hyper, axum or tower program:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use engineio::{CloseReason, Config, Frame, Message, Sid, server::{Engine, Handler, Link}};
//!
//! struct Shout;
//!
//! impl Handler for Shout {
//!     type Data = ();
//!
//!     fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {}
//!
//!     fn on_message(&self, link: &Arc<Link<Self>>, message: Message) {
//!         if let Message::Text(text) = message {
//!             let text = String::from_utf8_lossy(&text).to_uppercase();
//!             // An error says that the session is over, and `on_close` says why.
//!             let _ = link.push(&[Frame::message(&text)]);
//!         }
//!     }
//!
//!     fn on_close(&self, link: &Arc<Link<Self>>, reason: CloseReason) {
//!         println!("{} left: {reason}", link.sid());
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//!     Engine::new(Config::default(), Shout).serve(listener).await
//! }
//! ```
//!
//! [`Engine::service`](server::Engine::service) is a hyper and tower service, [`Engine::layer`](server::Engine::layer)
//! a tower layer in front of any other.
//!
//! # What is promised
//!
//! - **Order.** What arrives of a session's messages is a prefix of what was sent, in order, in each direction, also
//!   while the session moves from long-polling to WebSocket.
//! - **One end.** [`Handler::on_close`](server::Handler::on_close) is called exactly once, last, with the official
//!   [`CloseReason`].
//! - **Bounds.** Nothing a peer sends makes the server grow: see the fields of [`Config`].
//!
//! # How it is made
//!
//! ```text
//!   your Handler        on_open  on_message  on_close
//! ┌────────────────────────────────────────────────────┐
//! │ server    Engine  Link  Service  polling websocket │  tokio, hyper, tungstenite
//! ├────────────────────────────────────────────────────┤
//! │ session   handshake  payload  dialect  packet      │  pure: no clock, no socket, no random source
//! └────────────────────────────────────────────────────┘
//! ```
//!
//! The modules in reading order: [`packet`], [`dialect`], [`payload`], [`jsonp`], [`handshake`], [`session`] and its mirror
//! image [`client_session`], [`config`], [`cors`], [`cookie`], [`error`], then [`server`]. Without the feature `server` the
//! crate is the pure half alone, to which time and bytes are handed.
#![forbid(unsafe_code)]

pub mod dialect;
pub mod jsonp;
pub mod packet;
pub mod payload;

pub mod handshake;
mod sid;

pub mod client_session;
mod fifo;
mod outbox;
pub mod session;
mod timer;

pub mod config;
pub mod cookie;
pub mod cors;
pub mod error;

#[cfg(feature = "server")]
pub mod server;

pub use config::{Config, HttpCompression};
pub use cookie::{Cookie, CookieError, CookieOptions, SameSite};
pub use cors::{Cors, CorsError, CorsOptions, Origins};
pub use dialect::Protocol;
pub use error::{CloseDetail, CloseReason, DecodeError, PushError};
pub use handshake::Transport;
pub use packet::{Frame, Message, Packet};
pub use session::SendOptions;
pub use sid::Sid;
