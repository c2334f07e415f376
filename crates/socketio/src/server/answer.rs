//! `Answer` and `Answers`: what an emit with ack waits for.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use serde::de::DeserializeOwned;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{collector::Collector, socket::Socket};
use crate::{
    Args,
    error::{AckError, EmitError},
};

/// The answer of one client, when it comes.
///
/// The event was emitted when this was made. Dropping it means not to wait any longer.
#[must_use = "the event is emitted, but nobody waits for the answer"]
pub struct Answer<T>(Pin<Box<dyn Future<Output = Result<T, AckError>> + Send>>);

impl<T: DeserializeOwned + Send + 'static> Answer<T> {
    pub(crate) fn new(
        socket: Socket,
        id: u64,
        answer: oneshot::Receiver<Result<Args, AckError>>,
        timeout: Duration,
    ) -> Self {
        let deadline = Instant::now() + timeout;
        let pending = Pending {
            sockets: vec![socket],
            id,
        };
        Self(Box::pin(async move {
            let _pending = pending;
            match timeout_at(deadline, answer).await {
                Ok(Ok(answer)) => Ok(answer?.parse()?),
                // The waiter was dropped without a word.
                Ok(Err(_)) => Err(AckError::Disconnected),
                Err(_) => Err(AckError::Timeout),
            }
        }))
    }

    pub(crate) fn failed(error: AckError) -> Self {
        Self(Box::pin(std::future::ready(Err(error))))
    }
}

impl<T> Future for Answer<T> {
    type Output = Result<T, AckError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// The answers of all recipients of a broadcast, when the last of them has come or the time is over.
///
/// The event was emitted when this was made. Dropping it means not to wait any longer.
#[must_use = "the event is emitted, but nobody waits for the answers"]
pub struct Answers<T>(Pin<Box<dyn Future<Output = AnswersResult<T>> + Send>>);

type AnswersResult<T> = Result<Vec<Result<T, AckError>>, EmitError>;

impl<T: DeserializeOwned + Send + 'static> Answers<T> {
    pub(crate) fn new(
        answers: impl Future<Output = Vec<Result<Args, AckError>>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(async move {
            let answers = answers.await.into_iter();
            Ok(answers.map(|answer| Ok(answer?.parse()?)).collect())
        }))
    }

    pub(crate) fn failed(error: EmitError) -> Self {
        Self(Box::pin(std::future::ready(Err(error))))
    }
}

impl<T> Future for Answers<T> {
    type Output = AnswersResult<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

/// Who is told of an answer.
pub(crate) enum Waiter {
    One(oneshot::Sender<Result<Args, AckError>>),
    /// One place of a broadcast's answers.
    Many(Arc<Collector>, usize),
}

impl Waiter {
    pub(crate) fn one() -> (Self, oneshot::Receiver<Result<Args, AckError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self::One(sender), receiver)
    }

    pub(crate) fn tell(self, answer: Result<Args, AckError>) {
        match self {
            // Who does not wait any longer does not want to know.
            Self::One(sender) => drop(sender.send(answer)),
            Self::Many(collector, place) => collector.fill(place, answer),
        }
    }
}

/// Sockets of which an answer is expected; when this is dropped, no longer.
pub(crate) struct Pending {
    pub(crate) sockets: Vec<Socket>,
    pub(crate) id: u64,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.sockets
            .iter()
            .for_each(|socket| socket.forget_answer(self.id));
    }
}
