//! Model checks: what threads can do to one session and to the registry, in every order.
//!
//! A model is a handful of threads that call the real code. loom runs it again and again, until every order was tried in
//! which the threads can meet, with up to so many switches at places where a thread could have gone on.
//! A wake-up that is lost shows as a thread that waits for ever, which fails the model as any wrong answer does.

#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

use std::{
    future::poll_fn,
    mem,
    sync::{Mutex as StdMutex, atomic::AtomicUsize as StdAtomicUsize},
    task::{Poll, Wake, Waker},
    time::Duration,
};

use bytes::Bytes;
use loom::{future::block_on, model::Builder, thread};

use super::{link::Turn, wake::WakeList, *};
use crate::{
    packet::{Frame, Packet},
    session::{Transmit, Wire},
};

/// Tries all orders with at most so many switches that no thread asked for.
///
/// Where 3 take minutes, a model asks for 2; `LOOM_MAX_PREEMPTIONS` has it tried with another number.
fn every_order(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let orders = Arc::new(StdAtomicUsize::new(0));
    let mut builder = Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(switches));
    builder.max_branches = 10_000;
    builder.check({
        let orders = Arc::clone(&orders);
        move || {
            orders.fetch_add(1, Ordering::Relaxed);
            model();
        }
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 1, "nothing meets in this model");
}

/// What the application was told. It answers each message, which is where others may come in between.
#[derive(Default)]
struct App {
    told: StdMutex<Told>,
}

#[derive(Default)]
struct Told {
    opened: usize,
    messages: Vec<Message>,
    closed: usize,
    /// It is being told something.
    is_busy: bool,
    /// Something was told at the wrong time. A panic would end in [`Link`].
    wrong: Option<&'static str>,
}

impl App {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    fn serially(&self, tell: impl FnOnce(&mut Told), answer: impl FnOnce()) {
        let mut told = self.told();
        if mem::replace(&mut told.is_busy, true) {
            told.wrong = Some("two calls at once");
        }
        if told.closed > 0 {
            told.wrong = Some("a call after the last one");
        }
        tell(&mut told);
        drop(told);
        answer();
        self.told().is_busy = false;
    }
}

impl Handler for App {
    type Data = ();

    fn on_open(&self, _sid: Sid, _request: &http::request::Parts) {
        self.told().opened += 1;
    }

    fn on_message(&self, link: &Arc<Link<Self>>, message: Message) {
        self.serially(
            |told| told.messages.push(message),
            || {
                let _ = link.push(&[Frame::message("answer")]);
            },
        );
    }

    fn on_close(&self, link: &Arc<Link<Self>>, _reason: CloseReason) {
        // Others may come in between before it notes anything.
        assert!(!link.is_open());
        self.serially(|told| told.closed += 1, || {});
    }
}

fn open(engine: &Arc<Engine<App>>) -> Result<Arc<Link<App>>, HandshakeError> {
    let (parts, ()) = http::Request::new(()).into_parts();
    let new = NewSid::random().unwrap();
    engine.open_session(&new, Transport::WebSocket, Dialect::V4, &parts)
}

fn one_session(config: Config) -> (Arc<Engine<App>>, Arc<Link<App>>) {
    let engine = Engine::new(config, App::default());
    let link = open(&engine).unwrap();
    (engine, link)
}

/// A thread that does something with the session.
fn beside(
    link: &Arc<Link<App>>,
    act: impl FnOnce(&Arc<Link<App>>) + 'static,
) -> thread::JoinHandle<()> {
    let link = link.clone();
    thread::spawn(move || act(&link))
}

/// A client that opens a session if it is let in, and stays until it is closed.
fn someone_comes(engine: &Arc<Engine<App>>) -> thread::JoinHandle<()> {
    let engine = engine.clone();
    thread::spawn(move || {
        if let Ok(link) = open(&engine) {
            write(&link, |_| false);
        }
    })
}

fn wire(link: &Link<App>) -> Wire {
    Wire::WebSocket(link.drive(|session| session.websocket_id()))
}

fn text(text: &'static str) -> Message {
    Message::Text(Bytes::from_static(text.as_bytes()))
}

/// What a WebSocket does: writes what there is and waits for more, until `enough` is written or the session ends.
fn write(link: &Arc<Link<App>>, enough: impl Fn(&[Frame]) -> bool) -> Vec<Frame> {
    let wire = wire(link);
    let mut written = Vec::new();
    block_on(poll_fn(|context| {
        loop {
            let mut batch = Vec::new();
            let (transmit, is_all) = link.poll_transmit(wire, context, &mut batch);
            written.append(&mut batch);
            match transmit {
                Transmit::Idle => return Poll::Pending,
                Transmit::Frames if enough(&written) => return Poll::Ready(()),
                Transmit::Frames if is_all => return Poll::Pending,
                Transmit::Frames => {}
                Transmit::Close => return Poll::Ready(()),
            }
        }
    }));
    // Who reads is parked no longer.
    link.receive(now(), wire, Ok(Packet::Noop));
    written
}

/// How often this message was written.
fn count(written: &[Frame], message: &str) -> usize {
    let message = Frame::message(message);
    written.iter().filter(|frame| **frame == message).count()
}

/// Whoever was there is gone, and was told of once.
fn is_deserted(engine: &Engine<App>) {
    let told = engine.handler.told();
    assert_eq!(told.wrong, None);
    assert_eq!(told.closed, told.opened);
    assert_eq!(engine.clients_count(), 0);
    assert_eq!(engine.unconnected.load(Ordering::SeqCst), 0);
    assert_eq!(engine.ending.load(Ordering::SeqCst), 0);
    assert_eq!(engine.clock.len(), 0);
}

#[test]
fn what_is_pushed_wakes_a_transport_that_parks() {
    every_order(3, || {
        let (_, link) = one_session(Config::default());
        let pushers = ["a", "b"].map(|text| {
            beside(&link, move |link| {
                link.push(&[Frame::message(text)]).unwrap();
            })
        });
        let both = |written: &[Frame]| count(written, "a") + count(written, "b") == 2;
        assert!(both(&write(&link, both)));
        for pusher in pushers {
            pusher.join().unwrap();
        }
    });
}

/// Counts how often it was woken.
#[derive(Default)]
struct Count(StdAtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_worker_wakes_the_tasks_that_others_put_into_its_list() {
    every_order(3, || {
        let list = Arc::<WakeList>::default();
        let woken = Arc::<Count>::default();
        let others = [(); 2].map(|()| {
            let (list, task) = (list.clone(), Waker::from(woken.clone()));
            thread::spawn(move || list.add(task))
        });
        block_on(poll_fn(|context| {
            list.wake(context);
            match woken.0.load(Ordering::SeqCst) {
                2 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        }));
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn messages_from_two_threads_are_all_handed_out_one_after_the_other() {
    every_order(3, || {
        let (engine, link) = one_session(Config::default());
        let wire = wire(&link);
        let receiver = beside(&link, move |link| {
            let mut turn = Turn::new(link);
            turn.receive(now, wire, Ok(Packet::Message(text("a"))));
            turn.receive(now, wire, Ok(Packet::Message(text("c"))));
        });
        link.receive(now(), wire, Ok(Packet::Message(text("b"))));
        receiver.join().unwrap();
        let told = engine.handler.told();
        assert_eq!(told.wrong, None);
        assert_eq!(told.messages.len(), 3);
        let place = |message| told.messages.iter().position(|it| *it == text(message));
        assert!(place("a") < place("c"));
        drop(told);
        let written = write(&link, |written| count(written, "answer") == 3);
        assert_eq!(count(&written, "answer"), 3);
    });
}

#[test]
fn a_session_that_several_end_is_forgotten_once_and_leaves_nothing_behind() {
    every_order(3, || {
        let config = Config {
            admission_timeout: Some(Duration::from_secs(1)),
            ..Config::default()
        };
        let (engine, link) = one_session(config);
        let wire = wire(&link);
        let client = beside(&link, move |link| {
            link.receive(now(), wire, Ok(Packet::Message(text("a"))));
            link.drive(|session| session.transport_closed(wire, CloseReason::TransportClose));
        });
        let clock = beside(&link, |link| {
            // All its deadlines are over by then.
            let late = now() + Duration::from_secs(1_000);
            link.handle_timeout(late, late);
        });
        link.admit();
        link.close(CloseReason::ForcedClose);
        client.join().unwrap();
        clock.join().unwrap();
        // A closing session ends when its transport has been told.
        write(&link, |_| false);
        is_deserted(&engine);
    });
}

#[test]
fn who_waits_for_the_queue_to_be_empty_is_woken_by_the_write_and_by_the_end() {
    every_order(3, || {
        let (engine, link) = one_session(Config::default());
        let writer = beside(&link, |link| drop(write(link, |_| true)));
        block_on(link.drained());
        writer.join().unwrap();
        link.push(&[Frame::message("a")]).unwrap();
        let wire = wire(&link);
        let ender = beside(&link, move |link| {
            link.drive(|session| session.transport_closed(wire, CloseReason::TransportClose));
        });
        block_on(link.drained());
        ender.join().unwrap();
        is_deserted(&engine);
    });
}

#[test]
fn reading_goes_on_when_the_last_pause_is_taken_back() {
    every_order(3, || {
        let (_, link) = one_session(Config::default());
        link.pause_reading();
        link.pause_reading();
        let resumers = [(); 2].map(|()| beside(&link, |link| link.resume_reading()));
        block_on(link.reading());
        for resumer in resumers {
            resumer.join().unwrap();
        }
    });
}

#[test]
fn a_websocket_that_parks_in_a_pause_is_woken_by_its_end() {
    every_order(3, || {
        let (_engine, link) = one_session(Config::default());
        let wire = wire(&link);
        link.pause_reading();
        let resumer = beside(&link, |link| link.resume_reading());
        // As the driver: it asks once more when it has parked.
        block_on(poll_fn(|context| {
            if !link.is_reading_paused() {
                return Poll::Ready(());
            }
            let (_, is_all) = link.poll_transmit(wire, context, &mut Vec::new());
            assert!(is_all);
            if !link.is_reading_paused() {
                context.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        resumer.join().unwrap();
        link.receive(now(), wire, Ok(Packet::Noop));
    });
}

/// Time can be asked for within it, and none passes.
fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().build().unwrap()
}

#[test]
fn a_close_returns_when_the_application_was_told_of_every_end() {
    every_order(3, || {
        let runtime = runtime();
        let _runtime = runtime.enter();
        let (engine, link) = one_session(Config::default());
        let client = thread::spawn(move || drop(write(&link, |_| false)));
        block_on(engine.close());
        assert_eq!(engine.handler.told().closed, 1);
        client.join().unwrap();
        is_deserted(&engine);
    });
}

#[test]
fn a_close_leaves_no_session_that_opens_meanwhile() {
    every_order(3, || {
        let runtime = runtime();
        let _runtime = runtime.enter();
        let engine = Engine::new(Config::default(), App::default());
        let client = someone_comes(&engine);
        block_on(engine.close());
        client.join().unwrap();
        is_deserted(&engine);
    });
}

#[test]
fn a_drain_leaves_no_session_that_opens_meanwhile() {
    every_order(3, || {
        let engine = Engine::new(Config::default(), App::default());
        let client = someone_comes(&engine);
        block_on(engine.drain(Duration::ZERO));
        client.join().unwrap();
        is_deserted(&engine);
    });
}
