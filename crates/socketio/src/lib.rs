//! Socket.IO 5 on top of `engineio`: packets, acks, namespaces and rooms.

#![forbid(unsafe_code)]

// The protocol, pure: no clock, no IO, no randomness.
pub mod acks;
pub mod args;
pub mod assembler;
pub mod binary;
pub mod encode;
pub mod error;
pub mod packet;
pub mod rooms;

pub use self::{
    args::Args,
    binary::Binary,
    error::{
        AckError, ArgsError, ConnectError, DecodeError, DisconnectReason, EmitError, EncodeError,
        JoinError, TryEmitError,
    },
};
