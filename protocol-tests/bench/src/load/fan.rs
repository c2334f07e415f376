//! One to many: the first client of each group sends, and each member gets it, once, in order and as it was sent.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use super::{
    Extent, Load,
    packets::{number, text, write},
};
use crate::clock::now;
use crate::fleet::Fleet;
use crate::player::{Message, Out, Player};
use crate::tally::{Sequence, Tally};

/// When the next message is sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as fewer than this many are on their way to somebody.
    InFlight(usize),
    /// So many times a second. The latency counts from when a message was due.
    PerSecond(u32),
}

pub struct Fan {
    /// The members of a room, or nothing for one group of all.
    room: Option<usize>,
    pace: Pace,
    limit: u64,
    begun: Instant,
    joined: usize,
    groups: Vec<Group>,
    /// By client, what it has got.
    sequences: Vec<Sequence>,
    /// Groups in which a message has reached everybody.
    moved: Vec<usize>,
    tally: Tally,
}

#[derive(Default)]
struct Group {
    sent: u64,
    /// Those that somebody has not got; the last of them is the last sent.
    under_way: VecDeque<UnderWay>,
}

struct UnderWay {
    packet: Vec<u8>,
    since: Instant,
    arrived: usize,
}

impl Fan {
    /// With one group of all clients if `room` is not given.
    pub fn new(room: Option<usize>, pace: Pace, clients: usize, extent: Extent) -> Self {
        let groups = clients.div_ceil(room.unwrap_or(clients));
        Self {
            room,
            pace,
            limit: extent.limit(),
            begun: now(),
            joined: 0,
            groups: (0..groups).map(|_| Group::default()).collect(),
            sequences: (0..clients).map(|_| Sequence::starting_at(0)).collect(),
            moved: Vec::new(),
            tally: Tally::default(),
        }
    }

    fn size(&self) -> usize {
        self.room.unwrap_or(self.sequences.len())
    }

    fn members(&self, group: usize) -> usize {
        let (size, clients) = (self.size(), self.sequences.len());
        size.min(clients - group * size)
    }

    fn name(&self) -> &'static str {
        if self.room.is_some() {
            "room"
        } else {
            "broadcast"
        }
    }

    fn send(&mut self, group: usize, since: Instant, fleet: &mut Fleet) -> io::Result<()> {
        let mut content = vec![b'"'];
        let number = self.groups[group].sent;
        text(&mut content, group, number, 64);
        content.extend_from_slice(b"\"]");
        let name = self.name();
        let with = |head: std::fmt::Arguments<'_>| {
            let mut packet = Vec::with_capacity(128);
            write(&mut packet, head);
            packet.extend_from_slice(&content);
            packet
        };
        let packet = with(format_args!("2[\"{name}\","));
        let request = match self.room {
            Some(_) => with(format_args!("2[\"{name}\",\"r{group}\",")),
            None => packet.clone(),
        };
        let state = &mut self.groups[group];
        state.sent += 1;
        state.under_way.push_back(UnderWay {
            packet,
            since,
            arrived: 0,
        });
        fleet.send(group * self.size(), |out| out.text(&request))
    }

    /// Notes what a member has got; nothing if it is not what was sent.
    fn arrived(&mut self, client: usize, packet: &[u8]) -> Option<()> {
        let group = client / self.size();
        let members = self.members(group);
        let (_, rest) = packet
            .strip_prefix(b"2[\"")?
            .strip_prefix(self.name().as_bytes())?
            .strip_prefix(b"\",\"")
            .and_then(number)?;
        let (number, _) = number(rest.strip_prefix(b":")?)?;
        let state = &mut self.groups[group];
        let first = state.sent - state.under_way.len() as u64;
        if number >= state.sent {
            return None;
        }
        let place = number.checked_sub(first).map(|place| place as usize);
        if let Some(place) = place
            && !is_what_was_sent(packet, &state.under_way[place].packet)
        {
            return None;
        }
        if self.sequences[client].receive(number, &mut self.tally.faults)
            && let Some(place) = place
        {
            let under_way = &mut state.under_way[place];
            under_way.arrived += 1;
            self.tally.received += 1;
            self.tally.latency.add(under_way.since.elapsed());
            // One that was overtaken may be all that kept others from being done.
            while state
                .under_way
                .front()
                .is_some_and(|it| it.arrived == members)
            {
                state.under_way.pop_front();
                self.moved.push(group);
            }
        }
        Some(())
    }

    fn fill(&mut self, group: usize, window: usize, fleet: &mut Fleet) -> io::Result<()> {
        while self.groups[group].under_way.len() < window && self.groups[group].sent < self.limit {
            self.send(group, now(), fleet)?;
        }
        Ok(())
    }
}

impl Player for Fan {
    fn receive(&mut self, client: usize, message: Message<'_>, _out: &mut Out<'_>) {
        let Message::Text(packet) = message else {
            self.tally.faults.wrong += 1;
            return;
        };
        if self.joined < self.sequences.len() && self.room.is_some() {
            let group = client / self.size();
            let expected = format!("30[\"r{group}\"]");
            self.joined += usize::from(packet == expected.as_bytes());
        } else if self.arrived(client, packet).is_none() {
            self.tally.faults.wrong += 1;
        }
    }
}

impl Load for Fan {
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        if self.room.is_some() {
            for client in 0..self.sequences.len() {
                let group = client / self.size();
                let join = format!("20[\"join\",\"r{group}\"]");
                fleet.send(client, |out| out.text(join.as_bytes()))?;
            }
            let begun = now();
            while self.joined < self.sequences.len() {
                if begun.elapsed() > JOIN_WITHIN {
                    return Err(io::Error::other("not all clients could join their rooms"));
                }
                fleet.turn(Duration::from_millis(100), self)?;
            }
        }
        self.begun = now();
        self.moved = (0..self.groups.len()).collect();
        Ok(())
    }

    fn turn(&mut self, fleet: &mut Fleet) -> io::Result<Option<Instant>> {
        let moved = std::mem::take(&mut self.moved);
        match self.pace {
            Pace::InFlight(window) => {
                for group in moved {
                    self.fill(group, window, fleet)?;
                }
                Ok(None)
            }
            Pace::PerSecond(rate) => {
                let begun = self.begun;
                let due =
                    |sent: u64| begun + Duration::from_secs_f64(sent as f64 / f64::from(rate));
                let mut next = due(self.groups[0].sent);
                while next <= now() && self.groups[0].sent < self.limit {
                    for group in 0..self.groups.len() {
                        self.send(group, next, fleet)?;
                    }
                    next = due(self.groups[0].sent);
                }
                Ok((self.groups[0].sent < self.limit).then_some(next))
            }
        }
    }

    fn stop(&mut self) {
        self.limit = 0;
    }

    fn is_settled(&self) -> bool {
        let is_settled = |group: &Group| group.under_way.is_empty() && group.sent >= self.limit;
        self.groups.iter().all(is_settled)
    }

    fn settle(&mut self) {
        for (client, sequence) in self.sequences.iter().enumerate() {
            let sent = self.groups[client / self.size()].sent;
            self.tally.faults.lost += sequence.lost_below(sent);
        }
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Whether a packet is the one sent, be it with an offset as one more argument.
fn is_what_was_sent(packet: &[u8], sent: &[u8]) -> bool {
    let Some(open) = sent.strip_suffix(b"]") else {
        return false;
    };
    match packet.strip_prefix(open) {
        Some(b"]") => true,
        Some([b',', b'"', offset @ .., b'"', b']']) => {
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            offset.len() <= LONGEST_OFFSET && offset.iter().all(is_plain)
        }
        _ => false,
    }
}

const LONGEST_OFFSET: usize = 40;
const JOIN_WITHIN: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    /// Four clients in rooms of two, in the first of which two messages are on their way.
    fn fan() -> Fan {
        let mut fan = Fan::new(Some(2), Pace::InFlight(2), 4, Extent::Messages(2));
        fan.joined = 4;
        for number in 0..2 {
            let packet = packet(number);
            fan.groups[0].sent += 1;
            fan.groups[0].under_way.push_back(UnderWay {
                packet,
                since: now(),
                arrived: 0,
            });
        }
        fan
    }

    fn packet(number: u64) -> Vec<u8> {
        let text = format!("0:{number}:");
        format!("2[\"room\",\"{text:x<64}\"]").into_bytes()
    }

    fn receive(fan: &mut Fan, client: usize, packet: &[u8]) {
        let mut unsent = Vec::new();
        fan.receive(
            client,
            Message::Text(packet),
            &mut Out::Payload(&mut unsent),
        );
    }

    #[test]
    fn a_message_is_done_when_all_members_have_it() {
        let mut fan = fan();
        receive(&mut fan, 0, &packet(0));
        assert!(fan.moved.is_empty());
        receive(&mut fan, 1, &packet(0));
        assert_eq!(fan.moved, [0]);
        fan.settle();
        assert_eq!((fan.tally.received, fan.tally.faults.lost), (2, 2));
    }

    #[test]
    fn an_offset_may_follow_and_nothing_else() {
        let sent = packet(0);
        let with = |end: &str| [&sent[..sent.len() - 1], end.as_bytes()].concat();
        assert!(is_what_was_sent(&sent, &sent));
        assert!(is_what_was_sent(&with(r#","AbC-1_z.17"]"#), &sent));
        for end in ["", "]]", r#","a","b"]"#, r#",1]"#, r#","a"#] {
            assert!(!is_what_was_sent(&with(end), &sent), "{end}");
        }
    }

    #[test]
    fn messages_that_overtake_one_another_are_all_done_in_the_end() {
        let mut fan = fan();
        for (client, number) in [(0, 1), (1, 1), (0, 0), (1, 0)] {
            receive(&mut fan, client, &packet(number));
        }
        assert_eq!(fan.moved, [0, 0]);
        assert_eq!(fan.tally.faults.out_of_order, 2);
    }

    #[test]
    fn repeated_swapped_and_foreign_messages_are_faults() {
        let mut fan = fan();
        for (client, number) in [(0, 1), (0, 0), (0, 0), (2, 0)] {
            receive(&mut fan, client, &packet(number));
        }
        receive(&mut fan, 1, b"2[\"room\",\"0:0:x\"]");
        let faults = fan.tally.faults;
        assert_eq!(
            (faults.out_of_order, faults.repeated, faults.wrong),
            (1, 1, 2)
        );
    }
}
