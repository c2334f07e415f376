//! `Adapter`: who carries out broadcasts. `LocalAdapter` knows the sockets and rooms of this process.

mod contract;
mod returning;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use engineio::SendOptions;

use super::{
    Config,
    answer::{AnswerFrom, Pending, Waiter, deadline_after},
    collector::{Collector, LocalAnswers},
    dispatch, lock,
    memory::Memory,
    recovery::{Kept, StoredData},
    room_events::RoomEvents,
    server_side::ServerSide,
    socket::Socket,
};
use crate::{
    Args,
    encode::{Draft, Frames},
    error::{DisconnectReason, JoinError},
    parser::Parser,
    rooms::{Member, Room, RoomLimits, Rooms, Target},
};

pub use self::contract::{Adapter, AdapterError, AdapterFactory, BoxFuture, BoxStream};
pub(crate) use self::returning::{Leftovers, NotInserted};
pub use super::{details::SocketDetails, room_events::RoomEvent};

/// Who is in a namespace, and who was.
struct Members {
    rooms: Rooms<Socket>,
    /// With recovery on.
    memory: Option<Box<Memory>>,
}

/// The sockets of one namespace in this process, and their rooms.
pub struct LocalAdapter {
    namespace: Room,
    /// Guards who is there and in which rooms. Held while a packet is queued for all its recipients, so that all of
    /// them get packets in the same order; the locks of sessions are taken under it, but no user code runs.
    members: Mutex<Members>,
    events: RoomEvents,
    server_side: ServerSide,
    /// One counter for all sockets, so that a broadcast is encoded once even if it wants acks.
    last_ack_id: AtomicU64,
    max_ack_responses: usize,
    parser: Option<Arc<dyn Parser>>,
    /// Whether sessions are remembered.
    is_recovering: bool,
    /// What is stored of sockets, if there is a store.
    stored_data: Option<StoredData>,
}

impl LocalAdapter {
    pub(crate) fn new(namespace: Room, config: &Config) -> Self {
        let limits = RoomLimits {
            max_rooms_per_socket: config.max_rooms_per_socket,
            max_rooms: config.max_rooms,
        };
        let memory = Memory::new(namespace.clone(), config);
        Self {
            namespace,
            is_recovering: memory.is_some(),
            stored_data: memory.as_ref().and_then(Memory::stored_data),
            members: Mutex::new(Members {
                rooms: Rooms::new(limits),
                memory: memory.map(Box::new),
            }),
            events: RoomEvents::default(),
            server_side: ServerSide::default(),
            last_ack_id: AtomicU64::new(0),
            max_ack_responses: config.max_ack_responses,
            parser: config.parser.clone(),
        }
    }

    /// The name of the namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The sockets of a target.
    pub fn sockets(&self, target: &Target) -> Vec<Socket> {
        let mut sockets = Vec::new();
        lock(&self.members)
            .rooms
            .select(target, |socket| sockets.push(socket.clone()));
        sockets
    }

    /// How many sockets there are.
    pub fn socket_count(&self) -> usize {
        lock(&self.members).rooms.member_count()
    }

    /// The rooms there are, not counting those that sockets are in by their id.
    pub fn rooms(&self) -> Vec<String> {
        let members = lock(&self.members);
        members.rooms.names().map(|room| room.to_string()).collect()
    }

    /// How many rooms there are, not counting those that sockets are in by their id.
    pub fn room_count(&self) -> usize {
        lock(&self.members).rooms.room_count()
    }

    /// The socket with this id.
    pub fn socket(&self, id: &str) -> Option<Socket> {
        lock(&self.members).rooms.get(id).cloned()
    }

    /// An event from another server has arrived: the future runs its handlers, and ends with their answer, if any. To
    /// be called by an adapter for several nodes.
    pub fn deliver_server_side(&self, event: &str, args: Args) -> BoxFuture<Option<Args>> {
        self.server_side.deliver(event, args)
    }

    pub(crate) fn server_side(&self) -> &ServerSide {
        &self.server_side
    }

    /// Calls `hook` with what happens to the rooms of this process from now on: one by one and in order, soon after it
    /// has happened, on the thread that has caused it or an earlier event. It should not take long, and may do anything.
    pub fn on_room_event(&self, hook: impl Fn(&RoomEvent) + Send + Sync + 'static) {
        self.events.watch(hook);
    }

    /// Tells of what [`insert`](Self::insert) has done, since that runs under the socket's lock.
    pub(crate) fn tell_room_events(&self) {
        self.events.tell();
    }

    /// Lets a socket in. Under one lock its client gets the CONNECT reply and the socket becomes a recipient, so that
    /// nothing comes before the reply and nothing is missed after it.
    pub(crate) fn insert(
        &self,
        socket: &Socket,
        joined: Vec<Room>,
        reply: &Frames,
    ) -> Result<Member, NotInserted> {
        let rooms = &mut lock(&self.members).rooms;
        if socket.link().push(reply.as_slice()).is_err() {
            return Err(NotInserted::SessionOver);
        }
        let member = self.add(rooms, socket);
        for room in joined {
            if let Err(error) = self.join_in(rooms, member, socket.room(), room) {
                tracing::debug!(id = socket.id(), %error, "room of a middleware not joined");
            }
        }
        socket.set_connected();
        Ok(member)
    }

    /// Takes a socket out that ends for this reason. If it may come back, its session is kept.
    pub(crate) fn remove(&self, member: Member, socket: &Socket, reason: DisconnectReason) {
        let may_return = self.is_recovering && reason.is_recoverable();
        let kept = may_return.then(|| socket.kept());
        let held = {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let is_told = self.events.is_watched() || memory.is_some();
            let left = if is_told {
                rooms.rooms_of(member)
            } else {
                Vec::new()
            };
            let held = rooms.remove(member);
            if self.events.is_watched() && held.is_some() {
                self.events.left(rooms, socket.room(), &left);
            }
            let dropped = members.part(socket, left, kept.map(Kept::Live));
            (held, dropped)
        };
        self.events.tell();
        // Not under the lock: the last handle of a socket drops the user's data.
        drop(held);
    }

    pub(crate) fn join(
        &self,
        member: Member,
        socket: &Socket,
        room: Room,
    ) -> Result<(), JoinError> {
        let joined = {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let is_new = memory.is_some() && !rooms.is_in(member, &room);
            let joined = self.join_in(rooms, member, socket.room(), room.clone());
            if is_new && joined.is_ok() {
                members.room_changed(member, socket, &room, true);
            }
            joined
        };
        self.events.tell();
        joined
    }

    pub(crate) fn leave(&self, member: Member, socket: &Socket, room: &Room) {
        {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let is_told = self.events.is_watched() || memory.is_some();
            let was_in = is_told && rooms.is_in(member, room);
            rooms.leave(member, room);
            if was_in {
                if self.events.is_watched() {
                    self.events
                        .left(rooms, socket.room(), std::slice::from_ref(room));
                }
                members.room_changed(member, socket, room, false);
            }
        }
        self.events.tell();
    }

    fn add(&self, rooms: &mut Rooms<Socket>, socket: &Socket) -> Member {
        let was_there = self.events.is_watched() && rooms.exists(socket.id());
        let member = rooms.insert(socket.room().clone(), socket.clone());
        if self.events.is_watched() {
            self.events.inserted(socket.room(), was_there);
        }
        member
    }

    fn join_in(
        &self,
        rooms: &mut Rooms<Socket>,
        member: Member,
        id: &Room,
        room: Room,
    ) -> Result<(), JoinError> {
        if !self.events.is_watched() {
            return rooms.join(member, room);
        }
        self.events.join(rooms, member, id, &room)
    }

    pub(crate) fn rooms_of(&self, member: Member) -> Vec<Room> {
        lock(&self.members).rooms.rooms_of(member)
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.last_ack_id.fetch_add(1, Ordering::Relaxed)
    }
}

impl Adapter for LocalAdapter {
    fn list_rooms(&self) -> BoxFuture<Result<Vec<String>, AdapterError>> {
        Box::pin(std::future::ready(Ok(self.rooms())))
    }

    fn broadcast(&self, event: &Draft, target: &Target, is_volatile: bool) {
        if self.is_recovering {
            return self.broadcast_for_recovery(event, target, is_volatile);
        }
        let frames = event.write(self.parser.as_deref(), &self.namespace, None);
        let options = options_of(event, is_volatile);
        let mut watched = Vec::new();
        lock(&self.members).rooms.select(target, |socket| {
            queue(socket, &frames, options);
            if socket.is_watched() {
                watched.push(socket.clone());
            }
        });
        dispatch::tell_outgoing(&watched, event);
    }

    fn broadcast_with_ack(
        &self,
        event: &Draft,
        target: &Target,
        is_volatile: bool,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let deadline = deadline_after(timeout);
        let id = self.next_ack_id();
        let frames = event.write(self.parser.as_deref(), &self.namespace, Some(id));
        let options = options_of(event, is_volatile);
        let collector = Arc::new(Collector::default());
        let mut pending = Pending {
            sockets: Vec::new(),
            id,
        };
        let mut watched = Vec::new();
        lock(&self.members).rooms.select(target, |socket| {
            if pending.sockets.len() < self.max_ack_responses {
                let place = collector.expect(socket.room().clone());
                match socket.expect_answer(id, Waiter::Many(collector.clone(), place)) {
                    Ok(()) => pending.sockets.push(socket.clone()),
                    Err(error) => return collector.fill(place, Err(error)),
                }
            }
            queue(socket, &frames, options);
            if socket.is_watched() {
                watched.push(socket.clone());
            }
        });
        dispatch::tell_outgoing(&watched, event);
        Box::pin(LocalAnswers::new(collector, pending, deadline))
    }

    fn fetch_sockets(
        &self,
        target: &Target,
    ) -> BoxFuture<Result<Vec<SocketDetails>, AdapterError>> {
        let details = |socket: Socket| SocketDetails {
            id: socket.id().to_owned(),
            rooms: socket.rooms(),
            handshake: socket.handshake(),
            data: Vec::new(),
            local: Some(socket),
        };
        let found = self.sockets(target).into_iter().map(details).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn add_sockets(&self, target: &Target, rooms: &[Room]) {
        for socket in self.sockets(target) {
            if let Err(error) = socket.join(rooms) {
                tracing::debug!(id = socket.id(), %error, "room not joined");
            }
        }
    }

    fn del_sockets(&self, target: &Target, rooms: &[Room]) {
        self.sockets(target)
            .iter()
            .for_each(|socket| socket.leave(rooms));
    }

    fn disconnect_sockets(&self, target: &Target, close: bool) {
        for socket in self.sockets(target) {
            if close {
                socket.close();
            } else {
                socket.disconnect();
            }
        }
    }
}

fn options_of(event: &Draft, is_volatile: bool) -> SendOptions {
    SendOptions {
        volatile: is_volatile,
        compress: event.is_compressed(),
    }
}

/// A recipient that is gone needs nothing, and one that is too slow is closed by its session.
fn queue(socket: &Socket, frames: &Frames, options: SendOptions) {
    if let Err(error) = socket.push_with(frames, options) {
        tracing::trace!(id = socket.id(), %error, "not queued");
    }
}
