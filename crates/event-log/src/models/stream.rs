//! Ring, signal, live set and replay: every subscriber is offered every event, once and in order, whoever else does
//! whatever meanwhile.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError};
use std::task::{Poll, Waker};

use loom::future::block_on;
use loom::thread::{self, JoinHandle};
use tokio::sync::{oneshot, watch};

use super::every_order;
use crate::memory::MemoryStore;
use crate::runtime;
use crate::shared::Shared;
use crate::sync::{Mutex, MutexGuard, Notify};
use crate::{
    Append, Config, End, Epoch, Log, Offered, Offset, Room, Sink, Store, SubscribeError,
    Subscription,
};

const STREAM: &str = "parcels";

/// A log whose publisher runs, and whose writer is the model itself.
struct World {
    log: Log<Offset>,
    shared: Arc<Shared<Offset>>,
    store: MemoryStore,
    writer: oneshot::Sender<Result<(), crate::StoreError>>,
    publisher: JoinHandle<()>,
}

impl World {
    /// A log that has `stored` events and keeps `ring_rows` of them in memory.
    fn new(stored: u64, ring_rows: usize) -> Self {
        let mut store = MemoryStore::new(Epoch::from_random([1; 15]));
        for number in 1..=stored {
            store.append(&[nth(number)]).unwrap();
        }
        let config = Config {
            ring_rows,
            replay_page: 2,
            ..Config::default()
        };
        let shared = Shared::load(store.epoch(), store.reader(), config, |event| event.offset);
        let shared = Arc::new(shared.unwrap());
        let (writer, writer_ended) = oneshot::channel();
        let (closing, closed) = watch::channel(None);
        let publish = runtime::publish(Arc::clone(&shared), writer_ended, closing);
        Self {
            log: Log::new(Arc::clone(&shared), closed),
            shared,
            store,
            writer,
            publisher: thread::spawn(|| block_on(publish)),
        }
    }

    /// A thread that subscribes from the beginning on.
    fn subscriber(&self, socket: &Socket) -> JoinHandle<Result<Subscription, SubscribeError>> {
        let (log, socket) = (self.log.clone(), socket.clone());
        thread::spawn(move || log.subscribe(STREAM, Offset(0), socket.sink()))
    }

    /// What the writer does for an event.
    fn write(&mut self) {
        let stream = self.shared.stored_stream(STREAM);
        let offset = stream.bounds().last.next();
        self.store.append(&[nth(offset.0)]).unwrap();
        stream.publish(offset, vec![(offset, 1)]).unwrap();
    }

    /// What the writer's thread does at its end, upon which the publisher comes to its own.
    fn end(self) {
        self.writer.send(Ok(())).unwrap();
        self.shared.signal.wake();
        self.publisher.join().unwrap();
    }
}

fn nth(number: u64) -> Append {
    Append {
        stream: STREAM.to_owned(),
        author: "ann".to_owned(),
        key: number.to_string(),
        content: "in Trieste".into(),
        at: 0,
    }
}

/// A sink with little room. It says when it has as many events as it waits for, and when the log has let it go.
#[derive(Clone)]
struct Socket(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    wanted: usize,
    complete: Notify,
    ended: Notify,
}

struct State {
    offered: Vec<Offset>,
    ends: Vec<End>,
    room: usize,
    waker: Option<Waker>,
}

/// The log's side of a [`Socket`].
struct SocketSink {
    socket: Socket,
    gone: Arc<Notify>,
}

impl Socket {
    fn new(room: usize, wanted: usize) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::new(State {
                offered: Vec::new(),
                ends: Vec::new(),
                room,
                waker: None,
            }),
            wanted,
            complete: Notify::new(),
            ended: Notify::new(),
        }))
    }

    fn sink(&self) -> SocketSink {
        SocketSink {
            socket: self.clone(),
            gone: Arc::new(Notify::new()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader takes one.
    fn read(&self) {
        let mut state = self.state();
        state.room += 1;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for all that is wanted, which must be the events after `start`, and nothing else.
    fn complete(&self, start: u64) {
        block_on(self.0.complete.notified());
        assert_eq!(self.state().ends, []);
        self.has(start, self.0.wanted as u64);
    }

    /// Waits for the end that a close brings.
    fn closed(&self) {
        block_on(self.0.ended.notified());
        assert_eq!(self.state().ends, [End::Closed]);
    }

    /// Waits for the end that a close brings to who was let in. Who was not hears nothing.
    fn closed_unless_refused(&self, start: u64, subscribed: &Result<Subscription, SubscribeError>) {
        match subscribed {
            Ok(_) => self.closed(),
            Err(refused) => {
                assert_eq!(*refused, SubscribeError::Closed);
                assert_eq!(self.state().ends, []);
                assert_eq!(self.state().offered, []);
            }
        }
        let offered = self.state().offered.len() as u64;
        self.has(start, offered);
    }

    fn has(&self, start: u64, count: u64) {
        let expected: Vec<_> = (start + 1..=start + count).map(Offset).collect();
        assert_eq!(self.state().offered, expected);
    }
}

impl Sink<Offset> for SocketSink {
    fn offer(&self, offset: Offset, frame: &Offset) -> Offered {
        let mut state = self.socket.state();
        if state.room == 0 {
            return Offered::Full;
        }
        state.room -= 1;
        // A frame in the wrong place is told by its number.
        state
            .offered
            .push(if offset == *frame { offset } else { Offset(0) });
        if state.offered.len() == self.socket.0.wanted {
            self.socket.0.complete.notify_one();
        }
        Offered::Taken
    }

    fn room(&self) -> Room<'_> {
        Box::pin(poll_fn(|context| {
            let mut state = self.socket.state();
            if state.room > 0 {
                return Poll::Ready(());
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        }))
    }

    fn end(&self, end: End) {
        self.socket.state().ends.push(end);
        self.socket.0.ended.notify_one();
        // Who waits for more is told by the events that are missing.
        self.socket.0.complete.notify_one();
    }
}

impl Drop for State {
    fn drop(&mut self) {
        assert!(self.ends.len() <= 1, "it ended twice");
    }
}

impl Drop for SocketSink {
    fn drop(&mut self) {
        self.gone.notify_one();
    }
}

#[test]
fn a_subscriber_at_the_tail_is_offered_all_that_is_published() {
    every_order(3, || {
        let mut world = World::new(0, 9);
        let socket = Socket::new(9, 2);
        let _subscription = world.log.subscribe(STREAM, Offset(0), socket.sink());
        world.write();
        world.write();
        socket.complete(0);
        world.end();
        socket.closed();
        socket.has(0, 2);
    });
}

#[test]
fn who_subscribes_while_events_are_published_gets_them_all() {
    every_order(2, || {
        let mut world = World::new(0, 9);
        let socket = Socket::new(9, 2);
        let subscriber = world.subscriber(&socket);
        world.write();
        world.write();
        socket.complete(0);
        let subscription = subscriber.join().unwrap();
        assert!(subscription.is_ok());
        world.end();
        socket.closed();
        socket.has(0, 2);
    });
}

#[test]
fn who_has_no_room_catches_up_and_is_live_again() {
    every_order(2, || {
        let mut world = World::new(0, 9);
        let socket = Socket::new(1, 2);
        let _subscription = world.log.subscribe(STREAM, Offset(0), socket.sink());
        let reader = thread::spawn({
            let socket = socket.clone();
            move || socket.read()
        });
        world.write();
        world.write();
        socket.complete(0);
        reader.join().unwrap();
        world.end();
        socket.has(0, 2);
    });
}

#[test]
fn who_is_overtaken_by_the_ring_reads_from_the_store() {
    every_order(2, || {
        let mut world = World::new(1, 1);
        let socket = Socket::new(9, 4);
        let subscriber = world.subscriber(&socket);
        (0..3).for_each(|_| world.write());
        socket.complete(0);
        let subscription = subscriber.join().unwrap();
        assert!(subscription.is_ok());
        world.end();
        socket.has(0, 4);
    });
}

#[test]
fn who_leaves_is_let_go_at_once_or_with_the_walk_that_runs() {
    every_order(3, || {
        let mut world = World::new(0, 9);
        let socket = Socket::new(9, 9);
        let sink = socket.sink();
        let gone = Arc::clone(&sink.gone);
        let subscription = world.log.subscribe(STREAM, Offset(0), sink);
        let leaver = thread::spawn(|| drop(subscription));
        world.write();
        block_on(gone.notified());
        leaver.join().unwrap();
        assert_eq!(world.log.stats().subscriptions, 0);
        let offered = socket.state().offered.len() as u64;
        world.write();
        world.end();
        socket.has(0, offered);
        assert_eq!(socket.state().ends, []);
    });
}

#[test]
fn a_close_ends_who_is_live_and_who_is_behind() {
    every_order(2, || {
        let mut world = World::new(1, 9);
        let [live, behind] = [1, 0].map(|start| (start, Socket::new(9, 9)));
        let live_subscription = world.log.subscribe(STREAM, Offset(1), live.1.sink());
        let subscriber = world.subscriber(&behind.1);
        world.write();
        world.end();
        assert!(live_subscription.is_ok());
        live.1.has(1, 1);
        live.1.closed_unless_refused(1, &live_subscription);
        behind
            .1
            .closed_unless_refused(0, &subscriber.join().unwrap());
    });
}

#[test]
fn a_close_ends_who_begins_a_stream() {
    every_order(3, || {
        let world = World::new(0, 9);
        let socket = Socket::new(9, 9);
        let subscriber = world.subscriber(&socket);
        world.end();
        socket.closed_unless_refused(0, &subscriber.join().unwrap());
    });
}
