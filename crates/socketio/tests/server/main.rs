//! The server from outside: a minimal client sends bytes and looks at what comes back.
//!
//! Most tests run over a pipe in memory with the clock held, so that time passes only while everybody waits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod acks;
mod binary;
mod client;
mod client_2;
mod client_bundle;
mod close;
mod cluster;
mod compress;
mod connect;
mod disconnect;
mod dynamic;
mod embedding;
mod events;
mod handshake;
mod limits;
mod listeners;
mod middleware;
mod parser;
mod races;
mod recovery;
mod rooms;
mod slow;
#[cfg(feature = "rustls")]
mod tls;
#[cfg(unix)]
mod unix;
mod workers;
