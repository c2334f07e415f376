//! `Collector`: the answers to a broadcast as they come, each with the socket that it is from.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    answer::{AnswerFrom, Pending},
    lock,
};
use crate::{Args, error::AckError, rooms::Room};

/// Gathers one answer from each recipient of a broadcast.
#[derive(Default)]
pub(crate) struct Collector {
    /// Guards plain values; nothing is called under it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who is asked; none where the answer has come.
    missing: Vec<Option<Room>>,
    missing_count: usize,
    /// What has come and was not taken yet.
    ready: VecDeque<AnswerFrom<Args>>,
    waiting: Option<Waker>,
}

impl Collector {
    /// One more recipient. The answer is its place.
    pub(crate) fn expect(&self, id: Room) -> usize {
        let mut state = lock(&self.state);
        state.missing.push(Some(id));
        state.missing_count += 1;
        state.missing.len() - 1
    }

    /// A recipient has answered, or never will. Only its first answer counts.
    pub(crate) fn fill(&self, place: usize, answer: Result<Args, AckError>) {
        let mut state = lock(&self.state);
        let Some(id) = state.missing.get_mut(place).and_then(Option::take) else {
            return;
        };
        let id = Some(id);
        state.ready.push_back(AnswerFrom { id, answer });
        state.missing_count -= 1;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    /// Who has not answered is too late.
    fn expire(&self) {
        let state = &mut *lock(&self.state);
        let missing = std::mem::take(&mut state.missing);
        state.missing_count = 0;
        let late = missing.into_iter().flatten().map(|id| AnswerFrom {
            id: Some(id),
            answer: Err(AckError::Timeout),
        });
        state.ready.extend(late);
    }

    /// The next answer, or none when all have been taken.
    fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<AnswerFrom<Args>>> {
        let mut state = lock(&self.state);
        if let Some(answer) = state.ready.pop_front() {
            return Poll::Ready(Some(answer));
        }
        if state.missing_count == 0 {
            return Poll::Ready(None);
        }
        let before = state.waiting.replace(context.waker().clone());
        drop(state);
        // Wakers are somebody else's code.
        drop(before);
        Poll::Pending
    }
}

/// The answers of the recipients on this node. It ends when the last of them has come, at the latest at the deadline,
/// with a [`Timeout`](AckError::Timeout) for each that is missing then.
pub(crate) struct LocalAnswers {
    collector: Arc<Collector>,
    /// None when no more answer is waited for. Dropping it makes the sockets forget that they were asked.
    pending: Option<Pending>,
    deadline: Instant,
    /// From the first time on that somebody has to wait, since a timer needs a runtime.
    timer: Option<Pin<Box<Sleep>>>,
}

impl LocalAnswers {
    pub(crate) fn new(collector: Arc<Collector>, pending: Pending, deadline: Instant) -> Self {
        Self {
            collector,
            pending: Some(pending),
            deadline,
            timer: None,
        }
    }
}

impl Stream for LocalAnswers {
    type Item = AnswerFrom<Args>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<AnswerFrom<Args>>> {
        let this = &mut *self;
        let next = this.collector.poll_next(context);
        if next.is_ready() {
            if matches!(next, Poll::Ready(None)) {
                (this.pending, this.timer) = (None, None);
            }
            return next;
        }
        let deadline = this.deadline;
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        // First, so that an answer that comes from now on is counted as one that nobody waits for.
        this.pending = None;
        this.collector.expire();
        this.collector.poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(collector: &Collector) -> Poll<Option<AnswerFrom<Args>>> {
        collector.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    fn answer(id: &str, answer: Result<Args, AckError>) -> Poll<Option<AnswerFrom<Args>>> {
        let id = Some(id.into());
        Poll::Ready(Some(AnswerFrom { id, answer }))
    }

    #[test]
    fn answers_come_in_the_order_of_their_arrival() {
        let collector = Collector::default();
        let [a, b] = ["a", "b"].map(|id| collector.expect(id.into()));
        assert_eq!(next(&collector), Poll::Pending);
        collector.fill(b, Ok(Args::default()));
        assert_eq!(next(&collector), answer("b", Ok(Args::default())));
        assert_eq!(next(&collector), Poll::Pending);
        collector.fill(a, Err(AckError::Disconnected));
        assert_eq!(next(&collector), answer("a", Err(AckError::Disconnected)));
        assert_eq!(next(&collector), Poll::Ready(None));
    }

    #[test]
    fn who_has_not_answered_is_late() {
        let collector = Collector::default();
        let [_a, b] = ["a", "b"].map(|id| collector.expect(id.into()));
        collector.fill(b, Ok(Args::default()));
        collector.expire();
        assert_eq!(next(&collector), answer("b", Ok(Args::default())));
        assert_eq!(next(&collector), answer("a", Err(AckError::Timeout)));
        assert_eq!(next(&collector), Poll::Ready(None));
    }

    #[test]
    fn without_recipients_there_is_nothing_to_wait_for() {
        assert_eq!(next(&Collector::default()), Poll::Ready(None));
    }

    #[test]
    fn only_the_first_answer_counts() {
        let collector = Collector::default();
        let place = collector.expect("a".into());
        collector.fill(place, Ok(Args::default()));
        collector.fill(place, Err(AckError::Disconnected));
        collector.fill(7, Err(AckError::Disconnected));
        assert_eq!(next(&collector), answer("a", Ok(Args::default())));
        assert_eq!(next(&collector), Poll::Ready(None));
    }
}
