//! The client's side of the wire.

use std::{mem, time::Instant};

use bytes::Bytes;
use engineio::{
    CloseReason, Frame, Packet, Transport,
    client_session::{ClientSession, Event, Transmit},
    payload,
};

use super::{Arrival, Id, Mood, World};
use crate::end::End;

pub(super) struct Client {
    pub(super) session: ClientSession,
    pub(super) journal: End,
    pub(super) get: Option<Id>,
    pub(super) post: Option<Id>,
    pub(super) socket: Option<Id>,
    pub(super) last_arrival: Instant,
}

impl World {
    pub(super) fn get_answered(&mut self, body: Option<Bytes>) {
        let Some(body) = body else {
            return self.client_lost_request();
        };
        for packet in payload::decode(body, usize::MAX) {
            self.client_receives(Transport::Polling, packet.expect("a valid body"));
        }
        self.client.session.handle_get_answered();
    }

    pub(super) fn client_receives(&mut self, from: Transport, packet: Packet) {
        if matches!(packet, Packet::Ping(_)) {
            self.saw("client", "heartbeat");
        }
        self.client.session.receive(self.now, from, packet);
    }

    pub(super) fn pump_client(&mut self) {
        let mut batch = Vec::new();
        loop {
            self.client_events();
            let transmit = self.client.session.poll_transmit(&mut batch);
            for frame in &batch {
                self.client.journal.transmitted(frame);
            }
            match transmit {
                None => break,
                Some(Transmit::Get) => {
                    let id = self.new_id();
                    assert_eq!(self.client.get.replace(id), None, "overlapping polls");
                    let is_handshake = self.client.session.sid().is_none();
                    let delay = self.delay();
                    self.deliver(id, delay, Arrival::GetAtServer { is_handshake });
                }
                Some(Transmit::Post) => self.post(&mem::take(&mut batch)),
                Some(Transmit::OpenWebSocket) => {
                    let id = self.new_id();
                    self.client.socket = Some(id);
                    self.client.last_arrival = self.now;
                    let is_handshake = self.client.session.sid().is_none();
                    self.send_in_order(Arrival::SocketAtServer { is_handshake });
                }
                Some(Transmit::WriteWebSocket) => {
                    for frame in batch.drain(..) {
                        self.send_in_order(Arrival::FrameAtServer(frame));
                    }
                    if self.rng.chance(50) {
                        self.client.session.set_websocket_blocked(true);
                        let delay = self.delay();
                        let id = self.client.socket.unwrap_or_default();
                        self.deliver(id, delay, Arrival::ClientUnblocked);
                    }
                }
                Some(Transmit::CloseWebSocket) => {
                    self.send_in_order(Arrival::EndAtServer);
                    self.client.socket = None;
                }
            }
            assert_eq!(batch, [], "frames without a place to go");
        }
        // The last GET is dropped behind the last POST.
        if self.client.session.is_closed()
            && self.client.post.is_none()
            && let Some(get) = self.client.get.take()
        {
            let delay = self.delay();
            self.deliver(get, delay, Arrival::RequestLostAtServer);
        }
    }

    pub(super) fn post(&mut self, batch: &[Frame]) {
        let id = self.new_id();
        assert_eq!(self.client.post.replace(id), None, "overlapping posts");
        let body = payload::encode(batch);
        assert!(
            batch.len() == 1 || body.len() <= self.config.max_payload,
            "a body above the server's limit"
        );
        if !self.client.session.is_drained() {
            self.saw("client", "post is split");
        }
        let is_whole = self.mood != Mood::Bad || !self.rng.chance(10);
        let delay = self.delay();
        self.deliver(id, delay, Arrival::PostAtServer { body, is_whole });
    }

    pub(super) fn send_in_order(&mut self, arrival: Arrival) {
        if let Some(id) = self.client.socket {
            let at = (self.now + self.delay()).max(self.client.last_arrival);
            self.client.last_arrival = at;
            self.deliver_at(id, at, arrival);
        }
    }

    pub(super) fn client_events(&mut self) {
        while let Some(event) = self.client.session.poll_event() {
            let journal = &mut self.client.journal;
            match event {
                Event::Opened => assert_eq!(journal.received, 0),
                Event::Message(message) => {
                    journal.receive(&message, &self.server.journal);
                }
                Event::Upgraded => assert_eq!(journal.closed, None),
                Event::Closed { reason, dropped } => {
                    journal.close(reason, dropped);
                    self.seen.insert(("client", reason.as_str()));
                }
            }
        }
    }

    /// The WebSocket is gone. If it was not more than a probe, the session goes on.
    pub(super) fn client_lost_socket(&mut self, reason: CloseReason) {
        self.client.socket = None;
        let session = &mut self.client.session;
        let is_probe = !session.is_closed() && session.transport() == Transport::Polling;
        session.transport_closed(Transport::WebSocket, reason);
        if is_probe {
            assert!(!session.is_closed(), "a probe ends the session");
            self.saw("client", "probe is lost");
        }
    }
}
