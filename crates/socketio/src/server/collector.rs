//! `Collector`: the answers to a broadcast, each in its place, and the news that the last of them has come.

use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use super::lock;
use crate::{Args, error::AckError};

/// Gathers one answer from each recipient of a broadcast.
pub(crate) struct Collector {
    /// Guards plain values; nothing is called under it.
    state: Mutex<State>,
}

struct State {
    answers: Vec<Option<Result<Args, AckError>>>,
    missing: usize,
    /// Taken when all have answered; not before [`Collector::seal`].
    done: Option<oneshot::Sender<()>>,
    is_sealed: bool,
}

impl Collector {
    /// A collector, and what resolves when all recipients have answered.
    pub(crate) fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, all_here) = oneshot::channel();
        let state = State {
            answers: Vec::new(),
            missing: 0,
            done: Some(done),
            is_sealed: false,
        };
        (
            Arc::new(Self {
                state: Mutex::new(state),
            }),
            all_here,
        )
    }

    /// One more recipient. The answer is its place.
    pub(crate) fn expect(&self) -> usize {
        let mut state = lock(&self.state);
        state.answers.push(None);
        state.missing += 1;
        state.answers.len() - 1
    }

    /// There are no more recipients.
    pub(crate) fn seal(&self) {
        let mut state = lock(&self.state);
        state.is_sealed = true;
        let done = state.finish();
        drop(state);
        tell(done);
    }

    /// A recipient has answered, or never will.
    pub(crate) fn fill(&self, place: usize, answer: Result<Args, AckError>) {
        let mut state = lock(&self.state);
        let Some(empty) = state
            .answers
            .get_mut(place)
            .filter(|answer| answer.is_none())
        else {
            return;
        };
        *empty = Some(answer);
        state.missing -= 1;
        let done = state.finish();
        drop(state);
        tell(done);
    }

    /// All answers; who has not answered is too late.
    pub(crate) fn take(&self) -> Vec<Result<Args, AckError>> {
        let answers = std::mem::take(&mut lock(&self.state).answers);
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Err(AckError::Timeout)))
            .collect()
    }
}

impl State {
    fn finish(&mut self) -> Option<oneshot::Sender<()>> {
        if self.is_sealed && self.missing == 0 {
            self.done.take()
        } else {
            None
        }
    }
}

/// Nobody may be waiting any more, which is fine.
fn tell(done: Option<oneshot::Sender<()>>) {
    if let Some(done) = done {
        let _ = done.send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answer_tells() {
        let (collector, mut all_here) = Collector::new();
        let places = [collector.expect(), collector.expect()];
        collector.fill(places[1], Ok(Args::default()));
        collector.seal();
        assert!(all_here.try_recv().is_err());
        collector.fill(places[0], Err(AckError::Disconnected));
        assert!(all_here.try_recv().is_ok());
        assert_eq!(
            collector.take(),
            [Err(AckError::Disconnected), Ok(Args::default())]
        );
    }

    #[test]
    fn answers_before_the_last_recipient_is_known_do_not_tell() {
        let (collector, mut all_here) = Collector::new();
        let first = collector.expect();
        collector.fill(first, Ok(Args::default()));
        assert!(all_here.try_recv().is_err());
        collector.expect();
        collector.seal();
        assert!(all_here.try_recv().is_err());
        assert_eq!(
            collector.take(),
            [Ok(Args::default()), Err(AckError::Timeout)]
        );
    }

    #[test]
    fn without_recipients_it_tells_at_once() {
        let (collector, mut all_here) = Collector::new();
        collector.seal();
        assert!(all_here.try_recv().is_ok());
        assert_eq!(collector.take(), []);
    }

    #[test]
    fn a_place_is_filled_once() {
        let (collector, _all_here) = Collector::new();
        let place = collector.expect();
        collector.fill(place, Ok(Args::default()));
        collector.fill(place, Err(AckError::Disconnected));
        collector.fill(7, Err(AckError::Disconnected));
        assert_eq!(collector.take(), [Ok(Args::default())]);
    }
}
