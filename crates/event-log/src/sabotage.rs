//! Faults on purpose, one for each feature `sabotage-…`, by which the tests of `protocol-tests/chaos` are tested.
//!
//! Without these features every constant is false and every function does nothing, and a build for release refuses
//! them. What is planted is a call or a constant of this module, so a search for its name finds every place.

use std::borrow::Cow;
use std::cell::RefCell;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::shared::Answer;
use crate::{Append, AppendError, Appended, Cursor, Offset, Outcome, Resync};

/// Says the answer before the commit.
const ACK_BEFORE_COMMIT: bool = cfg!(feature = "sabotage-ack-before-commit");
/// Hands an event to the subscribers before the commit.
pub(crate) const PUBLISH_BEFORE_COMMIT: bool = cfg!(feature = "sabotage-publish-before-commit");
const SKIP_RING_ROW: bool = cfg!(feature = "sabotage-skip-ring-row");
const NO_DEDUP: bool = cfg!(feature = "sabotage-no-dedup");
const CURSOR_GOES_BACK: bool = cfg!(feature = "sabotage-cursor-goes-back");
const SWAP_ROWS: bool = cfg!(feature = "sabotage-swap-rows");
const IDLE_REFUSAL: bool = cfg!(feature = "sabotage-idle-refusal");
const SILENT_RESYNC: bool = cfg!(feature = "sabotage-silent-resync");

#[cfg(all(
    not(debug_assertions),
    any(
        feature = "sabotage-ack-before-commit",
        feature = "sabotage-publish-before-commit",
        feature = "sabotage-skip-ring-row",
        feature = "sabotage-no-dedup",
        feature = "sabotage-cursor-goes-back",
        feature = "sabotage-swap-rows",
        feature = "sabotage-idle-refusal",
        feature = "sabotage-silent-resync",
        feature = "sabotage-crash"
    )
))]
compile_error!("sabotage is for tests of tests, and never for release");

/// Ends the process at places that are named to it. Their numbers are those of `chaos crashes`.
///
/// When a database is opened:
/// 1. `before-flush`: what a killed process has left may be in the system's cache alone
/// 2. `after-flush`: and now it is on the disk
/// 3. `before-mark`: the file beside the database is not written yet
/// 4. `after-mark`: it is written, and not flushed
///
/// When the history gets a new name:
/// 5. `before-rename`: the name is written, and not committed
/// 6. `after-rename`: it is committed, and the file beside the database has the old one
///
/// With a batch:
/// 7. `before-begin`
/// 8. `after-insert`
/// 9. `before-commit`
/// 10. `after-commit`
/// 11. `in-checkpoint`: somewhere in it
/// 12. `before-publish`
/// 13. `before-answers`
/// 14. `between-answers`
///
/// With what is forgotten:
/// 15. `before-trim`: readers are told, and the store holds it
/// 16. `before-forgetting`: it is deleted, and not committed
/// 17. `after-forgetting`: it is committed
///
/// A transaction of the application commits where no place of ours is: `tests/transaction_crash.rs` ends a process before
/// and behind that, and before what it has stored is published.
const CRASH: bool = cfg!(feature = "sabotage-crash");

/// Moves the write-ahead log into the database after each commit, so that there are checkpoints enough to crash in.
pub(crate) const CHECKPOINTS: bool = CRASH;

/// How often a fault is made that would otherwise leave nothing in order.
const EVERY: u64 = 97;

/// Whether the ring forgets the event at this offset.
pub(crate) fn skips(offset: Offset) -> bool {
    SKIP_RING_ROW && offset.0.is_multiple_of(EVERY)
}

/// As what an append is stored: under a key that no retry will find.
pub(crate) fn stored_as(append: &Append, offset: Offset) -> Cow<'_, Append> {
    if !NO_DEDUP {
        return Cow::Borrowed(append);
    }
    Cow::Owned(Append {
        key: format!("{}#{offset}", append.key),
        ..append.clone()
    })
}

/// Where somebody begins who has everything up to here.
pub(crate) fn cursor(have: Offset) -> Offset {
    if CURSOR_GOES_BACK {
        Offset(have.0.saturating_sub(1))
    } else {
        have
    }
}

/// Where a reader begins whose cursor means nothing here: at what is new, without a word.
pub(crate) fn unfit(resync: Resync) -> Result<Cursor<'static>, Resync> {
    if SILENT_RESYNC {
        Ok(Cursor::from(resync.last))
    } else {
        Err(resync)
    }
}

/// Puts two events of a batch the other way round.
pub(crate) fn swap<T>(frames: &mut [T]) {
    if SWAP_ROWS && let [first, second, ..] = frames {
        std::mem::swap(first, second);
    }
}

/// What is answered: now and then a refusal, although all went well.
pub(crate) fn answer(outcome: Outcome) -> Result<Appended, AppendError> {
    match outcome {
        Outcome::Stored(offset) if IDLE_REFUSAL && offset.0.is_multiple_of(EVERY) => {
            Err(AppendError::Unavailable)
        }
        outcome => outcome.answer(),
    }
}

thread_local! {
    /// What is done between a batch and its commit: the writer puts it here and the store, on the same thread, runs it.
    static EARLY: RefCell<Option<Early>> = const { RefCell::new(None) };
}

type Early = Box<dyn FnOnce(&[Outcome])>;

/// How long the commit is put off, so that a crash can come in between.
const DELAY: Duration = Duration::from_millis(5);

/// Takes the answers away, to be given before the commit, and leaves some that reach nobody.
pub(crate) fn answer_early(answers: Vec<Answer<Appended>>) -> Vec<Answer<Appended>> {
    if !ACK_BEFORE_COMMIT {
        return answers;
    }
    let deaf = answers.iter().map(|_| oneshot::channel().0).collect();
    EARLY.set(Some(Box::new(move |outcomes| {
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            let _ = answer.send(outcome.answer());
        }
    })));
    deaf
}

/// Lets a batch be published before the commit, by a closure that is given the outcomes.
pub(crate) fn publish_early(publish: impl FnOnce(&[Outcome]) + 'static) {
    if PUBLISH_BEFORE_COMMIT {
        EARLY.set(Some(Box::new(publish)));
    }
}

/// Where the store is about to commit.
pub(crate) fn before_commit(outcomes: &[Outcome]) {
    if (ACK_BEFORE_COMMIT || PUBLISH_BEFORE_COMMIT)
        && let Some(early) = EARLY.take()
    {
        early(outcomes);
        thread::sleep(DELAY);
    }
}

/// Ends the process as a crash does, if this is the place that the environment variable `CRASH_AT` names and it is passed
/// for the nth time: as in `after-commit 7`.
pub(crate) fn crash(place: &str) {
    if crashes_at(place).is_some() {
        process::abort();
    }
}

/// As `crash`, but within the next 2 ms and while this thread goes on.
pub(crate) fn crash_meanwhile(place: &str) {
    if let Some(times) = crashes_at(place) {
        thread::spawn(move || {
            thread::sleep(Duration::from_micros(times * 137 % 2_000));
            process::abort();
        });
    }
}

/// Whether this is the place and the time, and which time that is.
fn crashes_at(place: &str) -> Option<u64> {
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if !CRASH {
        return None;
    }
    let at = std::env::var("CRASH_AT").unwrap_or_default();
    let (wanted, times) = at.split_once(' ')?;
    let times = times.parse().ok()?;
    let is_now = wanted == place && times == PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    is_now.then_some(times)
}
