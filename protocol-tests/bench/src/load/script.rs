//! A script: each client says some things one after the other, each as soon as the one before is answered.

use std::io;

use super::{Extent, Load, window::Windows};
use crate::clock::now;
use crate::fleet::Fleet;
use crate::player::{Message, Out, Player};
use crate::tally::Tally;

/// What a client says as its step of that number, and how the answer begins.
type Step = dyn Fn(usize, u64) -> (String, String);

pub struct Script {
    step: Box<Step>,
    windows: Windows,
    tally: Tally,
}

impl Script {
    /// Of as many steps as the extent has messages.
    pub fn new(
        clients: usize,
        extent: Extent,
        step: impl Fn(usize, u64) -> (String, String) + 'static,
    ) -> Self {
        Self {
            step: Box::new(step),
            windows: Windows::new(clients, 1, extent),
            tally: Tally::default(),
        }
    }

    fn send(&mut self, client: usize, out: &mut Out<'_>) {
        if let Some(number) = self.windows.send(client, now()) {
            let (request, _) = (self.step)(client, number);
            out.text(request.as_bytes());
        }
    }
}

impl Player for Script {
    fn receive(&mut self, client: usize, message: Message<'_>, out: &mut Out<'_>) {
        let last = self.windows.sent_by(client).checked_sub(1);
        match (message, last) {
            (Message::Text(packet), Some(last))
                if packet.starts_with((self.step)(client, last).1.as_bytes()) =>
            {
                self.windows.receive(client, last, now(), &mut self.tally);
            }
            _ => self.tally.faults.wrong += 1,
        }
        self.send(client, out);
    }
}

impl Load for Script {
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()> {
        (0..self.windows.clients())
            .try_for_each(|client| fleet.send(client, |out| self.send(client, out)))
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

    #[test]
    fn the_next_step_waits_for_the_answer_to_the_one_before() {
        let mut script = Script::new(1, Extent::Messages(2), |client, number| {
            (format!("2{number}[\"c{client}\"]"), format!("3{number}["))
        });
        let mut sent = Vec::new();
        let mut out = Out::Payload(&mut sent);
        script.send(0, &mut out);
        script.send(0, &mut out);
        for answer in [&b"30[]"[..], b"30[]", b"31[]"] {
            script.receive(0, Message::Text(answer), &mut out);
        }
        assert_eq!(sent, b"420[\"c0\"]\x1e421[\"c0\"]");
        assert!(script.is_settled());
        // An answer to what was answered already is not what is waited for.
        assert_eq!((script.tally.received, script.tally.faults.wrong), (2, 1));
    }
}
