//! What threads meet in: locks, atomics and notifications, which the model checks put their own in the place of.
//!
//! With the feature `loom`, and in unit tests only, they are those of loom, which tries every order of what threads do
//! to them. Everything else is the standard library's and tokio's.

#[cfg(not(all(test, feature = "loom")))]
pub(crate) use self::real::*;

#[cfg(all(test, feature = "loom"))]
pub(crate) use self::modelled::*;

#[cfg(not(all(test, feature = "loom")))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};

    pub(crate) use tokio::spawn;
    pub(crate) use tokio::sync::Notify;
    pub(crate) use tokio::task::{spawn_blocking, yield_now};
}

#[cfg(all(test, feature = "loom"))]
mod modelled {
    use std::future::poll_fn;
    use std::sync::PoisonError;
    use std::task::{Poll, Waker};

    use loom::future::block_on;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, RwLock};

    /// A task is a thread.
    pub(crate) fn spawn(task: impl Future<Output = ()> + 'static) {
        loom::thread::spawn(|| block_on(task));
    }

    /// Nothing, since others have their turn at any place.
    pub(crate) async fn yield_now() {}

    /// Done in place: what is read is only ever added to.
    pub(crate) async fn spawn_blocking<T>(work: impl FnOnce() -> T) -> Result<T, String> {
        Ok(work())
    }

    /// tokio's, for one who waits: a permit, and whom to wake for it.
    #[derive(Default)]
    pub(crate) struct Notify(Mutex<(bool, Option<Waker>)>);

    impl Notify {
        pub fn new() -> Self {
            Self::default()
        }

        pub fn notify_one(&self) {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.0 = true;
            let waker = state.1.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }

        pub async fn notified(&self) {
            poll_fn(|context| {
                let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if std::mem::take(&mut state.0) {
                    return Poll::Ready(());
                }
                state.1 = Some(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }
}
