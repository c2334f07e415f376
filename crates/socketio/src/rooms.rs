//! `Rooms`: who is in which room of a namespace, and whom a broadcast reaches. Pure.
//!
//! Every member is in a room of its own, named by its id, until it leaves it. That room costs nothing: it is the
//! member itself.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::error::JoinError;

/// A room's name.
pub type Room = Arc<str>;

/// The members of a namespace and their rooms. `S` is whatever the caller keeps for a member.
#[derive(Debug)]
pub struct Rooms<S> {
    /// Without a tail of empty ones.
    slots: Vec<Option<Entry<S>>>,
    /// Slots that were empty once; some may be in use again, or gone.
    free: Vec<u32>,
    last_key: u64,
    by_id: HashMap<Room, u32>,
    /// Without empty ones, and without the members' own.
    rooms: HashMap<Room, BTreeSet<u32>>,
    limits: RoomLimits,
}

/// A key to a member. It is never given to another one, not even after the member has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    slot: u32,
    key: u64,
}

/// Whom a broadcast reaches: the members of any of the rooms, but none who is in one of the excepted. No room at all
/// means everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The rooms; empty for everybody.
    pub rooms: Vec<Room>,
    /// The excepted rooms.
    pub except: Vec<Room>,
}

/// The bounds of the rooms of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomLimits {
    /// The rooms a member may be in, its own not counted. Default: 1,024.
    pub max_rooms_per_socket: usize,
    /// The rooms of the namespace, the members' own not counted. Default: 1,000,000.
    pub max_rooms: usize,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            max_rooms_per_socket: 1_024,
            max_rooms: 1_000_000,
        }
    }
}

#[derive(Debug)]
struct Entry<S> {
    key: u64,
    id: Room,
    in_own_room: bool,
    rooms: Vec<Room>,
    value: S,
}

impl<S> Rooms<S> {
    /// No members, no rooms.
    pub fn new(limits: RoomLimits) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            last_key: 0,
            by_id: HashMap::new(),
            rooms: HashMap::new(),
            limits,
        }
    }

    /// Adds a member. If its id is in use, by one that is about to be removed, it is the new one's from now on.
    pub fn insert(&mut self, id: Room, value: S) -> Member {
        self.last_key += 1;
        let slot = self.take_slot();
        let member = Member {
            slot,
            key: self.last_key,
        };
        self.by_id.insert(id.clone(), slot);
        self.slots[slot as usize] = Some(Entry {
            key: member.key,
            id,
            in_own_room: true,
            rooms: Vec::new(),
            value,
        });
        member
    }

    /// Takes a member out of all its rooms and away.
    pub fn remove(&mut self, member: Member) -> Option<S> {
        self.entry(member)?;
        let entry = self.slots[member.slot as usize].take()?;
        // The next one may have come already under the same id, as that of a client 2 is always the same.
        if self.by_id.get(&entry.id) == Some(&member.slot) {
            self.by_id.remove(&entry.id);
        }
        for room in &entry.rooms {
            self.leave_room(room, member.slot);
        }
        self.free.push(member.slot);
        while self.slots.last().is_some_and(Option::is_none) {
            self.slots.pop();
        }
        self.give_memory_back();
        Some(entry.value)
    }

    /// Adds a member to a room. Being in it already is fine.
    pub fn join(&mut self, member: Member, room: Room) -> Result<(), JoinError> {
        if room.len() > MAX_ROOM_NAME {
            return Err(JoinError::NameTooLong);
        }
        let entry = entry_mut(&mut self.slots, member).ok_or(JoinError::Disconnected)?;
        if entry.id == room {
            entry.in_own_room = true;
            return Ok(());
        }
        if self
            .rooms
            .get(&room)
            .is_some_and(|members| members.contains(&member.slot))
        {
            return Ok(());
        }
        if entry.rooms.len() >= self.limits.max_rooms_per_socket {
            return Err(JoinError::TooManyRooms);
        }
        if self.rooms.len() >= self.limits.max_rooms && !self.rooms.contains_key(&room) {
            return Err(JoinError::RoomLimit);
        }
        entry.rooms.push(room.clone());
        self.rooms.entry(room).or_default().insert(member.slot);
        Ok(())
    }

    /// Takes a member out of a room. A room without members is gone.
    pub fn leave(&mut self, member: Member, room: &str) {
        let Some(entry) = entry_mut(&mut self.slots, member) else {
            return;
        };
        if &*entry.id == room {
            entry.in_own_room = false;
        } else if let Some(at) = entry.rooms.iter().position(|joined| &**joined == room) {
            entry.rooms.swap_remove(at);
            self.leave_room(room, member.slot);
        }
    }

    /// The rooms a member is in, its own first.
    pub fn rooms_of(&self, member: Member) -> Vec<Room> {
        let Some(entry) = self.entry(member) else {
            return Vec::new();
        };
        let own = entry.in_own_room.then(|| entry.id.clone());
        own.into_iter().chain(entry.rooms.iter().cloned()).collect()
    }

    /// Whether a member is in a room.
    pub fn is_in(&self, member: Member, room: &str) -> bool {
        self.entry(member).is_some_and(|entry| {
            let in_room = || self.rooms.get(room)?.get(&member.slot);
            (*entry.id == *room && entry.in_own_room) || in_room().is_some()
        })
    }

    /// Whether anybody is in a room, be it one of the members' own.
    pub fn exists(&self, room: &str) -> bool {
        let is_own = || {
            let slot = *self.by_id.get(room)?;
            self.slots[slot as usize]
                .as_ref()
                .map(|entry| entry.in_own_room)
        };
        self.rooms.contains_key(room) || is_own() == Some(true)
    }

    /// The key of the member with this id.
    pub fn find(&self, id: &str) -> Option<Member> {
        let slot = *self.by_id.get(id)?;
        let entry = self.slots.get(slot as usize)?.as_ref()?;
        Some(Member {
            slot,
            key: entry.key,
        })
    }

    /// The member with this id.
    pub fn get(&self, id: &str) -> Option<&S> {
        let slot = *self.by_id.get(id)?;
        self.value(slot)
    }

    /// Calls `visit` once for each member that a broadcast reaches. The order is that of the members' places, the same
    /// for every broadcast.
    pub fn select(&self, target: &Target, mut visit: impl FnMut(&S)) {
        let mut visit_slot = |slot| {
            if let Some(value) = self.value(slot) {
                visit(value);
            }
        };
        match (&target.rooms[..], &target.except[..]) {
            ([], []) => self.members().for_each(visit),
            // The common case needs no list of its own.
            ([room], []) if !self.by_id.contains_key(room) => {
                self.rooms
                    .get(room)
                    .into_iter()
                    .flatten()
                    .copied()
                    .for_each(visit_slot);
            }
            ([], except) => {
                let except = self.slots_in(except);
                let all = 0..self.slots.len() as u32;
                all.filter(|slot| !except.contains(slot))
                    .for_each(&mut visit_slot);
            }
            (rooms, except) => {
                let except = self.slots_in(except);
                self.slots_in(rooms)
                    .difference(&except)
                    .copied()
                    .for_each(&mut visit_slot);
            }
        }
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().flatten().map(|entry| &entry.value)
    }

    /// How many members there are.
    pub fn member_count(&self) -> usize {
        self.by_id.len()
    }

    /// The rooms there are, the members' own not counted, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &Room> {
        self.rooms.keys()
    }

    /// How many rooms there are, the members' own not counted.
    pub fn room_count(&self) -> usize {
        self.rooms.len()
    }

    /// The members of any of the rooms.
    fn slots_in(&self, rooms: &[Room]) -> BTreeSet<u32> {
        let mut slots = BTreeSet::new();
        for room in rooms {
            slots.extend(self.rooms.get(room).into_iter().flatten());
            let owner = self.by_id.get(room).copied();
            slots.extend(owner.filter(|&slot| {
                self.slots[slot as usize]
                    .as_ref()
                    .is_some_and(|entry| entry.in_own_room)
            }));
        }
        slots
    }

    fn entry(&self, member: Member) -> Option<&Entry<S>> {
        let entry = self.slots.get(member.slot as usize)?.as_ref();
        entry.filter(|entry| entry.key == member.key)
    }

    fn value(&self, slot: u32) -> Option<&S> {
        self.slots
            .get(slot as usize)?
            .as_ref()
            .map(|entry| &entry.value)
    }

    fn take_slot(&mut self) -> u32 {
        while let Some(slot) = self.free.pop() {
            if self.slots.get(slot as usize).is_some_and(Option::is_none) {
                return slot;
            }
        }
        self.slots.push(None);
        self.slots.len() as u32 - 1
    }

    fn leave_room(&mut self, room: &str, slot: u32) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(&slot);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// After a mass disconnect the tables would stay as large as they ever were.
    fn give_memory_back(&mut self) {
        if self.slots.is_empty() {
            self.free.clear();
        }
        if self.slots.capacity() > MIN_SHRINK && self.slots.len() < self.slots.capacity() / 8 {
            self.slots.shrink_to_fit();
            self.free.retain(|&slot| (slot as usize) < self.slots.len());
            self.free.shrink_to_fit();
        }
        if self.by_id.capacity() > MIN_SHRINK && self.by_id.len() < self.by_id.capacity() / 8 {
            self.by_id.shrink_to_fit();
        }
        if self.rooms.capacity() > MIN_SHRINK && self.rooms.len() < self.rooms.capacity() / 8 {
            self.rooms.shrink_to_fit();
        }
    }
}

fn entry_mut<S>(slots: &mut [Option<Entry<S>>], member: Member) -> Option<&mut Entry<S>> {
    let entry = slots.get_mut(member.slot as usize)?.as_mut();
    entry.filter(|entry| entry.key == member.key)
}

/// The bytes of a room's name.
pub const MAX_ROOM_NAME: usize = 255;

/// A table smaller than this is not worth shrinking.
const MIN_SHRINK: usize = 64;

#[cfg(test)]
mod tests;
