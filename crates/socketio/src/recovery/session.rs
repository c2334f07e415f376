//! One client's session: since when it is there, what was addressed to it, and which rooms it was in when.
//!
//! Three numbers tell whether an event that is gone was for the session, without a note for each event: the `latest` that
//! was for it, and of one earlier event `at` what was for it `before`, taken when nothing else of it was left in the log.
//!
//! ```text
//! events for it:    b . . . . . a . . a . . l          b: before   a: at (the first a)   l: latest
//! the log:                 |········pruned up to here
//! ```
//!
//! While `at` is in the log, `before` is the newest that is gone; when everything is gone, `latest` is. Between the two it
//! is not known, and then everything that is gone counts.

use std::{
    collections::{HashSet, VecDeque},
    time::Instant,
};

use super::{
    log::{Address, Log},
    offset::{Pid, Seen},
    store::{RoomChange, SavedSession},
};
use crate::{
    encode::Frames,
    rooms::{Room, Target},
};

#[derive(Debug)]
pub(super) struct Session<D> {
    pub(super) pid: Pid,
    pub(super) sid: Room,
    /// The newest event when it began, which was not for it.
    start: u64,
    /// What was for it up to here is not known.
    floor: u64,
    latest: u64,
    milestone: Option<Milestone>,
    /// In order, without those that are of no interest to any event in the log.
    changes: VecDeque<RoomChange>,
    /// How often it was connected: who held it earlier has no say any more.
    pub(super) turn: u32,
    /// The newest claim, until it is given up.
    pub(super) claim: Option<u64>,
    pub(super) state: State<D>,
}

#[derive(Debug)]
pub(super) enum State<D> {
    Connected,
    Away(Away<D>),
}

#[derive(Debug)]
pub(super) struct Away<D> {
    pub(super) since: Instant,
    /// The newest event when it went.
    at: u64,
    pub(super) rooms: Vec<Room>,
    pub(super) data: D,
}

/// An event for the session, and the one before it.
#[derive(Debug, Clone, Copy)]
struct Milestone {
    at: u64,
    before: u64,
}

impl<D> Session<D> {
    pub(super) fn new(pid: Pid, sid: Room, log: &Log) -> Self {
        let start = log.last();
        Self {
            pid,
            sid,
            start,
            floor: start,
            latest: start,
            milestone: None,
            changes: VecDeque::new(),
            turn: 0,
            claim: None,
            state: State::Connected,
        }
    }

    /// One that was connected or away when a process ended, and is away since the next one has started. What was for it
    /// before is known from its rooms alone.
    pub(super) fn restored(saved: SavedSession, since: Instant, data: D, log: &Log) -> Self {
        Self {
            pid: saved.pid,
            sid: saved.sid,
            start: saved.start,
            floor: saved.floor,
            latest: log.last(),
            milestone: None,
            changes: saved.changes.into(),
            turn: 0,
            claim: None,
            state: State::Away(Away {
                since,
                at: log.last(),
                rooms: saved.rooms,
                data,
            }),
        }
    }

    /// What a store keeps of it. The rooms of one that is connected are the caller's to know.
    pub(super) fn to_saved(&self, rooms: Vec<Room>) -> SavedSession {
        SavedSession {
            pid: self.pid,
            sid: self.sid.clone(),
            start: self.start,
            floor: self.floor,
            rooms,
            changes: self.changes.iter().cloned().collect(),
        }
    }

    /// The newest event of the log is for it.
    pub(super) fn sent(&mut self, log: &Log) {
        self.note(log.last(), log.pruned());
    }

    fn note(&mut self, number: u64, pruned: u64) {
        if self.milestone.is_none() || self.latest <= pruned {
            self.milestone = Some(Milestone {
                at: number,
                before: self.latest,
            });
        }
        self.latest = number;
    }

    /// It has joined a room that it was not in, or left one that it was in.
    pub(super) fn changed(&mut self, room: Room, is_join: bool, log: &Log) {
        let pruned = log.pruned();
        // Whoever has missed an event that is still there has missed none before this change.
        while self.changes.front().is_some_and(|old| old.after <= pruned) {
            self.changes.pop_front();
        }
        if self.changes.len() >= MAX_CHANGES
            && let Some(old) = self.changes.pop_front()
        {
            self.floor = self.floor.max(old.after);
        }
        self.changes.push_back(RoomChange {
            after: log.last(),
            room,
            is_join,
        });
    }

    /// It is cut off.
    pub(super) fn leave(&mut self, now: Instant, rooms: Vec<Room>, data: D, log: &Log) {
        self.state = State::Away(Away {
            since: now,
            at: log.last(),
            rooms,
            data,
        });
    }

    /// The number up to which the client has everything. None if that cannot be known, or something after it is gone.
    pub(super) fn resume_after(&self, seen: Seen, log: &Log) -> Option<u64> {
        let seen = match seen {
            Seen::UpTo(offset) if offset.epoch == log.epoch() => offset.number.max(self.start),
            Seen::UpTo(_) | Seen::Nothing => self.start,
            Seen::Unclear => return None,
        };
        (self.horizon(log) <= seen && seen <= log.last()).then_some(seen)
    }

    /// The newest event that was for it, or may have been, and is gone.
    fn horizon(&self, log: &Log) -> u64 {
        let pruned = log.pruned();
        let connected = match self.milestone {
            _ if self.latest <= pruned => self.latest,
            // Of one that was restored the event before may be there too.
            Some(milestone) if milestone.at > pruned => milestone.before.min(pruned),
            _ => pruned,
        };
        // Of what came while it was away nobody has kept account.
        let away = match &self.state {
            State::Away(away) if away.at < pruned => pruned,
            State::Away(_) | State::Connected => 0,
        };
        connected.max(away).max(self.floor)
    }

    /// What was for it after this number, which [`resume_after`](Self::resume_after) has given. Linear in the events
    /// since then and the rooms they were for; none if those are too many, or it is not away.
    pub(super) fn missed<'a>(&self, after: u64, log: &'a Log) -> Option<Vec<(u64, &'a Frames)>> {
        let State::Away(away) = &self.state else {
            return None;
        };
        let after = after.max(log.pruned());
        let mut rooms: HashSet<&Room> = away.rooms.iter().collect();
        let since = || self.changes.iter().filter(|change| change.after > after);
        since().rev().for_each(|change| change.undo(&mut rooms));
        let mut since = since().peekable();
        let mut missed = Vec::new();
        let mut looked_up = 0;
        for (number, entry) in log.after(after) {
            while let Some(change) = since.next_if(|change| change.after < number) {
                change.apply(&mut rooms);
            }
            let is_for_it = match &entry.address {
                Address::Socket(sid) => *sid == self.sid,
                Address::Rooms(target) => {
                    looked_up += target.rooms.len() + target.except.len();
                    if looked_up > MAX_LOOKED_UP {
                        return None;
                    }
                    reaches(target, &rooms)
                }
            };
            if is_for_it {
                missed.push((number, &entry.frames));
            }
        }
        Some(missed)
    }

    /// It is connected again, and all of this is on its way to it.
    pub(super) fn resumed(&mut self, missed: &[u64], log: &Log) -> Option<Away<D>> {
        for &number in missed {
            if number > self.latest {
                self.note(number, log.pruned());
            }
        }
        self.turn += 1;
        self.claim = None;
        match std::mem::replace(&mut self.state, State::Connected) {
            State::Away(away) => Some(away),
            State::Connected => None,
        }
    }
}

impl RoomChange {
    fn apply<'a>(&'a self, rooms: &mut HashSet<&'a Room>) {
        if self.is_join {
            rooms.insert(&self.room);
        } else {
            rooms.remove(&self.room);
        }
    }

    fn undo<'a>(&'a self, rooms: &mut HashSet<&'a Room>) {
        if self.is_join {
            rooms.remove(&self.room);
        } else {
            rooms.insert(&self.room);
        }
    }
}

/// Whether a broadcast reaches somebody who is in these rooms.
fn reaches(target: &Target, rooms: &HashSet<&Room>) -> bool {
    let is_in = |room| rooms.contains(room);
    (target.rooms.is_empty() || target.rooms.iter().any(is_in)) && !target.except.iter().any(is_in)
}

/// The changes of rooms that are noted of a session. Who makes more of them while events come is not recovered from
/// before the oldest one that is noted.
const MAX_CHANGES: usize = 1_024;

/// The rooms that are looked up for a client that comes back, ten for each of the events that are kept by default. All
/// others in the namespace wait meanwhile, and clients may have a say in which rooms events are for.
const MAX_LOOKED_UP: usize = 100_000;
