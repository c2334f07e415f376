//! Random lives of clients, compared with a server that remembers everything: whoever is recovered has got exactly what
//! was for it, each once and in order; and whoever must be, is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;

const CLIENTS: usize = 3;
const ROOMS: [&str; 3] = ["a", "b", "c"];

#[derive(Debug, Clone)]
enum Op {
    /// An event to these rooms (bits), but not to those.
    Broadcast(u8, u8),
    EmitTo(usize),
    /// Ends in a string and is not numbered.
    Volatile(u8),
    Join(usize, usize),
    Leave(usize, usize),
    /// The client handles so many of the packets that are on their way.
    Handle(usize, usize),
    /// The connection breaks; what is on its way is lost.
    Cut(usize),
    /// The server notices.
    Notice(usize),
    /// The client connects again: CONNECT has arrived, and the middlewares run.
    Come(usize),
    /// They have agreed, or not.
    Verdict(usize, bool),
    SendAway(usize),
    Pass(u64),
    /// The process is killed, and the next one starts on what was stored.
    Crash,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let client = || 0..CLIENTS;
    let op = prop_oneof![
        6 => (0..8u8, 0..8u8).prop_map(|(to, except)| Op::Broadcast(to, except & !to)),
        3 => client().prop_map(Op::EmitTo),
        2 => (0..8u8).prop_map(Op::Volatile),
        2 => (client(), 0..3usize).prop_map(|(client, room)| Op::Join(client, room)),
        2 => (client(), 0..3usize).prop_map(|(client, room)| Op::Leave(client, room)),
        4 => (client(), 1..4usize).prop_map(|(client, count)| Op::Handle(client, count)),
        2 => client().prop_map(Op::Cut),
        2 => client().prop_map(Op::Notice),
        4 => client().prop_map(Op::Come),
        4 => (client(), prop::bool::weighted(0.9)).prop_map(|(client, yes)| Op::Verdict(client, yes)),
        1 => client().prop_map(Op::SendAway),
        1 => (1..40u64).prop_map(Op::Pass),
        1 => Just(Op::Crash),
    ];
    prop::collection::vec(op, 0..120)
}

/// A packet on its way: which event, if it is numbered, and the offset at its end.
#[derive(Debug, Clone, PartialEq)]
struct Packet {
    event: Option<u64>,
    offset: String,
}

/// The present session of a client, as the oracle knows it.
#[derive(Debug, Clone, Default)]
struct Truth {
    /// Everything that was for it, in order.
    addressed: Vec<u64>,
    rooms: BTreeSet<&'static str>,
    /// Since when it is away, if it is.
    away: Option<Instant>,
}

#[derive(Debug, Default)]
struct Client {
    /// What it knows: the session's name, and the last string.
    pid: Option<Pid>,
    offset: Option<String>,
    /// How many of the events of its session it has handled.
    handled: usize,
    truth: Truth,
    tenure: Option<Tenure>,
    /// Whether it is connected, as far as it knows.
    is_here: bool,
    on_its_way: VecDeque<Packet>,
    claim: Option<Found>,
    is_coming: bool,
}

/// What a store has.
#[derive(Debug, Default)]
struct Stored {
    events: BTreeMap<u64, (Address, Frames)>,
    sessions: BTreeMap<String, SavedSession>,
}

struct World {
    now: Instant,
    stored: Stored,
    history: History<&'static str>,
    limits: Limits,
    clients: Vec<Client>,
    sessions: u8,
    emitted: u64,
    /// Whether anything may be gone.
    has_forgotten: bool,
    recovered: usize,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self {
            now: start(),
            stored: Stored::default(),
            history: history(limits.clone()),
            limits,
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            sessions: 0,
            emitted: 0,
            has_forgotten: false,
            recovered: 0,
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Broadcast(to, except) => {
                let target = Target {
                    rooms: rooms(to).map(Room::from).collect(),
                    except: rooms(except).map(Room::from).collect(),
                };
                let is_for = move |truth: &Truth| {
                    (to == 0 || rooms(to).any(|room| truth.rooms.contains(room)))
                        && !rooms(except).any(|room| truth.rooms.contains(room))
                };
                self.emit(Address::Rooms(target), |_, truth| is_for(truth));
            }
            Op::EmitTo(to) => {
                if self.clients[to]
                    .tenure
                    .is_some_and(|tenure| self.history.is_known(tenure))
                {
                    self.emit(Address::Socket(sid(to as u8)), |n, _| n == to);
                }
            }
            Op::Volatile(to) => {
                let offset = self.history.newest().to_string();
                for client in self.clients.iter_mut().filter(|client| client.is_here) {
                    if to == 0 || rooms(to).any(|room| client.truth.rooms.contains(room)) {
                        let offset = offset.clone();
                        client.on_its_way.push_back(Packet {
                            event: None,
                            offset,
                        });
                    }
                }
            }
            Op::Join(n, room) => self.change_room(n, ROOMS[room], true),
            Op::Leave(n, room) => self.change_room(n, ROOMS[room], false),
            Op::Handle(n, count) => {
                let client = &mut self.clients[n];
                for _ in 0..count {
                    client.handle();
                }
            }
            Op::Cut(n) => {
                self.clients[n].is_here = false;
                self.clients[n].on_its_way.clear();
            }
            Op::Notice(n) => {
                if !self.clients[n].is_here {
                    self.part(n);
                }
            }
            Op::Come(n) => self.come(n),
            Op::Verdict(n, is_agreed) => self.verdict(n, is_agreed),
            Op::SendAway(n) => {
                if let Some(tenure) = self.clients[n].tenure.filter(|_| self.is_connected(n)) {
                    self.history.end(tenure);
                    let client = &mut self.clients[n];
                    client.is_here = false;
                    client.tenure = None;
                    client.on_its_way.clear();
                }
            }
            Op::Pass(seconds) => {
                self.now += SECOND * seconds as u32;
                self.has_forgotten = true;
            }
            Op::Crash => self.crash(),
        }
        for pid in self.history.take_over().iter().filter_map(|over| over.pid) {
            self.stored.sessions.remove(pid.as_str());
        }
    }

    fn crash(&mut self) {
        let saved = Saved {
            epoch: self.history.newest().epoch,
            first: self.history.newest().number + 1 - self.stored.events.len() as u64,
            events: self.stored.events.values().cloned().collect(),
            sessions: self
                .stored
                .sessions
                .values()
                .map(|session| (session.clone(), Vec::new()))
                .collect(),
            since: self.now,
        };
        self.history = History::restore(saved, self.limits.clone(), |_| "");
        for client in &mut self.clients {
            client.is_here = false;
            client.is_coming = false;
            client.claim = None;
            client.on_its_way.clear();
            if client.tenure.is_some() {
                client.truth.away = Some(self.now);
            }
        }
    }

    /// A session has begun, or its rooms have changed.
    fn store(&mut self, n: usize) {
        let client = &self.clients[n];
        let rooms = client.truth.rooms.iter().map(|&room| room.into()).collect();
        let saved = client
            .tenure
            .and_then(|tenure| self.history.saved(tenure, rooms));
        if let Some(saved) = saved {
            let sessions = &mut self.stored.sessions;
            sessions.insert(saved.pid.as_str().to_owned(), saved);
        }
    }

    fn is_connected(&self, n: usize) -> bool {
        let client = &self.clients[n];
        client.tenure.is_some() && client.truth.away.is_none()
    }

    fn emit(&mut self, address: Address, is_for: impl Fn(usize, &Truth) -> bool) {
        self.emitted += 1;
        let number = self.emitted;
        let offset = self.history.next().to_string();
        let (pruned, stored) = (self.history.pruned(), &mut self.stored.events);
        stored.insert(
            self.history.next().number,
            (address.clone(), frames(&number.to_string())),
        );
        stored.retain(|number, _| *number > pruned);
        self.history
            .append(self.now, address, frames(&number.to_string()));
        self.has_forgotten |= self.emitted > self.limits.max_packets as u64;
        for (n, client) in self.clients.iter_mut().enumerate() {
            let Some(tenure) = client.tenure.filter(|_| is_for(n, &client.truth)) else {
                continue;
            };
            client.truth.addressed.push(number);
            if client.truth.away.is_none() {
                self.history.sent(tenure);
            }
            if client.is_here {
                let packet = Packet {
                    event: Some(number),
                    offset: offset.clone(),
                };
                client.on_its_way.push_back(packet);
            }
        }
    }

    /// Rooms are joined and left by sockets, not by sessions that are away.
    fn change_room(&mut self, n: usize, room: &'static str, is_join: bool) {
        if !self.is_connected(n) {
            return;
        }
        let client = &mut self.clients[n];
        let is_change = if is_join {
            client.truth.rooms.insert(room)
        } else {
            client.truth.rooms.remove(room)
        };
        if let Some(tenure) = client.tenure.filter(|_| is_change) {
            self.history.room_changed(tenure, &room.into(), is_join);
            self.store(n);
        }
    }

    fn part(&mut self, n: usize) {
        if !self.is_connected(n) {
            return;
        }
        let client = &mut self.clients[n];
        let Some(tenure) = client.tenure else { return };
        let rooms = client.truth.rooms.iter().map(|&room| room.into()).collect();
        client.truth.away = Some(self.now);
        self.history.leave(self.now, tenure, rooms, "");
    }

    fn come(&mut self, n: usize) {
        let client = &mut self.clients[n];
        if client.is_here || client.is_coming {
            return;
        }
        client.is_coming = true;
        let seen = Seen::parse(client.offset.as_deref());
        client.claim = client
            .pid
            .and_then(|pid| self.history.claim(self.now, pid, seen));
    }

    fn verdict(&mut self, n: usize, is_agreed: bool) {
        if !std::mem::take(&mut self.clients[n].is_coming) {
            return;
        }
        let found = self.clients[n].claim.take();
        if !is_agreed {
            if let Some(found) = found {
                self.history.release(self.now, found.claim);
            }
            return;
        }
        if let Some(found) = &found {
            assert_eq!(found.sid, sid(n as u8));
            self.part(n);
            let resumption = self.history.resumption(found.claim).ok();
            if let Some(resumption) = resumption.filter(|_| found.is_whole) {
                self.resume(n, &resumption);
                return;
            }
            self.history.discard(found.claim);
        }
        self.must_not_have_been_recovered(n, found.is_some());
        self.part(n);
        self.sessions = self.sessions.checked_add(1).unwrap();
        let pid = pid(self.sessions);
        let client = &mut self.clients[n];
        client.tenure = Some(self.history.begin(self.now, pid, sid(n as u8)));
        client.truth = Truth::default();
        client.handled = 0;
        client.pid = Some(pid);
        client.is_here = true;
        client.on_its_way.clear();
        self.store(n);
    }

    fn resume(&mut self, n: usize, resumption: &Resumption) {
        let tenure = self.history.resume(resumption).unwrap();
        self.recovered += 1;
        let client = &mut self.clients[n];
        let missed = &client.truth.addressed[client.handled..];
        let expected: Vec<_> = missed.iter().map(|n| frames(&n.to_string())).collect();
        assert_eq!(resumption.missed, expected, "client {n}");
        let rooms: BTreeSet<_> = resumption.rooms.iter().map(|room| &**room).collect();
        assert_eq!(rooms, client.truth.rooms.iter().copied().collect());
        let epoch = self.history.newest().epoch;
        let packets = missed.iter().map(|&number| Packet {
            event: Some(number),
            offset: Offset { epoch, number }.to_string(),
        });
        client.on_its_way = packets.collect();
        client.tenure = Some(tenure);
        client.truth.away = None;
        client.is_here = true;
    }

    /// It has become a new session. Was there any reason?
    fn must_not_have_been_recovered(&self, n: usize, was_found: bool) {
        let client = &self.clients[n];
        let Some(tenure) = client.tenure else { return };
        if !self.has_forgotten {
            assert!(
                !was_found && !self.history.is_known(tenure),
                "client {n} could have been recovered"
            );
        }
    }
}

impl Client {
    fn handle(&mut self) {
        let Some(packet) = self.on_its_way.pop_front() else {
            return;
        };
        if let Some(event) = packet.event {
            assert_eq!(Some(&event), self.truth.addressed.get(self.handled));
            self.handled += 1;
        }
        self.offset = Some(packet.offset);
    }
}

fn rooms(bits: u8) -> impl Iterator<Item = &'static str> {
    ROOMS
        .into_iter()
        .enumerate()
        .filter(move |(n, _)| bits & 1 << n != 0)
        .map(|(_, room)| room)
}

proptest! {
    #[test]
    fn whoever_is_recovered_has_missed_nothing(ops in ops()) {
        let mut world = World::new(limits());
        for op in &ops {
            world.apply(op);
        }
    }

    #[test]
    fn nor_when_events_are_soon_forgotten(ops in ops(), max_packets in 0..12usize) {
        let mut world = World::new(Limits { max_packets, ..limits() });
        for op in &ops {
            world.apply(op);
        }
    }
}

#[test]
fn the_model_does_recover() {
    use Op::{Broadcast, Come, Cut, Handle, Notice, Verdict};
    let mut world = World::new(limits());
    for op in [
        Come(0),
        Verdict(0, true),
        Broadcast(0, 0),
        Handle(0, 1),
        Cut(0),
        Broadcast(0, 0),
        Notice(0),
        Come(0),
        Verdict(0, true),
    ] {
        world.apply(&op);
    }
    assert_eq!(world.recovered, 1);
    assert_eq!(world.clients[0].on_its_way.len(), 1);
}
