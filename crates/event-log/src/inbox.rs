//! The bounded queue in front of the writer, and the rule by which it gathers a batch.
//!
//! The rule: take what is waiting and commit it, since while that commit runs the next batch gathers by itself.
//! Alone this would split many appenders, each waiting for its own answer, into two groups that take turns.
//! So after a batch the writer expects its appenders back, together with those who were waiting meanwhile,
//! and gives them as long as the batch itself took (at most `Config::batch_delay`, counted from the batch's end).
//! A lone appender is never delayed: nobody else is expected. Nor is the first one after a pause: the time is over.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, MutexGuard};

/// A queue from many threads to one.
pub(crate) struct Inbox<T> {
    // Held for a push or a take of pointers, never while anything is stored.
    queue: Mutex<Queue<T>>,
    arrived: Condvar,
    limit: usize,
}

struct Queue<T> {
    items: VecDeque<T>,
    open: bool,
    /// While the taker sleeps: how many must be there before it is worth waking it.
    wake_at: Option<usize>,
}

/// Why the inbox did not take an item.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Full,
    Closed,
}

/// What [`Inbox::take`] ended with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Batch(Vec<T>),
    /// Nothing came for as long as the caller was willing to wait.
    Idle,
    /// Nothing is left, and nothing will come.
    Closed,
}

impl<T> Inbox<T> {
    pub fn new(limit: usize) -> Self {
        Self {
            queue: Mutex::new(Queue {
                items: VecDeque::new(),
                open: true,
                wake_at: None,
            }),
            arrived: Condvar::new(),
            limit,
        }
    }

    pub fn push(&self, item: T) -> Result<(), Refused> {
        let mut queue = self.lock();
        if !queue.open {
            return Err(Refused::Closed);
        }
        if queue.items.len() >= self.limit {
            return Err(Refused::Full);
        }
        queue.items.push_back(item);
        let len = queue.items.len();
        let wake = queue.wake_at.take_if(|wake_at| len >= *wake_at).is_some();
        drop(queue);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Takes no more items; those inside are still to be taken out.
    pub fn close(&self) {
        self.lock().open = false;
        self.arrived.notify_one();
    }

    /// Whether nothing is left inside, and nothing will come.
    pub fn is_done(&self) -> bool {
        let queue = self.lock();
        !queue.open && queue.items.is_empty()
    }

    /// What is waiting, up to `most`, without waiting for more.
    pub fn take_now(&self, most: usize) -> Vec<T> {
        let mut queue = self.lock();
        let count = queue.items.len().min(most);
        queue.items.drain(..count).collect()
    }

    /// Waits for a batch as `gather` wants it, for at most `patience` if nothing comes at all.
    pub fn take(
        &self,
        gather: &Gather,
        patience: Option<Duration>,
        now: impl Fn() -> Instant,
    ) -> Taken<T> {
        let give_up = patience.map(|patience| now() + patience);
        let mut queue = self.lock();
        loop {
            let waiting = queue.items.len();
            let wait = if waiting == 0 {
                if !queue.open {
                    return Taken::Closed;
                }
                let left = give_up.map(|give_up| give_up.saturating_duration_since(now()));
                if left == Some(Duration::ZERO) {
                    return Taken::Idle;
                }
                queue.wake_at = Some(1);
                left
            } else {
                let more = gather.wait_for_more(waiting, now()).filter(|_| queue.open);
                let Some(more) = more else {
                    let count = waiting.min(gather.most);
                    return Taken::Batch(queue.items.drain(..count).collect());
                };
                queue.wake_at = Some(gather.expected);
                Some(more)
            };
            queue = match wait {
                None => self
                    .arrived
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let woken = self.arrived.wait_timeout(queue, time);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Decides when a batch is worth committing.
pub(crate) struct Gather {
    /// `Config::batch_rows`
    most: usize,
    /// `Config::batch_delay`
    delay: Duration,
    expected: usize,
    until: Option<Instant>,
}

impl Gather {
    pub fn new(most: usize, delay: Duration) -> Self {
        Self {
            most: most.max(1),
            delay,
            expected: 1,
            until: None,
        }
    }

    /// Notes that a batch is stored, just before its appenders hear of it.
    pub fn stored(&mut self, batch: usize, waiting: usize, took: Duration, now: Instant) {
        self.expected = (batch + waiting).clamp(1, self.most);
        self.until = Some(now + took.min(self.delay));
    }

    /// How long to wait for more, if at all.
    pub fn wait_for_more(&self, waiting: usize, now: Instant) -> Option<Duration> {
        if waiting >= self.expected {
            return None;
        }
        let left = self.until?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    const DELAY: Duration = Duration::from_millis(2);

    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary moment to count from"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn refuses_what_is_over_the_limit() {
        let inbox = Inbox::new(2);
        assert_eq!(inbox.push(1), Ok(()));
        assert_eq!(inbox.push(2), Ok(()));
        assert_eq!(inbox.push(3), Err(Refused::Full));
        assert_eq!(inbox.take_now(1), [1]);
        assert_eq!(inbox.push(4), Ok(()));
        assert_eq!(inbox.take_now(9), [2, 4]);
    }

    #[test]
    fn a_closed_inbox_is_emptied_before_it_ends() {
        let inbox = Inbox::new(9);
        let gather = Gather::new(2, DELAY);
        (1..=3).for_each(|item| assert_eq!(inbox.push(item), Ok(())));
        inbox.close();
        assert!(!inbox.is_done());
        assert_eq!(inbox.push(4), Err(Refused::Closed));
        assert_eq!(inbox.take(&gather, None, start), Taken::Batch(vec![1, 2]));
        assert_eq!(inbox.take(&gather, None, start), Taken::Batch(vec![3]));
        assert!(inbox.is_done());
        assert_eq!(inbox.take(&gather, None, start), Taken::Closed);
    }

    #[test]
    fn patience_ends() {
        let inbox = Inbox::<()>::new(9);
        let taken = inbox.take(&Gather::new(2, DELAY), Some(Duration::ZERO), start);
        assert_eq!(taken, Taken::Idle);
    }

    #[test]
    fn a_waiting_taker_is_woken() {
        let inbox = Arc::new(Inbox::new(9));
        let pusher = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.push(7)
        });
        assert_eq!(
            inbox.take(&Gather::new(2, DELAY), None, start),
            Taken::Batch(vec![7])
        );
        assert!(matches!(pusher.join(), Ok(Ok(()))));
    }

    #[test]
    fn a_lone_appender_is_not_delayed() {
        let now = start();
        let mut gather = Gather::new(256, DELAY);
        assert_eq!(gather.wait_for_more(1, now), None);
        gather.stored(1, 0, DELAY, now);
        assert_eq!(gather.wait_for_more(1, now), None);
    }

    #[test]
    fn the_appenders_of_a_batch_are_expected_back_with_those_who_wait() {
        let now = start();
        let mut gather = Gather::new(256, DELAY);
        gather.stored(20, 30, Duration::from_millis(1), now);
        assert_eq!(
            gather.wait_for_more(30, now),
            Some(Duration::from_millis(1))
        );
        assert_eq!(
            gather.wait_for_more(49, now + Duration::from_micros(400)),
            Some(Duration::from_micros(600))
        );
        assert_eq!(gather.wait_for_more(50, now), None);
        assert_eq!(
            gather.wait_for_more(30, now + Duration::from_millis(1)),
            None
        );
    }

    #[test]
    fn the_wait_is_bounded_by_the_delay_and_the_batch_size() {
        let now = start();
        let mut gather = Gather::new(256, DELAY);
        gather.stored(200, 100, Duration::from_secs(5), now);
        assert_eq!(gather.wait_for_more(255, now), Some(DELAY));
        assert_eq!(gather.wait_for_more(256, now), None);
        assert_eq!(gather.wait_for_more(1, now + Duration::from_secs(1)), None);
    }
}
