//! Wake-ups that cross from one thread to another: a worker is woken once for all of its tasks that are.
//!
//! To wake a task of another runtime costs a system call, each time. A broadcast wakes hundreds, and a room half of its
//! members: they are put into the worker's list, and it wakes them itself.

use std::{
    cell::RefCell,
    mem,
    sync::Arc,
    task::{Context, Waker},
};

use super::{lock, sync::Mutex};

thread_local! {
    /// On a worker's thread, its list.
    static HERE: RefCell<Option<Arc<WakeList>>> = const { RefCell::new(None) };
}

/// The tasks of a worker that others want to wake.
#[derive(Default)]
pub(super) struct WakeList {
    /// Guards the list. It is held to add one or to take them all; no other lock is taken under it.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// At most one of each transport that has parked.
    tasks: Vec<Waker>,
    /// What wakes the worker, from its first visit on.
    worker: Option<Waker>,
}

impl WakeList {
    /// A list, which from now on is this thread's.
    pub(super) fn here() -> Arc<Self> {
        let list = Arc::<Self>::default();
        HERE.set(Some(list.clone()));
        list
    }

    /// Wakes the tasks that others have put here. Whoever calls it is woken when there are more.
    pub(super) fn wake(&self, context: &mut Context<'_>) {
        let mut state = lock(&self.state);
        if state
            .worker
            .as_ref()
            .is_none_or(|worker| !worker.will_wake(context.waker()))
        {
            state.worker = Some(context.waker().clone());
        }
        let tasks = mem::take(&mut state.tasks);
        drop(state);
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Whether it is this thread's own, which then wakes its tasks itself.
    fn is_here(self: &Arc<Self>) -> bool {
        HERE.with_borrow(|here| here.as_ref().is_some_and(|here| Arc::ptr_eq(here, self)))
    }

    pub(super) fn add(&self, task: Waker) {
        let mut state = lock(&self.state);
        state.tasks.push(task);
        let is_first = state.tasks.len() == 1;
        let worker = if is_first { state.worker.clone() } else { None };
        drop(state);
        if let Some(worker) = worker {
            worker.wake();
        }
    }
}

/// A task that waits, and the worker it is on.
pub(super) struct Parked {
    task: Waker,
    worker: Option<Arc<WakeList>>,
}

impl Parked {
    /// A task that is polled here and now.
    pub(super) fn here(task: &Waker) -> Self {
        Self {
            task: task.clone(),
            worker: HERE.with_borrow(Option::clone),
        }
    }

    pub(super) fn wake(self) {
        match self.worker {
            Some(worker) if !worker.is_here() => worker.add(self.task),
            _ => self.task.wake(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
        thread,
    };

    use super::*;

    /// Counts how often it was woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn waker() -> (Arc<Count>, Waker) {
        let count = Arc::<Count>::default();
        (count.clone(), Waker::from(count))
    }

    fn of(count: &Count) -> usize {
        count.0.load(Ordering::SeqCst)
    }

    #[test]
    fn a_worker_is_woken_once_for_all_tasks_that_others_wake() {
        let (tasks, task) = waker();
        let (worker_count, worker) = waker();
        // A worker that has gone to sleep after its tasks have parked.
        let (list, parked) = thread::spawn(move || {
            let list = WakeList::here();
            let parked: Vec<_> = (0..10).map(|_| Parked::here(&task)).collect();
            list.wake(&mut Context::from_waker(&worker));
            (list, parked)
        })
        .join()
        .unwrap();
        parked.into_iter().for_each(Parked::wake);
        assert_eq!((of(&worker_count), of(&tasks)), (1, 0));
        // It may sleep on another place next time.
        let (moved_count, moved) = waker();
        list.wake(&mut Context::from_waker(&moved));
        assert_eq!((of(&worker_count), of(&tasks)), (1, 10));
        let (_, task) = waker();
        list.add(task);
        assert_eq!((of(&worker_count), of(&moved_count)), (1, 1));
    }

    #[test]
    fn what_is_woken_before_a_worker_sleeps_for_the_first_time_is_not_lost() {
        let (tasks, task) = waker();
        let (_, worker) = waker();
        let list = WakeList::default();
        list.add(task);
        list.wake(&mut Context::from_waker(&worker));
        assert_eq!(of(&tasks), 1);
    }

    #[test]
    fn a_task_of_the_same_thread_is_woken_at_once() {
        let (tasks, task) = waker();
        let without_a_worker = task.clone();
        thread::spawn(move || Parked::here(&without_a_worker).wake())
            .join()
            .unwrap();
        assert_eq!(of(&tasks), 1);
        thread::spawn(move || {
            let _list = WakeList::here();
            Parked::here(&task).wake();
        })
        .join()
        .unwrap();
        assert_eq!(of(&tasks), 2);
    }
}
