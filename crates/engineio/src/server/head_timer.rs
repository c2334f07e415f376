//! `HeadTimer`: the time limit that hyper sets for each request head, with one timer a connection instead of one a request.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

use super::{lock, now, sync::Mutex};

/// The timer of one connection, which has one wait at a time. When a wait is over the alarm stays where it is, and when it
/// rings it is set anew for who waits then: most requests come long before, and need not touch it.
#[derive(Default)]
pub(super) struct HeadTimer {
    alarm: Alarm,
}

/// Locked for one poll, by the task of the connection alone: hyper wants it to be shareable.
type Alarm = Arc<Mutex<Option<Pin<Box<tokio::time::Sleep>>>>>;

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Wait {
            deadline: deadline.into(),
            alarm: self.alarm.clone(),
        })
    }

    fn now(&self) -> Instant {
        now()
    }
}

struct Wait {
    deadline: tokio::time::Instant,
    alarm: Alarm,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut alarm = lock(&self.alarm);
        let alarm = alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline)));
        if alarm.deadline() > self.deadline {
            alarm.as_mut().reset(self.deadline);
        }
        loop {
            ready!(alarm.as_mut().poll(context));
            if alarm.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_deadline() {
        let timer = HeadTimer::default();
        let begun = now();
        timer.sleep_until(begun + 5 * SECOND).await;
        assert_eq!(now() - begun, 5 * SECOND);
        // The alarm of the wait before rings for nobody.
        timer.sleep_until(begun + 7 * SECOND).await;
        assert_eq!(now() - begun, 7 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_given_up_neither_shortens_nor_lengthens_the_next() {
        let timer = HeadTimer::default();
        let begun = now();
        for (given_up, next) in [(5, 9), (30, 20)] {
            let wait = timer.sleep_until(begun + given_up * SECOND);
            assert!(tokio::time::timeout(SECOND, wait).await.is_err());
            advance(SECOND).await;
            timer.sleep_until(begun + next * SECOND).await;
            assert_eq!(now() - begun, next * SECOND);
        }
    }
}
