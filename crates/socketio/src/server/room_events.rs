//! Room events: who wants to know that rooms come and go, and that sockets join and leave them.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::lock;
use crate::{
    error::JoinError,
    rooms::{Member, Room, Rooms},
};

/// What has happened to a room of this process. The room that each socket is in by its id is one too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// `create-room`: somebody is about to join it, and nobody was in it.
    Create(Room),
    /// `join-room`: this socket has joined it.
    Join {
        /// The room.
        room: Room,
        /// The socket's id.
        id: Room,
    },
    /// `leave-room`: this socket has left it.
    Leave {
        /// The room.
        room: Room,
        /// The socket's id.
        id: Room,
    },
    /// `delete-room`: nobody is in it any more.
    Delete(Room),
}

type Hook = Arc<dyn Fn(&RoomEvent) + Send + Sync>;

/// The events of one namespace.
#[derive(Default)]
pub(crate) struct RoomEvents {
    /// Whether there is a hook. Without one nothing is noted.
    is_watched: AtomicBool,
    /// Guards what was not told yet. Taken under the namespace's lock, which gives the order.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hooks: Vec<Hook>,
    /// Filled while hooks run, which should therefore be quick.
    pending: VecDeque<RoomEvent>,
    /// Somebody tells already, and will see what is added.
    is_telling: bool,
}

impl RoomEvents {
    pub(crate) fn watch(&self, hook: impl Fn(&RoomEvent) + Send + Sync + 'static) {
        lock(&self.state).hooks.push(Arc::new(hook));
        self.is_watched.store(true, Ordering::Release);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Acquire)
    }

    /// Joins a room, and notes what that means.
    pub(crate) fn join<S>(
        &self,
        rooms: &mut Rooms<S>,
        member: Member,
        id: &Room,
        room: &Room,
    ) -> Result<(), JoinError> {
        let was_there = rooms.exists(room);
        let was_in = rooms.is_in(member, room);
        rooms.join(member, room.clone())?;
        if !was_there {
            self.note(RoomEvent::Create(room.clone()));
        }
        if !was_in {
            self.note_join(room, id);
        }
        Ok(())
    }

    /// A socket is in the room of its own from the start.
    pub(crate) fn inserted(&self, id: &Room, was_there: bool) {
        if !was_there {
            self.note(RoomEvent::Create(id.clone()));
        }
        self.note_join(id, id);
    }

    /// A socket has left rooms that it was in.
    pub(crate) fn left<S>(&self, rooms: &Rooms<S>, id: &Room, left: &[Room]) {
        for room in left {
            self.note(RoomEvent::Leave {
                room: room.clone(),
                id: id.clone(),
            });
            if !rooms.exists(room) {
                self.note(RoomEvent::Delete(room.clone()));
            }
        }
    }

    /// Tells what was noted, one by one and in order. To be called without a lock.
    pub(crate) fn tell(&self) {
        if !self.is_watched() {
            return;
        }
        let mut state = lock(&self.state);
        if state.is_telling {
            return;
        }
        state.is_telling = true;
        while let Some(event) = state.pending.pop_front() {
            let hooks = state.hooks.clone();
            drop(state);
            for hook in hooks {
                if catch_unwind(AssertUnwindSafe(|| hook(&event))).is_err() {
                    tracing::error!(?event, "hook of room events panicked");
                }
            }
            state = lock(&self.state);
        }
        state.is_telling = false;
    }

    fn note_join(&self, room: &Room, id: &Room) {
        self.note(RoomEvent::Join {
            room: room.clone(),
            id: id.clone(),
        });
    }

    fn note(&self, event: RoomEvent) {
        lock(&self.state).pending.push_back(event);
    }
}
