//! The server from outside: raw requests and WebSockets, one behaviour per test.
//!
//! Most connections are pipes within the process, so that a held clock stays exact; what only a real port can show is
//! tested on one.
#![expect(clippy::unwrap_used, reason = "what goes wrong fails the test")]

mod closing;
mod compression;
mod cookie;
mod cors;
mod drain;
mod events;
mod files;
mod handler;
mod handshake;
mod heartbeat;
mod hooks;
mod ids;
mod jsonp;
mod limits;
mod listener;
mod mounting;
mod panics;
mod polling;
mod pressure;
mod stress;
mod support;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(unix)]
mod unix;
mod upgrade;
mod v3;
mod websocket;
mod workers;
