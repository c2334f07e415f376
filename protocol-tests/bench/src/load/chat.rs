//! Chat: writers whose messages are stored, sent to everybody and acknowledged, in the words of the official tutorial.
//!
//! Each writer has one message in flight. Every client has to get every message once and in the order of the offsets,
//! which begin at 1, as the database is empty when a server starts.

use std::io;

use super::{
    Extent, Load,
    packets::{number, text, write},
    window::Windows,
};
use crate::clock::now;
use crate::fleet::Fleet;
use crate::player::{Message, Out, Player};
use crate::tally::{Sequence, Tally};

pub struct Chat {
    windows: Windows,
    sequences: Vec<Sequence>,
    /// By offset, the writer and the number of the message, as the first client got them.
    stored: Vec<Option<(usize, u64)>>,
    /// Messages delivered, to whomever.
    delivered: u64,
    tally: Tally,
    buffer: Vec<u8>,
}

impl Chat {
    pub fn new(clients: usize, extent: Extent) -> Self {
        Self {
            windows: Windows::new(clients, 1, extent),
            sequences: (0..clients).map(|_| Sequence::starting_at(1)).collect(),
            stored: Vec::new(),
            delivered: 0,
            tally: Tally::default(),
            buffer: Vec::new(),
        }
    }

    /// How many messages were sent.
    pub fn sent(&self) -> u64 {
        self.windows.sent()
    }

    fn send(&mut self, client: usize, out: &mut Out<'_>) {
        let Some(number) = self.windows.send(client, now()) else {
            return;
        };
        self.buffer.clear();
        write(
            &mut self.buffer,
            format_args!("2{number}[\"chat message\",\""),
        );
        text(&mut self.buffer, client, number, 64);
        write(&mut self.buffer, format_args!("\",\"{client}-{number}\"]"));
        out.text(&self.buffer);
    }

    /// Notes a message of the chat; nothing if it is not as it has to be.
    fn delivered(&mut self, client: usize, packet: &[u8]) -> Option<()> {
        let content = packet.strip_prefix(b"2[\"chat message\",\"")?;
        let (writer, rest) = number(content)?;
        let (count, _) = number(rest.strip_prefix(b":")?)?;
        let writer = usize::try_from(writer).ok()?;
        self.buffer.clear();
        text(&mut self.buffer, writer, count, 64);
        let rest = content.strip_prefix(&self.buffer[..])?;
        let (offset, _) = number(rest.strip_prefix(b"\",")?)?;
        let place = usize::try_from(offset).ok()?;
        // There cannot be more offsets than messages were sent.
        if count >= self.windows.sent_by(writer) || offset > self.windows.sent() {
            return None;
        }
        if self.stored.len() <= place {
            self.stored.resize(place + 1, None);
        }
        if *self.stored[place].get_or_insert((writer, count)) != (writer, count) {
            return None;
        }
        if self.sequences[client].receive(offset, &mut self.tally.faults) {
            self.delivered += 1;
        }
        Some(())
    }
}

impl Player for Chat {
    fn receive(&mut self, client: usize, message: Message<'_>, out: &mut Out<'_>) {
        let Message::Text(packet) = message else {
            self.tally.faults.wrong += 1;
            return;
        };
        match packet.strip_prefix(b"3").and_then(number) {
            Some((number, b"[]")) => {
                self.windows.receive(client, number, now(), &mut self.tally);
                self.send(client, out);
            }
            _ if self.delivered(client, packet).is_some() => {}
            _ => self.tally.faults.wrong += 1,
        }
    }
}

impl Load for Chat {
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        (0..self.windows.clients())
            .try_for_each(|client| fleet.send(client, |out| self.send(client, out)))
    }

    fn stop(&mut self) {
        self.windows.stop();
    }

    fn is_settled(&self) -> bool {
        self.windows.is_settled()
            && self.delivered >= self.tally.received * self.sequences.len() as u64
    }

    fn settle(&mut self) {
        let end = self.windows.sent() + 1;
        let undelivered = |sequence: &Sequence| sequence.lost_below(end);
        self.tally.faults.lost +=
            self.windows.waiting() + self.sequences.iter().map(undelivered).sum::<u64>();
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Faults;

    fn delivery(writer: u64, number: u64, offset: u64) -> String {
        let text = format!("{writer}:{number}:");
        format!("2[\"chat message\",\"{text:x<64}\",{offset},{{\"at\":1}}]")
    }

    fn play(steps: &[(usize, &str)]) -> Tally {
        let mut chat = Chat::new(2, Extent::Messages(1));
        let mut unsent = Vec::new();
        let mut out = Out::Payload(&mut unsent);
        chat.send(0, &mut out);
        chat.send(1, &mut out);
        for (client, packet) in steps {
            chat.receive(*client, Message::Text(packet.as_bytes()), &mut out);
        }
        chat.settle();
        chat.tally
    }

    #[test]
    fn everybody_gets_everything_once_and_in_order() {
        let (first, second) = (delivery(1, 0, 1), delivery(0, 0, 2));
        let all = [
            (0, &first[..]),
            (1, &first),
            (1, "30[]"),
            (0, "30[]"),
            (0, &second),
            (1, &second),
        ];
        let tally = play(&all);
        assert_eq!(tally.faults, Faults::default());
        assert_eq!(tally.received, 2);
    }

    #[test]
    fn losses_inversions_and_two_contents_of_one_offset_are_seen() {
        let (first, second) = (delivery(1, 0, 1), delivery(0, 0, 2));
        let other = delivery(0, 0, 1);
        let steps = [(0, &second[..]), (0, &first), (1, &other), (1, "30[]")];
        let faults = play(&steps).faults;
        assert_eq!((faults.out_of_order, faults.wrong), (1, 1));
        // One acknowledgement, and both messages for the second client.
        assert_eq!(faults.lost, 3);
    }
}
