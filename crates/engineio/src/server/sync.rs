//! What threads meet in: locks, atomics and notifications, which the model checks put their own in the place of.
//!
//! With the feature `loom`, and in unit tests only, they are those of loom, which tries every order of what threads do
//! to them. Everything else is the standard library's and tokio's.

#[cfg(not(all(test, feature = "loom")))]
pub(super) use self::real::*;

#[cfg(all(test, feature = "loom"))]
pub(super) use self::modelled::*;

#[cfg(not(all(test, feature = "loom")))]
mod real {
    pub(in super::super) use std::sync::{
        Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    };

    pub(in super::super) use tokio::sync::Notify;
}

#[cfg(all(test, feature = "loom"))]
mod modelled {
    use std::{
        mem,
        pin::Pin,
        sync::PoisonError,
        task::{Context, Poll, Waker},
    };

    pub(in super::super) use loom::sync::{
        Mutex, MutexGuard, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    };

    /// tokio's: a permit for one, and a call to all who wait or are about to.
    #[derive(Default)]
    pub(in super::super) struct Notify(Mutex<State>);

    #[derive(Default)]
    struct State {
        permit: bool,
        calls: u64,
        waiting: Vec<Waker>,
    }

    /// Waits for the permit, or for a call after its own making.
    pub(in super::super) struct Notified<'a> {
        notify: &'a Notify,
        calls: u64,
    }

    impl Notify {
        pub(in super::super) fn new() -> Self {
            Self::default()
        }

        pub(in super::super) fn notify_one(&self) {
            self.change(|state| state.permit = true);
        }

        pub(in super::super) fn notify_waiters(&self) {
            self.change(|state| state.calls += 1);
        }

        pub(in super::super) fn notified(&self) -> Notified<'_> {
            let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Notified {
                notify: self,
                calls: state.calls,
            }
        }

        /// Wakes everybody: who has got nothing waits again.
        fn change(&self, change: impl FnOnce(&mut State)) {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut state);
            let waiting = mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    impl Notified<'_> {
        /// It is enabled from its making on.
        pub(in super::super) fn enable(self: Pin<&mut Self>) {}
    }

    impl Future for Notified<'_> {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            let mut state = self.notify.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.calls != self.calls || mem::take(&mut state.permit) {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        }
    }
}
