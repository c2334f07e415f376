//! The chat without its binary: what is said between clients, log and server, for whoever brings these three.

pub mod chat;
pub mod people;
pub mod stop;
