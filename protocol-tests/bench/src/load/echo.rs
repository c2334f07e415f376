//! Echo: each client has some requests in flight, and checks each answer byte for byte.

use std::io;
use std::time::Instant;

use super::{
    Extent, Load,
    packets::{number, text, write},
    window::Windows,
};
use crate::clock::now;
use crate::fleet::Fleet;
use crate::player::{Message, Out, Player};
use crate::tally::Tally;

/// What is sent and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A string of 64 bytes.
    Text,
    /// An object of about 1 kB, with its keys in the order of the alphabet, in which every server writes them.
    Object,
    /// An attachment of 1,024 bytes.
    Binary,
}

pub struct Echo {
    content: Content,
    windows: Windows,
    /// By client, the namespace as packets name it; nothing for the main one.
    namespaces: Vec<String>,
    /// By client, the answers whose attachment is yet to come.
    attachments: Vec<Option<u64>>,
    tally: Tally,
    /// Where packets are put together.
    buffer: Vec<u8>,
}

impl Echo {
    pub fn new(content: Content, in_flight: usize, clients: usize, extent: Extent) -> Self {
        Self {
            content,
            windows: Windows::new(clients, in_flight, extent),
            namespaces: vec![String::new(); clients],
            attachments: vec![None; clients],
            tally: Tally::default(),
            buffer: Vec::new(),
        }
    }

    /// The same with each client in a namespace, which is `/name,` as in packets.
    pub fn in_namespaces(mut self, of: impl Fn(usize) -> String) -> Self {
        self.namespaces = (0..self.windows.clients()).map(of).collect();
        self
    }

    /// Fills a client's window.
    fn send(&mut self, client: usize, out: &mut Out<'_>, now: Instant) {
        while let Some(number) = self.windows.send(client, now) {
            let event = match self.content {
                Content::Text => "echo",
                Content::Object => "object",
                Content::Binary => "binary",
            };
            let (kind, dash) = self.kind('2', '5');
            let namespace = &self.namespaces[client];
            self.buffer.clear();
            write(
                &mut self.buffer,
                format_args!("{kind}{dash}{namespace}{number}[\"{event}\","),
            );
            self.content.argument(&mut self.buffer, client, number);
            self.buffer.push(b']');
            out.text(&self.buffer);
            if self.content == Content::Binary {
                self.buffer.clear();
                text(&mut self.buffer, client, number, 1_024);
                out.binary(&self.buffer);
            }
        }
    }

    /// What a packet begins with, plain or with one attachment.
    fn kind(&self, plain: char, binary: char) -> (char, &'static str) {
        match self.content {
            Content::Binary => (binary, "1-"),
            _ => (plain, ""),
        }
    }

    /// The number of an answer whose text is as it has to be.
    fn answered(&mut self, client: usize, packet: &[u8]) -> Option<u64> {
        let (kind, dash) = self.kind('3', '6');
        let mut head = [0; 4];
        let rest = packet
            .strip_prefix(kind.encode_utf8(&mut head).as_bytes())?
            .strip_prefix(dash.as_bytes())?
            .strip_prefix(self.namespaces[client].as_bytes())?;
        let (number, rest) = number(rest)?;
        self.buffer.clear();
        self.buffer.push(b'[');
        self.content.argument(&mut self.buffer, client, number);
        self.buffer.push(b']');
        (rest == self.buffer).then_some(number)
    }
}

impl Content {
    fn argument(self, out: &mut Vec<u8>, client: usize, number: u64) {
        match self {
            Self::Text => {
                out.push(b'"');
                text(out, client, number, 64);
                out.push(b'"');
            }
            Self::Object => {
                write(
                    out,
                    format_args!(r#"{{"active":true,"author":"client {client}","body":""#),
                );
                text(out, client, number, 880);
                write(
                    out,
                    format_args!(
                        r#"","count":{number},"id":"{client}-{number}","tags":["one","two","three"]}}"#
                    ),
                );
            }
            Self::Binary => out.extend_from_slice(br#"{"_placeholder":true,"num":0}"#),
        }
    }
}

impl Player for Echo {
    fn receive(&mut self, client: usize, message: Message<'_>, out: &mut Out<'_>) {
        let now = now();
        match message {
            Message::Text(packet) => match self.answered(client, packet) {
                Some(number) if self.content == Content::Binary => {
                    if self.attachments[client].replace(number).is_some() {
                        self.tally.faults.wrong += 1;
                    }
                    return;
                }
                Some(number) => self.windows.receive(client, number, now, &mut self.tally),
                None => self.tally.faults.wrong += 1,
            },
            Message::Binary(data) => {
                let number = self.attachments[client].take();
                self.buffer.clear();
                text(&mut self.buffer, client, number.unwrap_or_default(), 1_024);
                match number {
                    Some(number) if self.buffer == data => {
                        self.windows.receive(client, number, now, &mut self.tally);
                    }
                    _ => self.tally.faults.wrong += 1,
                }
            }
        }
        self.send(client, out, now);
    }
}

impl Load for Echo {
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        let now = now();
        (0..self.windows.clients())
            .try_for_each(|client| fleet.send(client, |out| self.send(client, out, now)))
    }

    fn stop(&mut self) {
        self.windows.stop();
    }

    fn is_settled(&self) -> bool {
        self.windows.is_settled()
    }

    fn settle(&mut self) {
        self.tally.faults.lost += self.windows.waiting();
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Faults;

    fn exchange(content: Content, answers: &[&[u8]]) -> Tally {
        let mut echo = Echo::new(content, 2, 1, Extent::Messages(2));
        let mut frames = Vec::new();
        echo.send(0, &mut Out::Payload(&mut frames), now());
        for answer in answers {
            let message = match content {
                Content::Binary if !answer.starts_with(b"6") => Message::Binary(answer),
                _ => Message::Text(answer),
            };
            echo.receive(0, message, &mut Out::Payload(&mut frames));
        }
        echo.settle();
        echo.tally
    }

    fn padded(number: u64, length: usize) -> String {
        format!("{:x<length$}", format!("0:{number}:"))
    }

    #[test]
    fn requests_are_sent_up_to_the_window_with_their_content() {
        let mut echo = Echo::new(Content::Text, 2, 4, Extent::Messages(9));
        let mut payload = Vec::new();
        echo.send(3, &mut Out::Payload(&mut payload), now());
        let text = |number| format!("{:x<64}", format!("3:{number}:"));
        let expected = format!(
            "420[\"echo\",\"{}\"]\x1e421[\"echo\",\"{}\"]",
            text(0),
            text(1)
        );
        assert_eq!(String::from_utf8(payload), Ok(expected));
    }

    #[test]
    fn clients_talk_in_their_namespaces() {
        let echo = Echo::new(Content::Text, 1, 2, Extent::Messages(1));
        let mut echo = echo.in_namespaces(|client| format!("/n{client},"));
        let mut payload = Vec::new();
        let mut out = Out::Payload(&mut payload);
        echo.send(1, &mut out, now());
        let text = format!("{:x<64}", "1:0:");
        for namespace in ["/n0,", "/n1,"] {
            let answer = format!("3{namespace}0[\"{text}\"]");
            echo.receive(1, Message::Text(answer.as_bytes()), &mut out);
        }
        assert_eq!((echo.tally.received, echo.tally.faults.wrong), (1, 1));
        let expected = format!("42/n1,0[\"echo\",\"{text}\"]");
        assert_eq!(String::from_utf8(payload), Ok(expected));
    }

    #[test]
    fn an_object_has_about_a_kilobyte_and_its_keys_in_order() {
        let mut object = Vec::new();
        Content::Object.argument(&mut object, 12, 345);
        let parsed: serde_json::Value = serde_json::from_slice(&object).expect("JSON");
        assert_eq!(parsed.to_string().as_bytes(), object);
        assert!((980..1_060).contains(&object.len()), "{}", object.len());
    }

    #[test]
    fn other_content_is_wrong_and_what_does_not_come_is_lost() {
        let (good, bad) = (padded(0, 64), padded(1, 63));
        let tally = exchange(
            Content::Text,
            &[
                format!("30[\"{good}\"]").as_bytes(),
                format!("31[\"{bad}\"]").as_bytes(),
            ],
        );
        let faults = tally.faults;
        assert_eq!((tally.received, faults.wrong, faults.lost), (1, 1, 1));
    }

    #[test]
    fn an_attachment_belongs_to_the_packet_before_it() {
        let head = |number| format!(r#"61-{number}[{{"_placeholder":true,"num":0}}]"#);
        let (first, second) = (padded(0, 1_024), padded(1, 1_024));
        let tally = exchange(
            Content::Binary,
            &[
                head(0).as_bytes(),
                first.as_bytes(),
                head(1).as_bytes(),
                second.as_bytes(),
            ],
        );
        assert_eq!((tally.faults, tally.received), (Faults::default(), 2));
        let tally = exchange(
            Content::Binary,
            &[head(0).as_bytes(), second.as_bytes(), first.as_bytes()],
        );
        assert_eq!((tally.received, tally.faults.wrong), (0, 2));
    }
}
