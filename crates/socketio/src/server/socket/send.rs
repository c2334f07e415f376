//! How what a socket has to say gets into the queue of its client.

use std::time::Duration;

use engineio::{PushError, SendOptions};
use serde::{Serialize, de::DeserializeOwned};

use super::Socket;
use crate::{
    encode::{Draft, Frames, OwnFrames},
    error::EmitError,
    server::{
        Link,
        answer::{Answer, Waiter},
        dispatch,
    },
};

impl Socket {
    pub(crate) fn emit_with<A: Serialize>(
        &self,
        event: &str,
        args: &A,
        options: SendOptions,
    ) -> Result<(), EmitError> {
        let draft = Draft::event(event, args)?.compress(options.compress);
        if self.0.returning.is_some() {
            let adapter = self.0.namespace.local_adapter();
            adapter.emit_for_recovery(self, &draft, options.volatile)?;
            self.tell_outgoing(&draft);
            return Ok(());
        }
        let packet = draft.write_own(self.parser(), self.namespace(), None);
        self.push_own(packet, options)?;
        self.tell_outgoing(&draft);
        Ok(())
    }

    fn tell_outgoing(&self, draft: &Draft) {
        if self.is_watched() {
            dispatch::tell_outgoing(std::slice::from_ref(self), draft);
        }
    }

    pub(crate) fn ask<T, A>(
        &self,
        event: &str,
        args: &A,
        options: SendOptions,
        timeout: Duration,
    ) -> Answer<T>
    where
        T: DeserializeOwned + Send + 'static,
        A: Serialize,
    {
        let draft = match Draft::event(event, args) {
            Ok(draft) => draft,
            Err(error) => return Answer::failed(error.into()),
        };
        let id = self.0.namespace.local_adapter().next_ack_id();
        let (waiter, answer) = Waiter::one();
        if let Err(error) = self.expect_answer(id, waiter) {
            return Answer::failed(error);
        }
        let packet = draft.write_own(self.parser(), self.namespace(), Some(id));
        match self.push_own(packet, options) {
            Ok(()) => {
                self.tell_outgoing(&draft);
                Answer::new(self.clone(), id, answer, timeout)
            }
            Err(error) => {
                self.forget_answer(id);
                Answer::failed(error.into())
            }
        }
    }

    /// Queues a packet that is for this client alone. That a volatile one was dropped is no error.
    pub(crate) fn push_own(
        &self,
        packet: OwnFrames,
        options: SendOptions,
    ) -> Result<(), EmitError> {
        match packet {
            OwnFrames::One(frame) => self.queue(|link| link.push_one(frame, options)),
            OwnFrames::Several(frames) => self.queue(|link| link.push_all(frames, options)),
            OwnFrames::Shared(frames) => match frames.into_one() {
                Ok(frame) => self.queue(|link| link.push_one(frame, options)),
                Err(frames) => self.push_with(&frames, options),
            },
        }
    }

    /// Queues a packet, as the options say. That a volatile one was dropped is no error.
    pub(crate) fn push_with(&self, frames: &Frames, options: SendOptions) -> Result<(), EmitError> {
        self.queue(|link| link.push_with(frames.as_slice(), options))
    }

    fn queue(&self, push: impl FnOnce(&Link) -> Result<bool, PushError>) -> Result<(), EmitError> {
        if !self.is_connected() {
            return Err(EmitError::NotConnected);
        }
        match push(&self.0.link) {
            Ok(_is_queued) => Ok(()),
            Err(PushError::Closed) => Err(EmitError::NotConnected),
            Err(PushError::Overflow) => Err(EmitError::SlowConsumer),
        }
    }
}
