//! `History`: the events and the sessions of a namespace, and who gets what back.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    time::{Duration, Instant},
};

use super::{
    log::{Address, Log, is_past},
    offset::{Epoch, Offset, Pid, Seen},
    session::{Session, State},
    store::{Saved, SavedSession, SavedValue},
};
use crate::{encode::Frames, rooms::Room};

/// What a namespace remembers. `D` is what the application keeps on a socket.
pub struct History<D> {
    limits: Limits,
    log: Log,
    sessions: Vec<Option<Session<D>>>,
    free: Vec<u32>,
    by_pid: HashMap<Pid, u32>,
    /// Those that are away and not claimed, by the time they left.
    away: BTreeSet<(Instant, u32)>,
    last_claim: u64,
    /// Of whom the caller is to be told.
    over: Vec<Over<D>>,
}

/// The bounds of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a client may be away.
    pub max_disconnection_duration: Duration,
    /// How long an event is kept: longer than that by the time that may pass before a cut is noticed.
    pub retention: Duration,
    /// The events that are kept.
    pub max_packets: usize,
    /// The bytes of the events that are kept, each counted with 160 bytes and 48 for each room on top.
    pub max_bytes: usize,
    /// The sessions that are away and kept; with more, the one that has been away longest is forgotten.
    pub max_sessions: usize,
}

/// A session that is over, or went on with other data.
#[derive(Debug, PartialEq)]
pub struct Over<D> {
    /// The name of a session that is over.
    pub pid: Option<Pid>,
    /// What the application has kept, to be dropped without a lock.
    pub data: Option<D>,
}

/// A socket holds this session. It has no effect any more when another one does, or the session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    slot: u32,
    pid: Pid,
    turn: u32,
}

/// A client that has come back, and is being asked who it is. As long as it is, its session is not forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    slot: u32,
    pid: Pid,
    number: u64,
    seen: Seen,
}

/// The session that a claim is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// To be given to one of the methods that take it.
    pub claim: Claim,
    /// The id of its socket.
    pub sid: Room,
    /// Whether everything that was missed is there, as things are now.
    pub is_whole: bool,
}

/// Why a session is not recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The session has ended, or something that was missed is not there any more, or too much to look for.
    #[error("what was missed is not there any more")]
    Gone,
    /// The client has come back once more meanwhile, and that connection counts.
    #[error("the session was taken over")]
    Superseded,
}

/// How a session goes on, if it does.
#[derive(Debug)]
pub struct Resumption {
    claim: Claim,
    /// The numbers of what was missed.
    numbers: Vec<u64>,
    /// What was missed, in order.
    pub missed: Vec<Frames>,
    /// The rooms it was in.
    pub rooms: Vec<Room>,
}

impl<D> History<D> {
    /// A history without events and sessions.
    pub fn new(epoch: Epoch, limits: Limits) -> Self {
        Self {
            limits,
            log: Log::new(epoch, 1),
            sessions: Vec::new(),
            free: Vec::new(),
            by_pid: HashMap::new(),
            away: BTreeSet::new(),
            last_claim: 0,
            over: Vec::new(),
        }
    }

    /// Events up to this number are gone.
    pub fn pruned(&self) -> u64 {
        self.log.pruned()
    }

    /// The offset of the newest event.
    pub fn newest(&self) -> Offset {
        self.log.offset(self.log.last())
    }

    /// The offset that the next event will have, and is to end with.
    pub fn next(&self) -> Offset {
        self.log.offset(self.log.last() + 1)
    }

    /// Appends an event, which ends with the offset that [`next`](Self::next) has given. To be called before it is sent
    /// to anybody, and then [`sent`](Self::sent) for each recipient.
    pub fn append(&mut self, now: Instant, address: Address, frames: Frames) {
        self.log.append(now, address, frames);
        self.prune(now);
    }

    /// The event that was appended last is for this session.
    pub fn sent(&mut self, tenure: Tenure) {
        let log = &self.log;
        if let Some(session) = held(&mut self.sessions, tenure) {
            session.sent(log);
        }
    }

    /// A session begins, connected. The name must be a new one.
    pub fn begin(&mut self, now: Instant, pid: Pid, sid: Room) -> Tenure {
        self.prune(now);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.sessions.push(None);
            self.sessions.len() as u32 - 1
        });
        self.sessions[slot as usize] = Some(Session::new(pid, sid, &self.log));
        self.by_pid.insert(pid, slot);
        Tenure { slot, pid, turn: 0 }
    }

    /// Whether the session is still there, connected or away, and whoever holds it now.
    pub fn is_known(&self, tenure: Tenure) -> bool {
        session_at(&self.sessions, tenure.slot, tenure.pid).is_some()
    }

    /// The socket has joined a room that it was not in, or left one that it was in. Not to be called for the rooms of a
    /// session that is [resumed](Self::resume).
    pub fn room_changed(&mut self, tenure: Tenure, room: &Room, is_join: bool) {
        let log = &self.log;
        if let Some(session) = held(&mut self.sessions, tenure) {
            session.changed(room.clone(), is_join, log);
        }
    }

    /// The socket is cut off, in these rooms. From now on its session is away.
    pub fn leave(&mut self, now: Instant, tenure: Tenure, rooms: Vec<Room>, data: D) {
        self.prune(now);
        let Some(session) = held(&mut self.sessions, tenure) else {
            self.over.push(Over {
                pid: None,
                data: Some(data),
            });
            return;
        };
        session.leave(now, rooms, data, &self.log);
        if session.claim.is_none() {
            self.away.insert((now, tenure.slot));
            self.evict();
        }
    }

    /// The socket was disconnected by its client or by us, so that its session is over.
    pub fn end(&mut self, tenure: Tenure) {
        if held(&mut self.sessions, tenure).is_some() {
            self.forget(tenure.slot);
        }
    }

    /// A client has come back. It is to be asked who it is; then one of [`release`](Self::release),
    /// [`discard`](Self::discard) and [`resumption`](Self::resumption) is due. An earlier claim has no effect any more.
    pub fn claim(&mut self, now: Instant, pid: Pid, seen: Seen) -> Option<Found> {
        self.prune(now);
        let slot = *self.by_pid.get(&pid)?;
        let session = self.sessions[slot as usize].as_mut()?;
        self.last_claim += 1;
        session.claim = Some(self.last_claim);
        if let State::Away(away) = &session.state {
            self.away.remove(&(away.since, slot));
        }
        let is_whole = session.resume_after(seen, &self.log).is_some();
        let claim = Claim {
            slot,
            pid,
            number: self.last_claim,
            seen,
        };
        Some(Found {
            claim,
            sid: session.sid.clone(),
            is_whole,
        })
    }

    /// The client was not let in, or has gone again. Its session stays as it was.
    pub fn release(&mut self, now: Instant, claim: Claim) {
        let Some(session) = claimed(&mut self.sessions, claim) else {
            return;
        };
        session.claim = None;
        if let State::Away(away) = &session.state {
            self.away.insert((away.since, claim.slot));
            self.evict();
        }
        self.prune(now);
    }

    /// The client was let in, but not as who it was: its session is over, whoever holds it.
    pub fn discard(&mut self, claim: Claim) {
        if claimed(&mut self.sessions, claim).is_some() {
            self.forget(claim.slot);
        }
    }

    /// Whether a claim is still the one that counts.
    pub fn check(&self, claim: Claim) -> Result<(), Lost> {
        match session_at(&self.sessions, claim.slot, claim.pid) {
            None => Err(Lost::Gone),
            Some(session) if session.claim != Some(claim.number) => Err(Lost::Superseded),
            Some(_) => Ok(()),
        }
    }

    /// The client was let in: what it gets. Its session must be away by now, see [`leave`](Self::leave). Nothing has
    /// happened before [`resume`](Self::resume).
    pub fn resumption(&self, claim: Claim) -> Result<Resumption, Lost> {
        self.check(claim)?;
        let log = &self.log;
        let session = session_at(&self.sessions, claim.slot, claim.pid).ok_or(Lost::Gone)?;
        let State::Away(away) = &session.state else {
            return Err(Lost::Gone);
        };
        let after = session.resume_after(claim.seen, log).ok_or(Lost::Gone)?;
        let missed = session.missed(after, log).ok_or(Lost::Gone)?;
        Ok(Resumption {
            claim,
            numbers: missed.iter().map(|(number, _)| *number).collect(),
            missed: missed
                .into_iter()
                .map(|(_, frames)| frames.clone())
                .collect(),
            rooms: away.rooms.clone(),
        })
    }

    /// The client is there again, and what it has missed is on its way.
    pub fn resume(&mut self, resumption: &Resumption) -> Option<Tenure> {
        let claim = resumption.claim;
        let session = claimed(&mut self.sessions, claim)?;
        let away = session.resumed(&resumption.numbers, &self.log);
        let tenure = Tenure {
            slot: claim.slot,
            pid: claim.pid,
            turn: session.turn,
        };
        self.over.extend(away.map(|away| Over {
            pid: None,
            data: Some(away.data),
        }));
        Some(tenure)
    }

    /// What the application keeps for a session that is away.
    pub fn data(&self, claim: Claim) -> Option<&D> {
        match &session_at(&self.sessions, claim.slot, claim.pid)?.state {
            State::Away(away) => Some(&away.data),
            State::Connected => None,
        }
    }

    /// How long it takes until the last of those that are away is forgotten. None if nobody is away.
    pub fn expects_somebody_for(&self, now: Instant) -> Option<Duration> {
        let (since, _) = self.away.last()?;
        let away = now.saturating_duration_since(*since);
        let left = self.limits.max_disconnection_duration.saturating_sub(away);
        Some(left).filter(|left| !left.is_zero())
    }

    /// The sessions that are over since this was last called.
    pub fn take_over(&mut self) -> Vec<Over<D>> {
        std::mem::take(&mut self.over)
    }

    /// What a store keeps of a session that is connected, and in these rooms.
    pub fn saved(&self, tenure: Tenure, rooms: Vec<Room>) -> Option<SavedSession> {
        let session = session_at(&self.sessions, tenure.slot, tenure.pid)?;
        Some(session.to_saved(rooms))
    }

    /// What was kept when a process ended, as the next one goes on with it.
    pub fn restore(saved: Saved, limits: Limits, data: impl Fn(Vec<SavedValue>) -> D) -> Self {
        let mut history = Self::new(saved.epoch, limits);
        history.log = Log::new(saved.epoch, saved.first.max(1));
        for (address, frames) in saved.events {
            history.log.append(saved.since, address, frames);
        }
        for (session, values) in saved.sessions {
            let slot = history.sessions.len() as u32;
            history.by_pid.insert(session.pid, slot);
            history.away.insert((saved.since, slot));
            let data = data(values);
            let session = Session::restored(session, saved.since, data, &history.log);
            history.sessions.push(Some(session));
        }
        history.log.prune(saved.since, &history.limits);
        history.evict();
        history
    }

    /// Forgets what is too old.
    fn prune(&mut self, now: Instant) {
        self.log.prune(now, &self.limits);
        while let Some(&(since, slot)) = self.away.first()
            && is_past(since, self.limits.max_disconnection_duration, now)
        {
            self.forget(slot);
        }
    }

    fn evict(&mut self) {
        while self.away.len() > self.limits.max_sessions
            && let Some(&(_, slot)) = self.away.first()
        {
            self.forget(slot);
        }
    }

    fn forget(&mut self, slot: u32) {
        let Some(session) = self.sessions[slot as usize].take() else {
            return;
        };
        self.by_pid.remove(&session.pid);
        self.free.push(slot);
        let data = match session.state {
            State::Away(away) => {
                self.away.remove(&(away.since, slot));
                Some(away.data)
            }
            State::Connected => None,
        };
        self.over.push(Over {
            pid: Some(session.pid),
            data,
        });
        // After a mass disconnect the tables would stay as large as they ever were.
        if self.by_pid.is_empty() {
            (self.sessions, self.free) = (Vec::new(), Vec::new());
            self.by_pid.shrink_to(64);
        }
    }
}

impl Tenure {
    /// The name of the session.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Resumption {
    /// The name of the session, which stays.
    pub fn pid(&self) -> Pid {
        self.claim.pid
    }
}

impl<D> fmt::Debug for History<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History")
            .field("newest", &self.newest())
            .field("sessions", &self.by_pid.len())
            .field("away", &self.away.len())
            .finish_non_exhaustive()
    }
}

/// The session in this place, if it is still the one of this name.
fn session_at<D>(sessions: &[Option<Session<D>>], slot: u32, pid: Pid) -> Option<&Session<D>> {
    let session = sessions.get(slot as usize)?.as_ref();
    session.filter(|session| session.pid == pid)
}

/// The session of a socket, if it is connected by that socket.
fn held<D>(sessions: &mut [Option<Session<D>>], tenure: Tenure) -> Option<&mut Session<D>> {
    let session = sessions.get_mut(tenure.slot as usize)?.as_mut();
    session.filter(|session| {
        session.pid == tenure.pid
            && session.turn == tenure.turn
            && matches!(session.state, State::Connected)
    })
}

/// The session of a claim, if it is the last one.
fn claimed<D>(sessions: &mut [Option<Session<D>>], claim: Claim) -> Option<&mut Session<D>> {
    let session = sessions.get_mut(claim.slot as usize)?.as_mut();
    session.filter(|session| session.pid == claim.pid && session.claim == Some(claim.number))
}
