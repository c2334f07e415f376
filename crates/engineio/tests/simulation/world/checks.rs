//! What must hold when a run is over, and how it ends.

use engineio::{CloseReason, Transport, session::Session};

use super::{MILLI, Mood, World};

impl World {
    /// Waits until everything has arrived, or until the heartbeat has found out that something never will. That it has
    /// is checked elsewhere; this only bounds the wait.
    pub(super) fn settle(&mut self) {
        for _ in 0..100 {
            let is_drained = self.client.session.is_drained()
                && self.server.session.as_ref().is_none_or(Session::is_drained);
            let client = &self.client;
            let mut in_flight = [client.get, client.post, client.socket].into_iter();
            let is_silent = in_flight.any(|id| id.is_some_and(|id| self.silent.contains(&id)));
            if is_drained && self.wire.is_empty() && !is_silent {
                return;
            }
            self.run_until(self.now + 400 * MILLI);
        }
    }

    pub(super) fn check_equal_if_both_live(&mut self) {
        let (server, client) = (&self.server.journal, &self.client.journal);
        let is_live = self.server.session.is_some() && server.closed.is_none();
        if is_live && client.closed.is_none() {
            assert_eq!(server.received, client.sent.len(), "lost on the way up");
            assert_eq!(client.received, server.sent.len(), "lost on the way down");
            self.seen.insert(("both", "alive at the end"));
        }
        if server.received + client.received >= 100 {
            self.seen.insert(("both", "100 messages"));
        }
        if server.volatile_dropped > 0 {
            self.seen.insert(("server", "volatile is dropped"));
        }
        if client.volatile_dropped > 0 {
            self.seen.insert(("client", "volatile is dropped"));
        }
    }

    /// With nothing against it, a session upgrades and lives, unless its queue was full.
    pub(super) fn check_calm(&self) {
        let reasons = [self.server.journal.closed, self.client.journal.closed];
        if self.mood != Mood::Calm || reasons.contains(&Some(CloseReason::SlowConsumer)) {
            return;
        }
        assert_eq!(reasons, [None, None], "closed for no reason");
        let starts_there = self.client_config.transport == Transport::WebSocket;
        let expected = if starts_there || self.client_config.upgrade {
            Transport::WebSocket
        } else {
            Transport::Polling
        };
        assert_eq!(self.client.session.transport(), expected);
        let server = self.server.session.as_ref().expect("a session");
        assert_eq!(server.transport(), expected);
        assert!(!self.seen.contains(&("server", "upgrade timeout")));
    }

    /// However it ends, it ends on both sides, and once.
    pub(super) fn end(&mut self) {
        let are_live = self.client.session.is_open()
            && self.server.session.as_ref().is_some_and(Session::is_open);
        let mut expected = None;
        match self.rng.below(4) {
            0 => {
                self.server_closes();
                expected = Some([CloseReason::ForcedClose, CloseReason::TransportClose]);
            }
            1 => {
                self.client_closes();
                expected = Some([CloseReason::TransportClose, CloseReason::ForcedClose]);
            }
            2 => {
                for id in 0..=self.last_id {
                    self.cut(id);
                }
            }
            // Silence, in the middle of something.
            _ => {
                self.server_sends();
                self.pump();
                self.silent.extend(0..=self.last_id + 10);
                self.wire.clear();
            }
        }
        self.pump();
        self.run_until(self.now + 60_000 * MILLI);
        let reasons = [self.server.journal.closed, self.client.journal.closed];
        assert!(reasons[1].is_some(), "the client lives on");
        if self.server.session.is_some() {
            assert!(reasons[0].is_some(), "the server lives on");
        }
        assert!(self.server.sockets.is_empty(), "a WebSocket is left");
        if are_live
            && self.mood == Mood::Calm
            && let Some(expected) = expected
        {
            assert_eq!(reasons, expected.map(Some), "the reasons of the end");
        }
    }
}
