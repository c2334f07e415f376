//! `Link`, the shared handle of a session. It has two verbs, and nothing else touches a session: `push` queues and
//! never runs events; `drive` mutates once, then hands out the events with the lock released. A transport that reads
//! takes a [`Turn`] for that.

mod turn;

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak, atomic::Ordering},
    task::{Context, Waker},
    time::Instant,
};

use super::{
    Engine, Handler, lock, now,
    sync::{AtomicBool, Mutex, MutexGuard, Notify},
    wake::Parked,
};
use crate::{
    dialect::{Dialect, Protocol},
    error::{CloseDetail, CloseReason, DecodeError, PushError},
    handshake::Transport,
    packet::{Frame, Packet},
    session::{Event, SendOptions, Session, Transmit, Wire},
    sid::Sid,
};

pub(super) use self::turn::Turn;

/// A session of an [`Engine`]: shared by its transports, the clock and the application.
pub struct Link<H: Handler> {
    sid: Sid,
    dialect: Dialect,
    key: u64,
    me: Weak<Self>,
    engine: Arc<Engine<H>>,
    data: H::Data,
    /// Guards the session. Held for one mutation at a time; no callback, no serialization and no await under it.
    /// A namespace lock may be held when it is taken, never the other way round.
    core: Mutex<Core>,
    /// False if reading is not paused, for who has no other reason to lock. Written under the lock.
    may_be_paused: AtomicBool,
    /// Tells those who wait that the queue is empty, that reading goes on, or that the session is over.
    changed: Notify,
}

struct Core {
    session: Session,
    /// A thread is calling the application; it will also hand out the events that are added meanwhile.
    dispatching: bool,
    /// The transports that have nothing to do, by [`Transport`].
    parked: [Option<Parked>; 2],
    /// The deadline the clock has for this session.
    armed: Option<Instant>,
    counted_unconnected: bool,
    /// How many wait for a change. To tell nobody costs as much as to tell somebody, and hardly ever is there anybody.
    waiting: usize,
}

impl<H: Handler> Link<H> {
    pub(super) fn new(
        engine: Arc<Engine<H>>,
        sid: Sid,
        key: u64,
        dialect: Dialect,
        data: H::Data,
        session: Session,
    ) -> Arc<Self> {
        let link = Arc::new_cyclic(|me| Self {
            sid,
            dialect,
            key,
            me: me.clone(),
            engine,
            data,
            core: Mutex::new(Core {
                session,
                // Until `ready`.
                dispatching: true,
                parked: [None, None],
                armed: None,
                counted_unconnected: false,
                waiting: 0,
            }),
            may_be_paused: AtomicBool::new(false),
            changed: Notify::new(),
        });
        link.arm(&mut lock(&link.core));
        link
    }

    /// The session's id. It is secret: who knows it can speak for the client.
    pub fn sid(&self) -> Sid {
        self.sid.clone()
    }

    /// The version of the protocol that the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.dialect.protocol
    }

    /// What the client has asked for in its handshake; a WebSocket that comes later asks for itself.
    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the application keeps for this session.
    pub fn data(&self) -> &H::Data {
        &self.data
    }

    /// The server this session belongs to.
    pub fn engine(&self) -> &Arc<Engine<H>> {
        &self.engine
    }

    /// Queues frames, as one unit that nothing comes between, and wakes the transport.
    ///
    /// Messages arrive in the order in which they were queued, and what arrives is a prefix of what was queued.
    /// When the queue is full the session is closed with [`CloseReason::SlowConsumer`]. No handler runs in this
    /// call; it may be made under a lock of the application.
    pub fn push(&self, frames: &[Frame]) -> Result<(), PushError> {
        self.push_with(frames, SendOptions::default()).map(drop)
    }

    /// Queues frames if the transport can take them now, and otherwise drops them: the answer says whether they
    /// were queued. They never overtake what was queued before.
    pub fn push_volatile(&self, frames: &[Frame]) -> Result<bool, PushError> {
        let volatile = SendOptions {
            volatile: true,
            ..SendOptions::default()
        };
        self.push_with(frames, volatile)
    }

    /// Queues frames as [`push`](Self::push) does, or as the options say. The answer says whether they were queued,
    /// which only volatile ones may not be.
    pub fn push_with(&self, frames: &[Frame], options: SendOptions) -> Result<bool, PushError> {
        self.queue(|session| session.send_with(frames, options))
    }

    /// Queues a frame that goes to nobody else, as [`push_with`](Self::push_with) does: it is moved and not shared, which
    /// costs less.
    pub fn push_one(&self, frame: Frame, options: SendOptions) -> Result<bool, PushError> {
        self.queue(|session| session.send_one(frame, options))
    }

    /// The same for several frames, as one unit that nothing comes between.
    pub fn push_all(&self, frames: Vec<Frame>, options: SendOptions) -> Result<bool, PushError> {
        self.queue(|session| session.send_all(frames, options))
    }

    fn queue(
        &self,
        send: impl FnOnce(&mut Session) -> Result<bool, PushError>,
    ) -> Result<bool, PushError> {
        let mut core = lock(&self.core);
        let result = send(&mut core.session);
        if result == Err(PushError::Overflow) {
            // Nobody may be there to tell the application but the clock.
            self.arm_at(&mut core, now());
        }
        let waker = core.take_carrier_waker();
        drop(core);
        wake(waker);
        result
    }

    /// Whether with so many bytes more the queue holds at most `bound`, packets counted as for
    /// [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes): for producers that prefer to wait. An empty
    /// queue has room for anything.
    pub fn has_room(&self, bytes: usize, bound: usize) -> bool {
        lock(&self.core).session.has_room(bytes, bound)
    }

    /// Waits until the queue is empty or the session is over. Dropping the future has no effect.
    pub async fn drained(&self) {
        self.until(|session| session.is_drained() || session.is_closed())
            .await;
    }

    /// Whether the session still takes messages.
    pub fn is_open(&self) -> bool {
        lock(&self.core).session.is_open()
    }

    /// The transport that carries data now.
    pub fn transport(&self) -> Transport {
        lock(&self.core).session.transport()
    }

    /// What exactly has gone wrong, if the session has ended by the client's fault.
    pub fn close_detail(&self) -> Option<CloseDetail> {
        lock(&self.core).session.close_detail()
    }

    /// Closes the session: what is queued is sent first, then [`Handler::on_close`] is called with this reason. A
    /// client that does not take the rest is waited for at most [`Config::close_timeout`](crate::Config).
    ///
    /// Runs handlers if no other thread does; call it without locks.
    pub fn close(&self, reason: CloseReason) {
        self.drive(|session| session.close(now(), reason));
    }

    /// The application has admitted the session: [`Config::admission_timeout`](crate::Config) no longer ends it.
    pub fn admit(&self) {
        let mut core = lock(&self.core);
        core.session.admit();
        self.count_unconnected(&mut core);
    }

    /// The application has nobody on this session any more: the admission timeout starts again.
    pub fn expect_admission(&self) {
        let mut core = lock(&self.core);
        core.session.expect_admission(now());
        self.arm(&mut core);
    }

    /// Asks the transport to read no further. Each pause is taken back by one
    /// [`resume_reading`](Self::resume_reading). The heartbeat does not end a session whose pongs are not read.
    pub fn pause_reading(&self) {
        let mut core = lock(&self.core);
        core.session.pause_reading();
        self.may_be_paused.store(true, Ordering::Relaxed);
    }

    /// Takes one pause back; with the last one the transport reads on.
    pub fn resume_reading(&self) {
        let mut core = lock(&self.core);
        core.session.resume_reading(now());
        if core.session.is_reading_paused() {
            return;
        }
        self.may_be_paused.store(false, Ordering::Relaxed);
        let waker = core.parked[Transport::WebSocket as usize].take();
        drop(core);
        wake(waker);
        self.changed.notify_waiters();
    }

    /// Waits until reading is not paused.
    pub(super) async fn reading(&self) {
        self.until(|session| !session.is_reading_paused()).await;
    }

    /// Whether to read nothing for now. The lock is taken only if that may be.
    pub(super) fn is_reading_paused(&self) -> bool {
        self.may_be_paused.load(Ordering::Relaxed) && lock(&self.core).session.is_reading_paused()
    }

    /// Mutates the session once, then hands its events out one by one, in order, with the lock released. If
    /// another thread is already doing that, it will see these events too.
    pub(super) fn drive<R>(&self, mutate: impl FnOnce(&mut Session) -> R) -> R {
        let mut core = lock(&self.core);
        let result = mutate(&mut core.session);
        self.settle(core);
        result
    }

    /// This deadline has fired, and the clock has it no more. It may have been given another one since.
    pub(super) fn handle_timeout(&self, now: Instant, fired: Instant) {
        let mut core = lock(&self.core);
        if core.armed == Some(fired) {
            core.armed = None;
        }
        core.session.handle_timeout(now);
        self.settle(core);
    }

    /// What this wire must write now. If that is nothing, the wire is woken when there is something. That goes for a
    /// WebSocket also if this is all, which the second answer says: it need not ask again.
    pub(super) fn poll_transmit(
        &self,
        wire: Wire,
        context: &mut Context<'_>,
        batch: &mut Vec<Frame>,
    ) -> (Transmit, bool) {
        let mut core = lock(&self.core);
        let transmit = core.session.poll_transmit(wire, batch);
        let is_drained = transmit != Transmit::Idle && core.session.is_drained();
        let is_all = match (transmit, wire) {
            (Transmit::Idle, _) => true,
            (Transmit::Frames, Wire::WebSocket(_)) => {
                is_drained && !core.session.wants_transmit(Transport::WebSocket)
            }
            (Transmit::Frames, Wire::Polling) | (Transmit::Close, _) => false,
        };
        if is_all {
            core.park(wire, context.waker());
        }
        let is_awaited = is_drained && core.waiting > 0;
        if core.session.has_event() {
            self.settle(core);
        } else {
            drop(core);
        }
        if is_awaited {
            self.changed.notify_waiters();
        }
        (transmit, is_all)
    }

    /// Whether what a long poll has taken last is to be compressed.
    pub(super) fn is_batch_compressed(&self) -> bool {
        lock(&self.core).session.is_batch_compressed()
    }

    /// Hands a packet to the session. The answer says whether to read no further for now.
    pub(super) fn receive(
        self: &Arc<Self>,
        now: Instant,
        wire: Wire,
        packet: Result<Packet, DecodeError>,
    ) -> bool {
        let mut turn = Turn::new(self);
        let is_paused = turn.receive(|| now, wire, packet);
        turn.end() || is_paused
    }

    /// The socket takes no more for now: only the end of the session wakes it. The answer says whether that has
    /// come already.
    pub(super) fn websocket_blocked(&self, wire: Wire, context: &mut Context<'_>) -> bool {
        let mut core = lock(&self.core);
        if !core.session.has_use_for(wire) {
            return true;
        }
        core.session.set_websocket_blocked(true);
        core.park(wire, context.waker());
        core.session.is_closed()
    }

    /// The socket takes more again. The answer says whether there is more.
    pub(super) fn websocket_unblocked(&self) -> bool {
        let mut core = lock(&self.core);
        core.session.set_websocket_blocked(false);
        core.session.wants_transmit(Transport::WebSocket)
    }

    /// Tells the application that the session can be used, before anything else that happens to it. Comes once.
    pub(super) fn ready(self: &Arc<Self>) {
        self.call(|| self.engine.handler.on_ready(self));
        let mut core = lock(&self.core);
        core.dispatching = false;
        self.settle(core);
    }

    async fn until(&self, condition: impl Fn(&Session) -> bool) {
        // What holds already, as it mostly does, costs no place among those who wait.
        if condition(&lock(&self.core).session) {
            return;
        }
        let _waiting = Waiting::new(self);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(&lock(&self.core).session) {
                return;
            }
            changed.await;
        }
    }

    /// After each mutation: hands out events, sets the clock, wakes the transports that have something to do. The
    /// answer says whether reading is paused.
    fn settle<'a>(&'a self, mut core: MutexGuard<'a, Core>) -> bool {
        if core.session.has_event() && !mem::replace(&mut core.dispatching, true) {
            while let Some(event) = core.session.poll_event() {
                drop(core);
                self.hand_out(event);
                core = lock(&self.core);
            }
            core.dispatching = false;
        }
        self.arm(&mut core);
        let wakers = [
            core.take_waker(Transport::Polling),
            core.take_waker(Transport::WebSocket),
        ];
        let is_paused = core.session.is_reading_paused();
        drop(core);
        wakers.into_iter().for_each(wake);
        is_paused
    }

    fn hand_out(&self, event: Event) {
        let Some(me) = self.me.upgrade() else { return };
        let handler = &self.engine.handler;
        if let Some(hook) = self.engine.hooks.on_session_event() {
            self.call(|| hook(&self.sid, &event));
        }
        match event {
            Event::Message(message) => self.call(|| handler.on_message(&me, message)),
            Event::Packet(_) | Event::Flushed(_) | Event::Drained | Event::Upgrading => {}
            Event::Upgraded => tracing::debug!(sid = %self.sid, "session upgraded"),
            Event::Closed { reason, dropped } => {
                tracing::debug!(sid = %self.sid, %reason, dropped, "session closed");
                self.engine.forget_session(&self.sid);
                self.call(|| handler.on_close(&me, reason));
                self.engine.session_ended();
                self.changed.notify_waiters();
            }
        }
    }

    /// Calls the application. Its panics end here: this thread may be the clock's, on which all sessions depend, or be
    /// unwinding already.
    fn call(&self, handler: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(handler)).is_err() {
            tracing::error!(sid = %self.sid, "handler panicked");
        }
    }

    /// Tells the clock of an earlier deadline. A later one is found out when the clock fires.
    fn arm(&self, core: &mut Core) {
        self.count_unconnected(core);
        match (core.session.poll_timeout(), core.armed) {
            (Some(deadline), None) => self.arm_at(core, deadline),
            (Some(deadline), Some(armed)) if deadline < armed => self.arm_at(core, deadline),
            (None, Some(armed)) if !core.session.has_event() => {
                self.engine.clock.disarm(self.key, armed);
                core.armed = None;
            }
            _ => {}
        }
    }

    fn arm_at(&self, core: &mut Core, deadline: Instant) {
        self.engine
            .clock
            .arm(self.key, core.armed, deadline, self.me.clone());
        core.armed = Some(deadline);
    }

    fn count_unconnected(&self, core: &mut Core) {
        let is_unconnected = core.session.is_unconnected();
        match (core.counted_unconnected, is_unconnected) {
            (false, true) => self.engine.unconnected.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.engine.unconnected.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        core.counted_unconnected = is_unconnected;
    }
}

/// One who waits for a change of the session.
struct Waiting<'a, H: Handler>(&'a Link<H>);

impl<'a, H: Handler> Waiting<'a, H> {
    fn new(link: &'a Link<H>) -> Self {
        lock(&link.core).waiting += 1;
        Self(link)
    }
}

impl<H: Handler> Drop for Waiting<'_, H> {
    fn drop(&mut self) {
        lock(&self.0.core).waiting -= 1;
    }
}

impl Core {
    fn park(&mut self, wire: Wire, waker: &Waker) {
        let transport = match wire {
            Wire::Polling => Transport::Polling,
            Wire::WebSocket(_) => Transport::WebSocket,
        };
        self.parked[transport as usize] = Some(Parked::here(waker));
    }

    /// A WebSocket that reads will ask what there is to write: until then nobody needs to wake it.
    fn unpark(&mut self, wire: Wire) {
        // The place may be that of its successor.
        if wire != Wire::Polling && self.session.has_use_for(wire) {
            self.parked[Transport::WebSocket as usize] = None;
        }
    }

    fn take_carrier_waker(&mut self) -> Option<Parked> {
        self.take_waker(self.session.transport())
    }

    fn take_waker(&mut self, transport: Transport) -> Option<Parked> {
        let slot = &mut self.parked[transport as usize];
        if slot.is_some() && self.session.wants_transmit(transport) {
            slot.take()
        } else {
            None
        }
    }
}

fn wake(parked: Option<Parked>) {
    if let Some(parked) = parked {
        parked.wake();
    }
}
