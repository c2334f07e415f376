//! The whole chat in one thread: log, subscriptions, sessions and both sides of the protocol, over a network, a disk and
//! a clock that follow from a seed.
//!
//! What runs is the real thing: the chat's handlers, the Socket.IO and Engine.IO servers down to hyper and tungstenite, the
//! log, and on the other side the state machine of `engineio::client_session`. What is simulated is what they stand on:
//! connections are queues with delays and faults, the disk is a vector that forgets what was not flushed, and time passes
//! only when nothing else can happen. So a seed decides everything, and decides it again the next time.
//!
//! [`run`](run::run) is where to begin to read.
#![allow(
    missing_docs,
    reason = "shared between a test program and its tests, and nobody else"
)]

pub mod run;

pub mod agenda;
pub mod plant;
pub mod record;
pub mod settings;

mod client;
mod stage;

mod network;

mod disk;
mod process;
mod store;
