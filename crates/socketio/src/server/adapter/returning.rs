//! How sockets come, go and are told things in a namespace that remembers its sessions (see
//! [`recovery`](crate::recovery)).

use std::{
    any::TypeId,
    time::{Duration, Instant},
};

use engineio::{Frame, SendOptions};

use super::{LocalAdapter, Members, dispatch, lock, options_of, queue};
use crate::{
    encode::{self, Draft, Frames},
    error::EmitError,
    parser::Parser,
    recovery::{Address, History, Lost, Offset, Resumption},
    rooms::{Member, Room, Rooms, Target},
    server::{
        memory::Memory,
        recovery::{Data, Kept, Returning, Value, asked_for, new_pid},
        socket::Socket,
    },
};

/// Why a socket was not let into a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotInserted {
    /// Its Engine.IO session is over.
    SessionOver,
    /// Its client is connected by another one.
    Superseded,
    /// It is not recovered, which was the condition.
    NotRecovered,
}

/// The key and the JSON of a value that is stored.
pub(crate) type StoredValue<'a> = (&'a str, Vec<u8>);

/// What was in the place of a socket that was let in. It holds what the application has kept, and is to be dropped
/// without a lock.
#[derive(Default)]
pub(crate) struct Leftovers {
    _removed: Option<Socket>,
    _over: Vec<Kept>,
}

impl Members {
    /// A socket has gone: its session is kept with this data, or is over. The answer is to be dropped without the lock.
    pub(super) fn part(
        &mut self,
        socket: &Socket,
        rooms: Vec<Room>,
        kept: Option<Kept>,
    ) -> Vec<Kept> {
        let (Some(memory), Some(tenure)) = (&mut self.memory, socket.tenure()) else {
            return Vec::from_iter(kept);
        };
        if let Some(history) = memory.history() {
            match kept {
                Some(data) => history.leave(now(), tenure, rooms, data),
                None => history.end(tenure),
            }
        }
        memory.settle()
    }

    /// To be called when it has happened.
    pub(super) fn room_changed(
        &mut self,
        member: Member,
        socket: &Socket,
        room: &Room,
        is_join: bool,
    ) {
        let Self { rooms, memory } = self;
        if let (Some(memory), Some(tenure)) = (memory, socket.tenure()) {
            memory.room_changed(tenure, room, is_join, || rooms.rooms_of(member));
        }
    }
}

impl LocalAdapter {
    /// A client wants to join, perhaps as who it was. None without recovery.
    pub(crate) fn returning(&self, auth: Option<&str>) -> Option<Box<Returning>> {
        if !self.is_recovering {
            return None;
        }
        let Some((pid, seen)) = asked_for(auth) else {
            return Some(Box::new(Returning::new(None, Vec::new())));
        };
        let (found, data, holder, dropped) = {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let memory = memory.as_mut()?;
            let history = memory.history()?;
            let found = history.claim(now(), pid, seen);
            let whole = found.as_ref().filter(|found| found.is_whole);
            let data = whole.and_then(|found| history.data(found.claim)).cloned();
            let holder = whole.and_then(|found| rooms.get(&found.sid)).cloned();
            (found, data, holder, memory.settle())
        };
        drop(dropped);
        // A session that is connected has its data on its socket.
        let data = match (data, holder) {
            (Some(data), _) => data.into_data(),
            (None, Some(holder)) => holder.kept(),
            (None, None) => Vec::new(),
        };
        Some(Box::new(Returning::new(found, data)))
    }

    /// The socket over which the client was connected, if that has not ended yet.
    pub(crate) fn predecessor(&self, returning: &Returning) -> Option<Socket> {
        let found = returning.found.as_ref()?;
        let mut members = lock(&self.members);
        let Members { rooms, memory } = &mut *members;
        memory.as_mut()?.history()?.check(found.claim).ok()?;
        rooms.get(&found.sid).cloned()
    }

    /// How long somebody may come back who was cut off; none if nobody may.
    pub(crate) fn expects_somebody_for(&self) -> Option<Duration> {
        let mut members = lock(&self.members);
        let history = members.memory.as_mut()?.history()?;
        history.expects_somebody_for(now())
    }

    /// A socket that wanted to be one that was there before has not been let in.
    pub(crate) fn give_up(&self, returning: &Returning) {
        let Some(claim) = returning.claim() else {
            return;
        };
        let dropped = {
            let mut members = lock(&self.members);
            let Some(memory) = &mut members.memory else {
                return;
            };
            if let Some(history) = memory.history() {
                history.release(now(), claim);
            }
            memory.settle()
        };
        drop(dropped);
    }

    /// The session of a socket is over, and nobody comes back to it.
    pub(crate) fn end_session(&self, socket: &Socket) {
        let dropped = lock(&self.members).part(socket, Vec::new(), None);
        drop(dropped);
    }

    /// Whether anything of what is kept on sockets is stored.
    pub(crate) fn is_storing_data(&self) -> bool {
        self.stored_data.is_some()
    }

    /// What is to be stored of what is kept on a socket that is about to be let in. Calls what is the user's.
    pub(crate) fn values_to_store(&self, kept: &Data) -> Vec<StoredValue<'_>> {
        let stored = self.stored_data.iter();
        stored.flat_map(|stored| stored.of(kept)).collect()
    }

    /// Lets a socket in, as who it was if that is possible: with the CONNECT reply, then what it has missed, and in the
    /// rooms it was in, all under one lock. Otherwise, unless it `must_recover`, a session begins.
    pub(crate) fn insert_returning(
        &self,
        socket: &Socket,
        returning: &Returning,
        joined: Vec<Room>,
        values: Vec<StoredValue<'_>>,
        must_recover: bool,
    ) -> (Result<Member, NotInserted>, Leftovers) {
        let mut members = lock(&self.members);
        let mut removed = None;
        let inserted =
            self.insert_into(&mut members, socket, returning, must_recover, &mut removed);
        if let Ok(member) = inserted {
            for room in joined {
                self.join_here(&mut members, member, socket, room);
            }
            socket.set_connected();
        }
        if inserted.is_ok()
            && let (Some(memory), Some(tenure)) = (&mut members.memory, socket.tenure())
        {
            for (key, value) in values {
                memory.save_value(tenure, key, &value);
            }
        }
        let over = members.memory.as_mut().map(|memory| memory.settle());
        let leftovers = Leftovers {
            _removed: removed,
            _over: over.unwrap_or_default(),
        };
        (inserted, leftovers)
    }

    fn insert_into(
        &self,
        members: &mut Members,
        socket: &Socket,
        returning: &Returning,
        must_recover: bool,
        removed: &mut Option<Socket>,
    ) -> Result<Member, NotInserted> {
        let Members { rooms, memory } = members;
        let memory = memory.as_mut().ok_or(NotInserted::SessionOver)?;
        if let Some(found) = &returning.found {
            let history = memory.history().ok_or(NotInserted::SessionOver)?;
            match history.check(found.claim) {
                Err(Lost::Superseded) => return Err(NotInserted::Superseded),
                Ok(()) if found.is_whole => {
                    *removed = self.take_out(rooms, history, &found.sid);
                }
                Ok(()) | Err(Lost::Gone) => {}
            }
            if found.is_whole
                && let Ok(resumption) = history.resumption(found.claim)
                && let Some(inserted) = self.resume(rooms, memory, socket, &resumption)
            {
                return inserted;
            }
            if must_recover {
                return Err(NotInserted::NotRecovered);
            }
            if let Some(history) = memory.history() {
                history.discard(found.claim);
            }
            socket.is_not_recovered();
        }
        if rooms.find(socket.id()).is_some() {
            return Err(NotInserted::Superseded);
        }
        let pid = new_pid();
        let reply = match &pid {
            Some(pid) => encode::connect_with_pid(self.parser(), &self.namespace, socket.id(), pid),
            None => encode::connect(self.parser(), &self.namespace, socket.id()),
        };
        if socket.link().push(reply.as_slice()).is_err() {
            return Err(NotInserted::SessionOver);
        }
        let member = self.add(rooms, socket);
        let begin = |pid| memory.begin(now(), pid, socket.room().clone());
        if let Some(tenure) = pid.and_then(begin) {
            returning.hold(tenure);
        }
        Ok(member)
    }

    /// Nobody but us may still hold the socket that the client was, for its end may be under way on another thread.
    fn take_out(
        &self,
        rooms: &mut Rooms<Socket>,
        history: &mut History<Kept>,
        sid: &str,
    ) -> Option<Socket> {
        let member = rooms.find(sid)?;
        let left = rooms.rooms_of(member);
        let old = rooms.remove(member)?;
        if self.events.is_watched() {
            self.events.left(rooms, old.room(), &left);
        }
        if let Some(tenure) = old.tenure() {
            history.leave(now(), tenure, left, Kept::Live(old.kept()));
        }
        Some(old)
    }

    /// None if there is no place for the rooms or the events; then nothing has happened.
    fn resume(
        &self,
        rooms: &mut Rooms<Socket>,
        memory: &mut Memory,
        socket: &Socket,
        resumption: &Resumption,
    ) -> Option<Result<Member, NotInserted>> {
        let reply = encode::connect_with_pid(
            self.parser(),
            &self.namespace,
            socket.id(),
            &resumption.pid(),
        );
        let packets = std::iter::once(&reply).chain(&resumption.missed);
        let frames: Vec<Frame> = packets.flat_map(Frames::as_slice).cloned().collect();
        // In one piece, so that a cut before the end of it is one after it or one in the middle of it, and never of ours.
        if !socket.has_room_for(&frames) {
            return None;
        }
        let member = self.add(rooms, socket);
        if !resumption.rooms.contains(socket.room()) {
            rooms.leave(member, socket.id());
        }
        let mut others = resumption
            .rooms
            .iter()
            .filter(|room| *room != socket.room());
        let is_complete = others.all(|room| {
            self.join_in(rooms, member, socket.room(), room.clone())
                .is_ok()
        });
        let pushed = is_complete.then(|| socket.link().push(&frames));
        if let Some(Ok(())) = pushed
            && let Some(tenure) = memory.resume(resumption)
        {
            socket.hold(tenure);
            return Some(Ok(member));
        }
        let left = rooms.rooms_of(member);
        rooms.remove(member);
        if self.events.is_watched() {
            self.events.left(rooms, socket.room(), &left);
        }
        is_complete.then_some(Err(NotInserted::SessionOver))
    }

    /// Emits an event to one socket. It is kept if that is away, also when this is a handle of a socket that was cut off
    /// and is there again by another one.
    pub(crate) fn emit_for_recovery(
        &self,
        socket: &Socket,
        event: &Draft,
        is_volatile: bool,
    ) -> Result<(), EmitError> {
        let tenure = socket.tenure().ok_or(EmitError::NotConnected)?;
        let dropped = {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let memory = memory.as_mut().ok_or(EmitError::NotConnected)?;
            if !memory
                .history()
                .is_some_and(|history| history.is_known(tenure))
            {
                return Err(EmitError::NotConnected);
            }
            let present = rooms.get(socket.id());
            if is_volatile {
                let present = present.ok_or(EmitError::NotConnected)?;
                let frames = self.unnumbered(memory, event);
                return present.push_with(&frames, options_of(event, true));
            }
            let frames = self.append(memory, event, Address::Socket(socket.room().clone()));
            if let Some(present) = present {
                send(memory, present, &frames, options_of(event, false));
            }
            memory.settle()
        };
        drop(dropped);
        Ok(())
    }

    pub(super) fn broadcast_for_recovery(&self, event: &Draft, target: &Target, is_volatile: bool) {
        let mut watched = Vec::new();
        let options = options_of(event, is_volatile);
        let dropped = {
            let mut members = lock(&self.members);
            let Members { rooms, memory } = &mut *members;
            let Some(memory) = memory else { return };
            let frames = if is_volatile {
                self.unnumbered(memory, event)
            } else {
                self.append(memory, event, Address::Rooms(target.clone()))
            };
            rooms.select(target, |socket| {
                if is_volatile {
                    queue(socket, &frames, options);
                } else {
                    send(memory, socket, &frames, options);
                }
                if socket.is_watched() {
                    watched.push(socket.clone());
                }
            });
            memory.settle()
        };
        drop(dropped);
        dispatch::tell_outgoing(&watched, event);
    }

    /// Numbers an event and remembers it. It is to be sent to its recipients under the same lock.
    fn append(&self, memory: &mut Memory, event: &Draft, address: Address) -> Frames {
        let next = memory.history().map(|history| history.next());
        let frames = self.write(event, next);
        memory.append(now(), address, frames.clone());
        frames
    }

    /// An event that is not remembered. It must not change what the client takes for its offset, unless to a true one.
    fn unnumbered(&self, memory: &mut Memory, event: &Draft) -> Frames {
        let newest = memory.history().map(|history| history.newest());
        self.write(event, newest.filter(|_| event.ends_in_string()))
    }

    fn write(&self, event: &Draft, offset: Option<Offset>) -> Frames {
        match offset {
            Some(offset) => event.write_with_offset(self.parser(), &self.namespace, offset),
            None => event.write(self.parser(), &self.namespace, None),
        }
    }

    /// What the application keeps on a socket has changed.
    pub(crate) fn save_value(&self, socket: &Socket, id: TypeId, value: &Value) {
        let Some(tenure) = socket.tenure() else {
            return;
        };
        let stored = self.stored_data.as_ref();
        let saved = stored.and_then(|stored| stored.save(id, value));
        if let (Some((key, json)), Some(memory)) = (saved, &mut lock(&self.members).memory) {
            memory.save_value(tenure, key, &json);
        }
    }

    /// The namespace is gone for good, and what was stored of it with it.
    pub(crate) fn forget_sessions(&self) {
        let forgotten = match &mut lock(&self.members).memory {
            Some(memory) => memory.forget(),
            None => None,
        };
        drop(forgotten);
    }

    fn parser(&self) -> Option<&dyn Parser> {
        self.parser.as_deref()
    }

    fn join_here(&self, members: &mut Members, member: Member, socket: &Socket, room: Room) {
        let is_new = !members.rooms.is_in(member, &room);
        let joined = self.join_in(&mut members.rooms, member, socket.room(), room.clone());
        match joined {
            Ok(()) if is_new => members.room_changed(member, socket, &room, true),
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(id = socket.id(), %error, "room of a middleware not joined");
            }
        }
    }
}

/// Sends the event that was appended last. Whether it can be queued makes no difference to whom it is for.
fn send(memory: &mut Memory, socket: &Socket, frames: &Frames, options: SendOptions) {
    if let (Some(history), Some(tenure)) = (memory.history(), socket.tenure()) {
        history.sent(tenure);
    }
    queue(socket, frames, options);
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
