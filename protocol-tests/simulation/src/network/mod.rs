//! The simulated network: connections with delays, and with faults that are drawn when they begin.
//!
//! Bytes of one direction never overtake each other; those of different connections do, so requests arrive in any order.

mod harm;
pub mod pipe;

use std::collections::{BTreeMap, VecDeque};

use chaos::rng::Rng;

use self::harm::Harm;
pub use self::harm::Weather;
use self::pipe::{Pipes, Sent};
use crate::agenda::{Agenda, Event, Ms};
use crate::plant::Plant;
use crate::record::Record;

/// A connection; never given twice.
pub type ConnId = u64;

/// How one direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ToServer,
    ToClient,
}

/// What reaches a client.
#[derive(Debug)]
pub enum Delivered {
    Bytes(Vec<u8>),
    End,
}

/// All connections there are.
pub struct Network {
    wires: BTreeMap<ConnId, Wire>,
    last: ConnId,
    rng: Rng,
    pub weather: Weather,
    /// No client, or one of them, reaches the server before this time.
    parted: BTreeMap<usize, Ms>,
    /// A client takes nothing before this time.
    drowsy: BTreeMap<usize, Ms>,
    /// The server's side, while there is a process.
    pub pipes: Option<Pipes>,
    /// The machine is off: nobody even refuses.
    pub is_dark: bool,
    plant: Option<Plant>,
}

struct Wire {
    client: usize,
    harm: Harm,
    lanes: [Lane; 2],
    /// Nothing goes through any more, whoever knows.
    is_dead: bool,
    has_arrived: bool,
    is_left_by_client: bool,
}

#[derive(Default)]
struct Lane {
    items: VecDeque<Item>,
    /// When the last of them arrives.
    last: Ms,
    carried: u64,
    is_ended: bool,
}

enum Item {
    Open,
    Bytes(Vec<u8>),
    End(End),
}

impl Network {
    pub fn new(rng: Rng, weather: Weather, plant: Option<Plant>) -> Self {
        Self {
            wires: BTreeMap::new(),
            last: 0,
            rng,
            weather,
            parted: BTreeMap::new(),
            drowsy: BTreeMap::new(),
            pipes: None,
            is_dark: false,
            plant,
        }
    }

    /// A client opens a connection; it may write at once.
    pub fn connect(&mut self, client: usize, agenda: &mut Agenda, record: &mut Record) -> ConnId {
        self.last += 1;
        let harm = Harm::draw(&self.weather, &mut self.rng, record);
        let mut wire = Wire {
            client,
            harm,
            lanes: Default::default(),
            is_dead: false,
            has_arrived: false,
            is_left_by_client: false,
        };
        let delay = wire.harm.delay(&mut self.rng);
        let lane = &mut wire.lanes[0];
        Self::queue(
            lane,
            self.last,
            Direction::ToServer,
            Item::Open,
            delay,
            agenda,
        );
        self.wires.insert(self.last, wire);
        self.last
    }

    /// A client writes.
    pub fn send(&mut self, id: ConnId, bytes: Vec<u8>, agenda: &mut Agenda, record: &mut Record) {
        self.carry(id, Direction::ToServer, bytes, agenda, record);
    }

    /// A client leaves a connection: nothing of it reaches that client any more.
    pub fn leave(&mut self, id: ConnId, end: End, agenda: &mut Agenda) {
        self.end(id, Direction::ToServer, end, agenda);
        if let Some(wire) = self.wires.get_mut(&id) {
            wire.is_left_by_client = true;
            if wire.is_dead {
                self.wires.remove(&id);
            }
        }
    }

    /// Whether a connection leads nowhere although its client still has it.
    pub fn is_dead(&self, id: ConnId) -> bool {
        let is_known = || self.pipes.as_ref().is_some_and(|pipes| pipes.has(id));
        let wire = self.wires.get(&id);
        wire.is_some_and(|wire| wire.is_dead || wire.has_arrived && !is_known())
    }

    /// Carries what the process has written.
    pub fn collect(&mut self, agenda: &mut Agenda, record: &mut Record) {
        let sent = self.pipes.as_ref().map(Pipes::take_sent);
        for (id, sent) in sent.into_iter().flatten() {
            match sent {
                Sent::Bytes(bytes) => {
                    record.trace(&[1, id, bytes.len() as u64]);
                    self.carry(id, Direction::ToClient, bytes, agenda, record);
                }
                Sent::Closed => self.end(id, Direction::ToClient, End::Fin, agenda),
            }
        }
    }

    /// The process is gone. Its kernel says so to its peers, unless that is gone too.
    pub fn lose_process(&mut self, is_power_lost: bool, agenda: &mut Agenda, record: &mut Record) {
        self.collect(agenda, record);
        let Some(pipes) = self.pipes.take() else {
            return;
        };
        for id in pipes.freeze() {
            if is_power_lost {
                if let Some(wire) = self.wires.get_mut(&id) {
                    // What is under way arrives.
                    wire.lanes[1].is_ended = true;
                }
            } else {
                let end = if self.rng.chance(500) {
                    End::Fin
                } else {
                    End::Reset
                };
                self.end(id, Direction::ToClient, end, agenda);
            }
        }
    }

    /// The next thing of this direction arrives at the server.
    pub fn deliver_to_server(&mut self, id: ConnId, agenda: &mut Agenda, record: &mut Record) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        if let Some(until) = later(&self.parted, wire.client, agenda.now) {
            return agenda.at(until, Event::ToServer(id));
        }
        let Some(item) = wire.lanes[0].items.pop_front() else {
            return;
        };
        let is_over = matches!(item, Item::End(_)) && wire.is_left_by_client;
        wire.has_arrived = true;
        record.trace(&[2, id]);
        match (&self.pipes, item) {
            (Some(pipes), Item::Open) => pipes.arrive(id),
            (Some(pipes), Item::Bytes(bytes)) if pipes.has(id) => pipes.deliver(id, &bytes),
            (Some(pipes), Item::End(end)) if pipes.has(id) => pipes.deliver_end(id, end),
            // Nobody knows this connection, and as long as there is a machine, it says so.
            (_, Item::Open | Item::Bytes(_)) if !self.is_dark => {
                record.count("refused");
                wire.lanes[1].is_ended = false;
                self.end(id, Direction::ToClient, End::Reset, agenda);
            }
            _ => {}
        }
        if is_over {
            self.wires.remove(&id);
        }
    }

    /// The next thing of this direction arrives at its client, which is told with it.
    pub fn deliver_to_client(
        &mut self,
        id: ConnId,
        agenda: &mut Agenda,
        record: &mut Record,
    ) -> Option<(usize, Delivered)> {
        let wire = self.wires.get_mut(&id)?;
        let client = wire.client;
        let held = later(&self.parted, client, agenda.now);
        if let Some(until) = held.max(later(&self.drowsy, client, agenda.now)) {
            agenda.at(until, Event::ToClient(id));
            return None;
        }
        let item = wire.lanes[1].items.pop_front()?;
        let is_left = wire.is_left_by_client;
        record.trace(&[3, id]);
        let delivered = match item {
            Item::Bytes(bytes) => {
                if let Some(pipes) = &self.pipes {
                    pipes.taken(id, bytes.len());
                }
                Delivered::Bytes(bytes)
            }
            Item::End(_) => Delivered::End,
            Item::Open => return None,
        };
        (!is_left).then_some((client, delivered))
    }

    /// Nothing passes between a client and the server until then; it is late, and not lost.
    pub fn part(&mut self, client: usize, until: Ms) {
        self.parted.insert(client, until);
    }

    /// A client takes nothing until then.
    pub fn doze(&mut self, client: usize, until: Ms) {
        self.drowsy.insert(client, until);
    }

    /// From now on all goes well, but for what is cut already.
    pub fn heal(&mut self) {
        self.weather = self.weather.fair();
        self.parted.clear();
        self.drowsy.clear();
        for wire in self.wires.values_mut() {
            wire.harm = wire.harm.mild();
        }
    }

    fn carry(
        &mut self,
        id: ConnId,
        direction: Direction,
        mut bytes: Vec<u8>,
        agenda: &mut Agenda,
        record: &mut Record,
    ) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let lane = &mut wire.lanes[direction as usize];
        if wire.is_dead || lane.is_ended {
            return;
        }
        let left = wire.harm.left(direction, lane.carried);
        let is_cut = left.is_some_and(|left| left <= bytes.len() as u64);
        if let Some(left) = left.filter(|_| is_cut) {
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        }
        lane.carried += bytes.len() as u64;
        if let Some(plant) = self.plant {
            plant.spoil(&mut bytes, direction, &mut self.rng, record);
        }
        while !bytes.is_empty() {
            let piece = wire.harm.piece(bytes.len(), &mut self.rng);
            let rest = bytes.split_off(piece);
            let delay = wire.harm.delay(&mut self.rng);
            Self::queue(lane, id, direction, Item::Bytes(bytes), delay, agenda);
            bytes = rest;
        }
        if is_cut {
            self.cut(id, agenda, record);
        }
    }

    /// The connection breaks here; its ends learn of it, or do not.
    fn cut(&mut self, id: ConnId, agenda: &mut Agenda, record: &mut Record) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        wire.is_dead = true;
        let told = wire.harm.told();
        record.count(match told {
            [true, true] => "cut",
            [false, false] => "black hole",
            _ => "half-open",
        });
        for (direction, told) in [Direction::ToServer, Direction::ToClient]
            .into_iter()
            .zip(told)
        {
            let lane = &mut wire.lanes[direction as usize];
            if told && !lane.is_ended {
                let end = if self.rng.chance(500) {
                    End::Fin
                } else {
                    End::Reset
                };
                let delay = wire.harm.delay(&mut self.rng);
                Self::queue(lane, id, direction, Item::End(end), delay, agenda);
            }
            lane.is_ended = true;
        }
    }

    fn end(&mut self, id: ConnId, direction: Direction, end: End, agenda: &mut Agenda) {
        let Some(wire) = self.wires.get_mut(&id) else {
            return;
        };
        let lane = &mut wire.lanes[direction as usize];
        if wire.is_dead || lane.is_ended {
            return;
        }
        lane.is_ended = true;
        let delay = wire.harm.delay(&mut self.rng);
        Self::queue(lane, id, direction, Item::End(end), delay, agenda);
    }

    fn queue(
        lane: &mut Lane,
        id: ConnId,
        direction: Direction,
        item: Item,
        delay: Ms,
        agenda: &mut Agenda,
    ) {
        lane.last = lane.last.max(agenda.now + delay);
        lane.items.push_back(item);
        agenda.at(
            lane.last,
            match direction {
                Direction::ToServer => Event::ToServer(id),
                Direction::ToClient => Event::ToClient(id),
            },
        );
    }
}

fn later(times: &BTreeMap<usize, Ms>, client: usize, now: Ms) -> Option<Ms> {
    times.get(&client).copied().filter(|until| *until > now)
}
