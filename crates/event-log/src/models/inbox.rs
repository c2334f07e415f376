//! The queue in front of the writer: nobody who waits is forgotten, its bound holds, and its end is its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loom::thread::{self, JoinHandle};

use super::every_order;
use crate::inbox::{Gather, Inbox, Refused, Taken};

/// A moment to count from; no time passes in a model.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Two threads that push a number each, and tell it again.
fn pushers(inbox: &Arc<Inbox<u8>>) -> [JoinHandle<(u8, Result<(), Refused>)>; 2] {
    [1, 2].map(|item| {
        let inbox = Arc::clone(inbox);
        thread::spawn(move || (item, inbox.push(item)))
    })
}

#[test]
fn a_taker_is_woken_for_everything_that_is_pushed() {
    let now = now();
    every_order(3, move || {
        let inbox = Arc::new(Inbox::new(2));
        let pushers = pushers(&inbox);
        let gather = Gather::new(9, Duration::ZERO);
        let mut taken = Vec::new();
        while taken.len() < 2 {
            match inbox.take(&gather, None, || now) {
                Taken::Batch(batch) => taken.extend(batch),
                ended => panic!("{ended:?}"),
            }
        }
        taken.sort_unstable();
        assert_eq!(taken, [1, 2]);
        for pusher in pushers {
            assert_eq!(pusher.join().unwrap().1, Ok(()));
        }
    });
}

#[test]
fn a_taker_that_expects_several_is_woken_by_the_last_of_them() {
    let now = now();
    every_order(3, move || {
        let inbox = Arc::new(Inbox::new(2));
        let pushers = pushers(&inbox);
        // The last batch had two, so two are expected back; this model has no time that could end the wait instead.
        let mut gather = Gather::new(9, Duration::from_millis(1));
        gather.stored(2, 0, Duration::from_millis(1), now);
        let Taken::Batch(mut batch) = inbox.take(&gather, None, || now) else {
            panic!("closed");
        };
        batch.sort_unstable();
        assert_eq!(batch, [1, 2]);
        for pusher in pushers {
            assert_eq!(pusher.join().unwrap().1, Ok(()));
        }
    });
}

#[test]
fn what_was_accepted_before_the_close_is_taken_and_nothing_else() {
    let now = now();
    every_order(3, move || {
        let inbox = Arc::new(Inbox::new(1));
        let pushers = pushers(&inbox);
        let closer = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || inbox.close())
        };
        let gather = Gather::new(9, Duration::ZERO);
        let mut taken = Vec::new();
        loop {
            match inbox.take(&gather, None, || now) {
                Taken::Batch(batch) => {
                    assert_eq!(batch.len(), 1, "the bound");
                    taken.extend(batch);
                }
                Taken::Closed => break,
                Taken::Idle => panic!("there is no end to its patience"),
            }
        }
        let mut accepted = Vec::new();
        for pusher in pushers {
            match pusher.join().unwrap() {
                (item, Ok(())) => accepted.push(item),
                (_, Err(Refused::Full | Refused::Closed)) => {}
            }
        }
        closer.join().unwrap();
        taken.sort_unstable();
        assert_eq!(taken, accepted);
    });
}
