//! `Event`: an event that has arrived, as its handler gets it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use engineio::SendOptions;
use serde::Serialize;

use super::socket::Socket;
use crate::{encode::Draft, error::EmitError};

/// An event from a client: who sent it, and how to answer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Event {
    /// The socket that the event came from.
    pub socket: Socket,
    name: Arc<str>,
    /// None if the client asked for no answer.
    reply: Option<Arc<Reply>>,
}

/// The right to answer once, shared by all handlers of the event.
#[derive(Debug)]
pub(crate) struct Reply {
    id: u64,
    is_answered: AtomicBool,
}

impl Reply {
    pub(crate) fn new(id: u64) -> Self {
        Self {
            id,
            is_answered: AtomicBool::new(false),
        }
    }
}

impl Event {
    pub(crate) fn new(socket: Socket, name: Arc<str>, reply: Option<Arc<Reply>>) -> Self {
        Self {
            socket,
            name,
            reply,
        }
    }

    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether the client waits for an answer, and has not got one.
    pub fn wants_ack(&self) -> bool {
        self.reply
            .as_ref()
            .is_some_and(|reply| !reply.is_answered.load(Ordering::Relaxed))
    }

    /// Answers. Does nothing if the client asked for no answer or has got one.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be serialized, or the socket is no longer connected.
    pub fn ack(&self, args: impl Serialize) -> Result<(), EmitError> {
        let Some(reply) = &self.reply else {
            return Ok(());
        };
        if !self.wants_ack() {
            return Ok(());
        }
        let answer = Draft::ack(&args)?;
        if reply.is_answered.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let socket = &self.socket;
        let packet = answer.write_own(socket.parser(), socket.namespace(), Some(reply.id));
        socket.push_own(packet, SendOptions::default())
    }
}
