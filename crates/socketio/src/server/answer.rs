//! `Answer` and `Answers`: what an emit with ack waits for, of one client or of many.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::{adapter::BoxStream, collector::Collector, socket::Socket};
use crate::{
    Args,
    error::{AckError, EmitError},
    rooms::Room,
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
        let deadline = deadline_after(timeout);
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

    /// The one answer to a broadcast for one socket. Without a recipient there is nobody to wait for.
    pub(crate) fn only(answers: Answers<T>) -> Self {
        Self(Box::pin(async move {
            let mut answers = answers.stream()?;
            let only = answers.next().await;
            only.map_or(Err(AckError::Disconnected), |only| only.answer)
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

/// The answers to a broadcast: all of them in a list, by `.await`, or one by one as they come, by
/// [`stream`](Self::stream).
///
/// The list is there when the last answer has come or the time is over. The event was emitted when this was made.
/// Dropping it means not to wait any longer.
#[must_use = "the event is emitted, but nobody waits for the answers"]
pub struct Answers<T> {
    stream: Result<AnswerStream<T>, EmitError>,
    /// What has come so far.
    list: Vec<Result<T, AckError>>,
}

impl<T> Answers<T> {
    pub(crate) fn new(answers: BoxStream<AnswerFrom<Args>>) -> Self {
        Self {
            stream: Ok(AnswerStream {
                answers,
                parsed: PhantomData,
            }),
            list: Vec::new(),
        }
    }

    pub(crate) fn failed(error: EmitError) -> Self {
        Self {
            stream: Err(error),
            list: Vec::new(),
        }
    }

    /// The answers as they come, each with the id of the socket that it is from.
    ///
    /// ```
    /// # use socketio::{EmitError, Server};
    /// use futures_util::StreamExt;
    ///
    /// # async fn count(io: &Server) -> Result<u32, EmitError> {
    /// let mut votes = io.to("jury").emit_with_ack::<(bool,)>("vote", ()).stream()?;
    /// let mut yes = 0;
    /// while let Some(vote) = votes.next().await {
    ///     match vote.answer {
    ///         Ok((is_yes,)) => yes += u32::from(is_yes),
    ///         Err(error) => println!("{:?} has not voted: {error}", vote.id),
    ///     }
    /// }
    /// # Ok(yes)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the event was not emitted.
    pub fn stream(self) -> Result<AnswerStream<T>, EmitError> {
        self.stream
    }
}

impl<T: DeserializeOwned> Future for Answers<T> {
    type Output = Result<Vec<Result<T, AckError>>, EmitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { stream, list } = &mut *self;
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        while let Some(next) = ready!(Pin::new(&mut *stream).poll_next(context)) {
            list.push(next.answer);
        }
        Poll::Ready(Ok(std::mem::take(list)))
    }
}

/// Nothing in it is ever borrowed by itself.
impl<T> Unpin for Answers<T> {}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

/// The answers to a broadcast, in the order of their arrival. At the deadline follows a
/// [`Timeout`](AckError::Timeout) for each recipient that has not answered, then it ends.
///
/// Made by [`Answers::stream`]. Dropping it means not to wait any longer.
#[must_use = "the event is emitted, but nobody waits for the answers"]
pub struct AnswerStream<T> {
    answers: BoxStream<AnswerFrom<Args>>,
    parsed: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Stream for AnswerStream<T> {
    type Item = AnswerFrom<T>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<AnswerFrom<T>>> {
        let next = ready!(self.answers.as_mut().poll_next(context));
        Poll::Ready(next.map(|AnswerFrom { id, answer }| {
            let answer = answer.and_then(|args| Ok(args.parse()?));
            AnswerFrom { id, answer }
        }))
    }
}

impl<T> fmt::Debug for AnswerStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerStream")
    }
}

/// One of the answers to a broadcast, or to an event for other servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerFrom<T> {
    /// The id of the socket that has answered, or should have; none if the adapter does not know it, or it was a
    /// server.
    pub id: Option<Room>,
    /// The answer, or why there is none.
    pub answer: Result<T, AckError>,
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

/// When a time is over that begins now. One that no clock counts to is over when nobody waits any more.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + FOR_EVER)
}

/// Thirty years.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

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
