//! What the publisher has to do next: streams to walk, and subscribers that begin to catch up.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::catch_up::CatchUp;
use crate::stream::Stream;
use crate::sync::{AtomicUsize, Mutex, MutexGuard, Notify};
use crate::{End, Frame};

/// A list that anybody adds to without waiting, and one publisher empties.
pub(crate) struct Signal<F> {
    // Held to push to or to take a vector.
    work: Mutex<Work<F>>,
    notify: Notify,
    /// How many subscribers are catching up.
    pub catching_up: Arc<AtomicUsize>,
}

/// Bounded by what exists: a stream stands here once, a subscriber once.
pub(crate) struct Work<F> {
    pub dirty: Vec<Arc<Stream<F>>>,
    pub starting: Vec<CatchUp<F>>,
    open: bool,
}

impl<F: Frame> Signal<F> {
    pub fn new() -> Self {
        Self {
            work: Mutex::new(Work {
                dirty: Vec::new(),
                starting: Vec::new(),
                open: true,
            }),
            notify: Notify::new(),
            catching_up: Arc::default(),
        }
    }

    /// The stream's tail has moved, or a member is to be swept out.
    pub fn dirty(&self, stream: &Arc<Stream<F>>) {
        if !stream.dirty.swap(true, Ordering::SeqCst) {
            let _ = self.add(Arc::clone(stream), |work| &mut work.dirty);
        }
    }

    /// A subscriber is behind.
    pub fn starting(&self, catch_up: CatchUp<F>) {
        if let Err(catch_up) = self.add(catch_up, |work| &mut work.starting) {
            catch_up.end(End::Closed);
        }
    }

    /// What has come up since the last time.
    pub fn take(&self) -> Work<F> {
        let mut work = self.lock();
        let open = work.open;
        let empty = Work {
            dirty: Vec::new(),
            starting: Vec::new(),
            open,
        };
        std::mem::replace(&mut work, empty)
    }

    /// Waits for something to come up.
    pub async fn arrived(&self) {
        self.notify.notified().await;
    }

    /// Ends everybody who is about to start, now and from now on: the publisher is gone.
    pub fn close(&self) {
        self.work
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open = false;
        for catch_up in self.take().starting {
            catch_up.end(End::Closed);
        }
    }

    /// Whether there is a publisher.
    pub fn is_open(&self) -> bool {
        self.lock().open
    }

    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Adds to one of the lists, or gives back what is too late.
    fn add<T>(&self, item: T, list: impl FnOnce(&mut Work<F>) -> &mut Vec<T>) -> Result<(), T> {
        let mut work = self.lock();
        if !work.open {
            return Err(item);
        }
        list(&mut work).push(item);
        drop(work);
        self.notify.notify_one();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Work<F>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
