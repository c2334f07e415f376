//! Visits: clients join a namespace, are cut off, come back as who they were, and get what they have missed.
//!
//! The namespace is not the main one, in which a client of the fleet already is when it can say something.

use std::io;

use serde::Deserialize;

use super::{
    Extent, Load,
    packets::{text, write},
    script::Script,
};
use crate::fleet::Fleet;
use crate::player::{Message, Out, Player};
use crate::tally::Tally;

/// Clients that come, or come back.
pub struct Visit {
    guests: Vec<Guest>,
    /// What they say first; nothing if they are there already.
    requests: Vec<String>,
    /// The number of the next event that each has to get, and of the first that none will.
    events: (u64, u64),
    tally: Tally,
}

/// What a client keeps of its session.
#[derive(Debug, Clone, Default)]
struct Guest {
    pid: String,
    offset: String,
    is_in: bool,
    /// How many events it has got in this visit.
    got: u64,
}

/// What the answer to a CONNECT says of the session.
#[derive(Deserialize)]
struct Joined {
    pid: String,
}

impl Visit {
    /// The first visit, after so many events that nobody of them will see.
    pub fn first(clients: usize, after: u64) -> Self {
        Self {
            guests: vec![Guest::default(); clients],
            requests: vec![format!("0{NAMESPACE},"); clients],
            events: (after, after),
            tally: Tally::default(),
        }
    }

    /// Those that are there wait for so many events.
    pub fn await_events(&mut self, count: u64) {
        self.requests.clear();
        self.events = (self.events.1, self.events.1 + count);
        self.begin_anew();
    }

    /// Those that were there come back, and so many events were missed.
    pub fn come_back(&mut self, missed: u64) {
        self.events = (self.events.1, self.events.1 + missed);
        self.begin_anew();
        let request = |guest: &Guest| {
            let (pid, offset) = (&guest.pid, &guest.offset);
            format!("0{NAMESPACE},{{\"pid\":\"{pid}\",\"offset\":\"{offset}\"}}")
        };
        self.requests = self.guests.iter().map(request).collect();
        for guest in &mut self.guests {
            guest.is_in = false;
        }
    }

    fn begin_anew(&mut self) {
        for guest in &mut self.guests {
            guest.got = 0;
        }
        self.tally = Tally::default();
    }

    /// Notes what a client has got; nothing if it is not what it has to be.
    fn note(&mut self, client: usize, packet: &[u8]) -> Option<()> {
        let (next, end) = self.events;
        let guest = &mut self.guests[client];
        if let Some(answer) = packet.strip_prefix(format!("0{NAMESPACE},").as_bytes()) {
            let joined: Joined = serde_json::from_slice(answer).ok()?;
            let is_who_it_was = guest.pid.is_empty() || guest.pid == joined.pid;
            if guest.is_in || !is_who_it_was {
                return None;
            }
            (guest.pid, guest.is_in) = (joined.pid, true);
        } else {
            let rest = packet.strip_prefix(event(next + guest.got).as_bytes())?;
            let offset = rest.strip_prefix(b",\"")?.strip_suffix(b"\"]")?;
            if !guest.is_in || next + guest.got >= end {
                return None;
            }
            guest.offset = String::from_utf8(offset.to_vec()).ok()?;
            guest.got += 1;
        }
        self.tally.received += u64::from(guest.is_in && next + guest.got == end);
        Some(())
    }
}

impl Player for Visit {
    fn receive(&mut self, client: usize, message: Message<'_>, _out: &mut Out<'_>) {
        let is_right = match message {
            Message::Text(packet) => self.note(client, packet).is_some(),
            Message::Binary(_) => false,
        };
        self.tally.faults.wrong += u64::from(!is_right);
    }
}

impl Load for Visit {
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        let mut requests = self.requests.iter().enumerate();
        requests.try_for_each(|(client, request)| {
            fleet.send(client, |out| out.text(request.as_bytes()))
        })
    }

    /// What is said is said at the beginning.
    fn stop(&mut self) {}

    fn is_settled(&self) -> bool {
        self.tally.received == self.guests.len() as u64
    }

    fn settle(&mut self) {
        self.tally.faults.lost += self.guests.len() as u64 - self.tally.received;
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

/// Somebody who is in the namespace tells it so many events, from the one of that number on.
pub fn tell(first: u64, count: u64) -> Script {
    Script::new(1, Extent::Messages(count), move |_, step| {
        let event = event(first + step);
        (format!("{event}]"), event)
    })
}

/// The event of a number up to the end of its text.
fn event(number: u64) -> String {
    let mut packet = Vec::with_capacity(128);
    write(&mut packet, format_args!("2{NAMESPACE},[\"broadcast\",\""));
    text(&mut packet, 0, number, 64);
    packet.push(b'"');
    String::from_utf8(packet).expect("all of it is ASCII")
}

/// Where the visits are.
pub const NAMESPACE: &str = "/n1";

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(visit: &mut Visit, packets: &[&str]) {
        let mut unsent = Vec::new();
        for packet in packets {
            let message = Message::Text(packet.as_bytes());
            visit.receive(0, message, &mut Out::Payload(&mut unsent));
        }
    }

    fn event_of(number: u64, offset: &str) -> String {
        format!("{},\"{offset}\"]", event(number))
    }

    #[test]
    fn who_comes_back_says_who_it_was_and_gets_what_it_has_missed_in_order() {
        let mut visit = Visit::first(1, 7);
        receive(&mut visit, &[r#"0/n1,{"sid":"s","pid":"p"}"#]);
        assert!(visit.is_settled());
        visit.await_events(1);
        assert!(!visit.is_settled());
        receive(&mut visit, &[&event_of(7, "o7")]);
        assert!(visit.is_settled());
        visit.come_back(2);
        assert_eq!(visit.requests, [r#"0/n1,{"pid":"p","offset":"o7"}"#]);
        let answer = r#"0/n1,{"sid":"s","pid":"p"}"#;
        receive(
            &mut visit,
            &[answer, &event_of(8, "o8"), &event_of(9, "o9")],
        );
        assert!(visit.is_settled());
        assert_eq!(visit.tally.faults.wrong, 0);
    }

    #[test]
    fn another_session_and_events_too_many_or_out_of_order_are_wrong() {
        let mut visit = Visit::first(1, 0);
        receive(&mut visit, &[r#"0/n1,{"sid":"s","pid":"p"}"#]);
        visit.come_back(2);
        receive(&mut visit, &[r#"0/n1,{"sid":"t","pid":"q"}"#]);
        assert_eq!(visit.tally.faults.wrong, 1);
        receive(&mut visit, &[r#"0/n1,{"sid":"s","pid":"p"}"#]);
        let events = [1, 0, 0, 1, 2].map(|number| event_of(number, "o"));
        receive(&mut visit, &events.each_ref().map(|event| &event[..]));
        assert_eq!((visit.tally.received, visit.tally.faults.wrong), (1, 4));
    }
}
