//! What the applications on both sides do.

use engineio::CloseReason;

use super::{Mood, World};

impl World {
    pub(super) fn act(&mut self) {
        match self.rng.below(1_000) {
            0..400 => self.server_sends(),
            400..850 => self.client_sends(),
            850..910 if self.mood != Mood::Calm => self.pause(),
            850..990 => self.resume(),
            990..994 if self.mood != Mood::Calm => self.server_closes(),
            994..997 if self.mood != Mood::Calm => self.client_closes(),
            // A burst that fills queues.
            _ => {
                for _ in 0..80 {
                    self.server_sends();
                    self.client_sends();
                }
            }
        }
    }

    pub(super) fn server_sends(&mut self) {
        let (is_binary, is_volatile, padding) = self.kind();
        let Some(session) = &mut self.server.session else {
            return;
        };
        let frame = self.server.journal.compose(is_binary, padding);
        let frames = std::slice::from_ref(&frame);
        let result = if is_volatile {
            session.send_volatile(frames)
        } else {
            session.send(frames).map(|()| true)
        };
        let bound = self.config.max_buffered_bytes;
        self.server.journal.sent(&frame, result, bound);
        self.tell_with(|| format!("server sends {frame:?}: {result:?}"));
    }

    fn client_sends(&mut self) {
        let (is_binary, is_volatile, padding) = self.kind();
        let frame = self.client.journal.compose(is_binary, padding);
        let frames = std::slice::from_ref(&frame);
        let result = if is_volatile {
            self.client.session.send_volatile(frames)
        } else {
            self.client.session.send(frames).map(|()| true)
        };
        let bound = self.client_config.max_buffered_bytes;
        self.client.journal.sent(&frame, result, bound);
        self.tell_with(|| format!("client sends {frame:?}: {result:?}"));
    }

    /// Whether a message is binary, whether it is volatile, and how much longer than need be.
    fn kind(&mut self) -> (bool, bool, usize) {
        let padding = self.rng.below(40) as usize;
        (self.rng.chance(300), self.rng.chance(200), padding)
    }

    fn pause(&mut self) {
        if let Some(session) = &mut self.server.session {
            session.pause_reading();
            self.server.pauses += 1;
            self.saw("server", "paused");
        }
    }

    pub(super) fn resume(&mut self) {
        if self.server.pauses == 0 {
            return;
        }
        self.server.pauses -= 1;
        let Some(session) = &mut self.server.session else {
            return;
        };
        session.resume_reading(self.now);
        if !session.is_reading_paused() {
            self.wake_parked();
            self.work_on_post();
        }
        self.pump();
    }

    pub(super) fn server_closes(&mut self) {
        self.tell("server closes");
        if let Some(session) = &mut self.server.session {
            session.close(self.now, CloseReason::ForcedClose);
        }
    }

    pub(super) fn client_closes(&mut self) {
        self.tell("client closes");
        self.client.session.close();
    }
}
