//! The only one who writes: stores a batch, publishes it, and hands out the answers, in that order.
//!
//! ```text
//!   step ─► settle ─► store.append ─► ring and tail ─► walk is asked for ─► answers
//!             ▲            │ error or panic
//!             └─ in doubt ◄┘   (nothing is answered as stored)
//! ```
//!
//! After a failure nobody knows whether the transaction went through. The writer is then *in doubt*: before
//! anything else it reads what the store really holds and publishes that. So a row that was stored against all
//! appearance reaches the subscribers, a retry of it finds it, and no offset is given twice.

mod forget;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use self::forget::Ahead;
use crate::shared::{Answer, Job, Shared};
use crate::stats::count;
use crate::stream::{OutOfOrder, Stream};
use crate::{
    Append, AppendError, Appended, Event, Frame, Offset, Outcome, Store, StoreError, sabotage,
};

/// The writing side of a log, driven by a thread or by a simulation.
pub(crate) struct Writer<S, F> {
    store: S,
    shared: Arc<Shared<F>>,
    in_doubt: bool,
    /// What the events of each stream weigh, if their retention asks for that.
    bytes: HashMap<Arc<str>, u64>,
    /// The streams of which the store may still hold what is forgotten: that failed, and is tried again.
    untrimmed: HashSet<Arc<str>>,
    /// The streams that begin with many events of the future, if events are forgotten by their age.
    ahead: HashMap<Arc<str>, Ahead>,
    /// Whether the last step failed, so that only changes are logged.
    failing: bool,
}

/// The answers of a step, which may be sent because everything before them is done.
#[must_use = "unsent answers say unavailable"]
pub(crate) struct Answers(Vec<(Answer<Appended>, Result<Appended, AppendError>)>);

impl Answers {
    pub fn send(self) {
        sabotage::crash("before-answers");
        for (answer, result) in self.0 {
            sabotage::crash("between-answers");
            // Nobody may be listening any more, and the event is stored all the same.
            let _ = answer.send(result);
        }
    }
}

impl<S: Store, F: Frame> Writer<S, F> {
    pub fn new(store: S, shared: Arc<Shared<F>>) -> Self {
        Self {
            store,
            shared,
            in_doubt: false,
            bytes: HashMap::new(),
            untrimmed: HashSet::new(),
            ahead: HashMap::new(),
            failing: false,
        }
    }

    pub fn shared(&self) -> &Arc<Shared<F>> {
        &self.shared
    }

    /// Whether the store may hold events that are not published.
    pub fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Does a batch of jobs: stores and publishes, or refuses all of them.
    pub fn step(&mut self, jobs: Vec<Job<F>>) -> Answers {
        let mut appends = Vec::with_capacity(jobs.len());
        let mut streams = Vec::with_capacity(jobs.len());
        let mut answers = Vec::with_capacity(jobs.len());
        let mut trims = Vec::new();
        let mut refreshes = Vec::new();
        for job in jobs {
            match job {
                Job::Append {
                    append,
                    stream,
                    answer,
                } => {
                    appends.push(append);
                    streams.push(stream);
                    answers.push(answer);
                }
                Job::Trim {
                    stream,
                    first,
                    answer,
                } => trims.push((stream, first, answer)),
                Job::Refresh { answer } => refreshes.push(answer),
            }
        }
        if !refreshes.is_empty() {
            self.store.stored_by_others();
            self.in_doubt = true;
        }
        let answers = sabotage::answer_early(answers);
        let stored = self.guarded(|writer| writer.store_and_publish(appends, &streams));
        let results = match stored {
            Ok(outcomes) => self.results(&outcomes),
            Err(error) => vec![Err(self.refuse(&error, answers.len())); answers.len()],
        };
        // Whatever became of the batch: it is tried again if that went wrong, and done already if it did not.
        let published = match refreshes.is_empty() {
            true => Ok(()),
            false => self.guarded(Self::publish_stored),
        };
        for answer in refreshes {
            let _ = answer.send(published.as_ref().map_err(refusal).copied());
        }
        for (stream, first, answer) in trims {
            let trimmed = self.guarded(|writer| writer.forget_before(&stream, first));
            let _ = answer.send(trimmed.map_err(|error| refusal(&error)));
        }
        Answers(answers.into_iter().zip(results).collect())
    }

    /// Publishes what the store holds, if that is in doubt.
    pub fn settle(&mut self) {
        let _ = self.guarded(Self::publish_stored);
    }

    /// Closes the store in good order.
    pub fn close(self) -> Result<(), StoreError> {
        let store = self.store;
        catch_unwind(AssertUnwindSafe(|| store.close())).unwrap_or_else(|_| Err(panicked()))
    }

    fn store_and_publish(
        &mut self,
        appends: Vec<Append>,
        streams: &[Arc<Stream<F>>],
    ) -> Result<Vec<Outcome>, StoreError> {
        self.publish_stored()?;
        if appends.is_empty() {
            return Ok(Vec::new());
        }
        // Ends only with the last row in its ring, so that neither an error nor a panic in between is overlooked.
        self.in_doubt = true;
        if sabotage::PUBLISH_BEFORE_COMMIT {
            self.publish_early(&appends, streams);
        }
        let outcomes = self.store.append(&appends)?;
        if outcomes.len() != appends.len() {
            return Err(StoreError::Corrupt(
                "the store gave another number of outcomes than of appends".to_owned(),
            ));
        }
        sabotage::crash("before-publish");
        let mut new: Vec<(&Arc<Stream<F>>, Vec<Event>)> = Vec::new();
        for ((append, stream), outcome) in appends.into_iter().zip(streams).zip(&outcomes) {
            let Outcome::Stored(offset) = *outcome else {
                continue;
            };
            let event = stored(append, stream, offset);
            match new.iter_mut().find(|(known, _)| Arc::ptr_eq(known, stream)) {
                Some((_, events)) => events.push(event),
                None => new.push((stream, vec![event])),
            }
        }
        if sabotage::PUBLISH_BEFORE_COMMIT {
            new.clear();
        }
        for (stream, events) in new {
            self.publish(stream, &events)?;
        }
        self.in_doubt = false;
        Ok(outcomes)
    }

    /// Never called but by sabotage.
    fn publish_early(&self, appends: &[Append], streams: &[Arc<Stream<F>>]) {
        let (appends, streams) = (appends.to_vec(), streams.to_vec());
        let shared = Arc::clone(&self.shared);
        sabotage::publish_early(move |outcomes| {
            for ((append, stream), outcome) in appends.into_iter().zip(streams).zip(outcomes) {
                if let Outcome::Stored(offset) = *outcome {
                    let frame = shared.frame(&stored(append, &stream, offset));
                    let _ = stream.publish(offset, vec![frame]);
                }
            }
        });
    }

    /// Brings all streams to where the store is.
    fn publish_stored(&mut self) -> Result<(), StoreError> {
        if !self.in_doubt {
            return Ok(());
        }
        for (name, bounds) in self.shared.reader.streams()? {
            let stream = self.shared.stored_stream(&name);
            self.publish_up_to(&stream, bounds.last)?;
        }
        self.in_doubt = false;
        Ok(())
    }

    fn publish_up_to(&mut self, stream: &Arc<Stream<F>>, last: Offset) -> Result<(), StoreError> {
        loop {
            let tail = stream.bounds().last;
            if tail >= last {
                return Ok(());
            }
            let page = self.shared.page(last.0 - tail.0);
            let events = self.shared.reader.page_after(&stream.name, tail, page)?;
            if events.is_empty() {
                return Err(missing(stream, tail.next()));
            }
            self.publish_in_order(stream, &events)?;
        }
    }

    fn publish(&mut self, stream: &Arc<Stream<F>>, events: &[Event]) -> Result<(), StoreError> {
        if let Some(first) = events.first() {
            // Whatever else the store gave offsets to comes first.
            self.publish_up_to(stream, Offset(first.offset.0 - 1))?;
            self.publish_in_order(stream, events)?;
        }
        Ok(())
    }

    fn publish_in_order(
        &mut self,
        stream: &Arc<Stream<F>>,
        events: &[Event],
    ) -> Result<(), StoreError> {
        let Some(first) = events.first().map(|event| event.offset) else {
            return Ok(());
        };
        for (event, expected) in events.iter().zip(first.0..) {
            if event.offset.0 != expected {
                return Err(missing(stream, Offset(expected)));
            }
        }
        let mut frames: Vec<_> = events
            .iter()
            .map(|event| self.shared.frame(event))
            .collect();
        sabotage::swap(&mut frames);
        self.weigh(stream, events);
        stream
            .publish(first, frames)
            .map_err(|OutOfOrder { tail }| {
                let name = &stream.name;
                StoreError::Corrupt(format!(
                    "stream {name:?} was at {tail} and the store gave {first}"
                ))
            })
    }

    fn trim(&mut self, stream: &Arc<Stream<F>>, first: Offset) -> Result<(), StoreError> {
        let first = first.min(stream.bounds().last.next());
        // Told first, so that nobody starts where there is about to be nothing.
        stream.trim(first);
        self.untrimmed.insert(Arc::clone(&stream.name));
        sabotage::crash("before-trim");
        self.store.trim(&stream.name, first)?;
        self.untrimmed.remove(&stream.name);
        Ok(())
    }

    /// Turns a panic of the store or the encoder into an error, and logs when failing begins and ends.
    fn guarded<T>(
        &mut self,
        run: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let result =
            catch_unwind(AssertUnwindSafe(|| run(self))).unwrap_or_else(|_| Err(panicked()));
        match &result {
            Ok(_) if self.failing => tracing::info!("the log stores again"),
            Err(error) if !self.failing => tracing::warn!(%error, "the log cannot store"),
            _ => {}
        }
        self.failing = result.is_err();
        result
    }

    /// Says how to refuse a batch of so many, and counts them.
    ///
    /// A busy store has just let a batch wait for as long as one is willing to. Those who queued up meanwhile would
    /// wait as long again, and the last of them many times as long, so they are told at once.
    fn refuse(&self, error: &StoreError, batch: usize) -> AppendError {
        let counters = &self.shared.counters;
        let refusal = refusal(error);
        if refusal != AppendError::Busy {
            count(&counters.unavailable, batch);
            return refusal;
        }
        let waiting = self.shared.inbox.take_now(usize::MAX);
        count(&counters.busy, batch + waiting.len());
        for job in waiting {
            let _ = match job {
                Job::Append { answer, .. } => answer.send(Err(refusal)).is_ok(),
                Job::Trim { answer, .. } | Job::Refresh { answer } => {
                    answer.send(Err(refusal)).is_ok()
                }
            };
        }
        refusal
    }

    fn results(&self, outcomes: &[Outcome]) -> Vec<Result<Appended, AppendError>> {
        let counters = &self.shared.counters;
        let of = |wanted: fn(&Outcome) -> bool| {
            outcomes.iter().filter(|outcome| wanted(outcome)).count()
        };
        let rows = of(|outcome| matches!(outcome, Outcome::Stored(_)));
        count(&counters.rows, rows);
        count(&counters.commits, usize::from(rows > 0));
        count(
            &counters.duplicates,
            of(|outcome| matches!(outcome, Outcome::Duplicate(_))),
        );
        count(
            &counters.conflicts,
            of(|outcome| *outcome == Outcome::Conflict),
        );
        count(
            &counters.unavailable,
            of(|outcome| *outcome == Outcome::Unreadable),
        );
        outcomes.iter().copied().map(sabotage::answer).collect()
    }
}

fn stored<F>(append: Append, stream: &Stream<F>, offset: Offset) -> Event {
    Event {
        stream: Arc::clone(&stream.name),
        offset,
        author: append.author,
        key: append.key,
        content: append.content,
        at: append.at,
    }
}

fn refusal(error: &StoreError) -> AppendError {
    match error {
        StoreError::Busy => AppendError::Busy,
        StoreError::Closed => AppendError::Closed,
        StoreError::Unavailable(_) | StoreError::Corrupt(_) => AppendError::Unavailable,
    }
}

fn missing<F>(stream: &Stream<F>, offset: Offset) -> StoreError {
    StoreError::Corrupt(format!("stream {:?} has no event {offset}", stream.name))
}

fn panicked() -> StoreError {
    StoreError::Unavailable("the writer panicked".to_owned())
}
