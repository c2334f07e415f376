//! The server's side of the wire. It does what `Link` and the driver of a WebSocket do, no more: a transport that has
//! nothing to do is asked again only if [`Session::wants_transmit`] says so, so that a wake-up which the session forgets
//! is seen here.

use std::{collections::VecDeque, mem, time::Instant};

use bytes::Bytes;
use engineio::{
    CloseReason, Frame, Packet, Sid, Transport,
    dialect::Dialect,
    payload,
    session::{Event, Session, Transmit, Wire},
};

use super::{Arrival, Id, World, packet_of};
use crate::end::End;

#[derive(Default)]
pub(super) struct Server {
    pub(super) session: Option<Session>,
    pub(super) journal: End,
    pub(super) get: Option<Id>,
    pub(super) is_get_awake: bool,
    pub(super) post: Option<(Id, VecDeque<Packet>)>,
    pub(super) sockets: Vec<Socket>,
    /// The one place for the waker of a WebSocket, as in `Link`.
    pub(super) parked: Option<Id>,
    pub(super) pauses: u32,
}

pub(super) struct Socket {
    pub(super) id: Id,
    pub(super) wire: Wire,
    pub(super) inbox: VecDeque<Incoming>,
    pub(super) is_awake: bool,
    pub(super) is_blocked: bool,
    pub(super) last_arrival: Instant,
}

pub(super) enum Incoming {
    Frame(Frame),
    End,
}

impl World {
    pub(super) fn get_at_server(&mut self, id: Id, is_handshake: bool) {
        if is_handshake {
            self.open_server(Transport::Polling);
        } else {
            let session = self.server.session.as_mut();
            if session.is_none_or(|session| session.open_poll().is_err()) {
                let delay = self.delay();
                return self.deliver(id, delay, Arrival::GetAnswer(None));
            }
        }
        self.server.get = Some(id);
        self.server.is_get_awake = true;
    }

    pub(super) fn open_server(&mut self, transport: Transport) {
        let sid = Sid::from_random([1; 15]);
        let session = Session::new(self.now, sid, transport, Dialect::V4, self.config.clone());
        self.server.session = Some(session);
    }

    pub(super) fn post_at_server(&mut self, id: Id, body: Bytes, is_whole: bool) {
        let session = self.server.session.as_mut();
        if session.is_none_or(|session| session.open_post().is_err()) {
            let delay = self.delay();
            return self.deliver(id, delay, Arrival::PostAnswer { is_ok: false });
        }
        // One whose rest will not come waits for it until that is known.
        let packets = if is_whole {
            let packets: Result<_, _> = payload::decode(body, 1_000).collect();
            packets.expect("a valid body")
        } else {
            VecDeque::new()
        };
        self.server.post = Some((id, packets));
        if is_whole {
            self.work_on_post();
        } else {
            self.cut(id);
        }
    }

    pub(super) fn work_on_post(&mut self) {
        let (Some(session), Some((id, packets))) =
            (&mut self.server.session, &mut self.server.post)
        else {
            return;
        };
        let id = *id;
        if self.cut.contains(&id) {
            return;
        }
        while !session.is_reading_paused()
            && let Some(packet) = packets.pop_front()
        {
            session.receive(self.now, Wire::Polling, packet);
        }
        if packets.is_empty() {
            session.close_post();
            self.server.post = None;
            let delay = self.delay();
            self.deliver(id, delay, Arrival::PostAnswer { is_ok: true });
        }
    }

    pub(super) fn request_lost_at_server(&mut self, id: Id) {
        let Some(session) = &mut self.server.session else {
            return;
        };
        if self.server.get == Some(id) {
            self.server.get = None;
            session.abort_poll();
        } else if self
            .server
            .post
            .as_ref()
            .is_some_and(|(post, _)| *post == id)
        {
            self.server.post = None;
            session.close_post();
            session.transport_closed(Wire::Polling, CloseReason::TransportError);
        }
    }

    pub(super) fn socket_at_server(&mut self, id: Id, is_handshake: bool) {
        if is_handshake {
            self.open_server(Transport::WebSocket);
        }
        let wire = match &mut self.server.session {
            Some(session) if is_handshake => Some(session.websocket_id()),
            Some(session) => session.open_probe(self.now).ok(),
            None => None,
        };
        if let Some(wire) = wire {
            self.server.sockets.push(Socket {
                id,
                wire: Wire::WebSocket(wire),
                inbox: VecDeque::new(),
                is_awake: true,
                is_blocked: false,
                last_arrival: self.now,
            });
        }
        let is_ok = wire.is_some();
        self.reply_in_order(id, Arrival::SocketAnswer { is_ok });
    }

    pub(super) fn put_into_inbox(&mut self, id: Id, incoming: Incoming) {
        let mut sockets = self.server.sockets.iter_mut();
        if let Some(socket) = sockets.find(|socket| socket.id == id) {
            socket.inbox.push_back(incoming);
            socket.is_awake = true;
        }
    }

    pub(super) fn server_unblocked(&mut self, id: Id) {
        let mut sockets = self.server.sockets.iter_mut();
        if let Some(socket) = sockets.find(|socket| socket.id == id) {
            socket.is_blocked = false;
            socket.is_awake = true;
            if let Some(session) = &mut self.server.session {
                session.set_websocket_blocked(false);
            }
        }
    }

    pub(super) fn wake_parked(&mut self) {
        if let Some(parked) = self.server.parked.take() {
            let mut sockets = self.server.sockets.iter_mut();
            if let Some(socket) = sockets.find(|socket| socket.id == parked) {
                socket.is_awake = true;
            }
        }
    }

    pub(super) fn reply_in_order(&mut self, id: Id, arrival: Arrival) {
        let mut at = self.now + self.delay();
        let mut sockets = self.server.sockets.iter_mut();
        if let Some(socket) = sockets.find(|socket| socket.id == id) {
            at = at.max(socket.last_arrival);
            socket.last_arrival = at;
        }
        self.deliver_at(id, at, arrival);
    }

    /// Lets everyone who is awake do what there is to do, until all wait.
    pub(super) fn pump(&mut self) {
        loop {
            self.server_events();
            self.pump_client();
            let Some(session) = &self.server.session else {
                return;
            };
            if self.server.get.is_some() && session.wants_transmit(Transport::Polling) {
                self.server.is_get_awake = true;
            }
            if session.wants_transmit(Transport::WebSocket) {
                self.wake_parked();
            }
            let awake = self
                .server
                .sockets
                .iter()
                .position(|socket| socket.is_awake);
            if let Some(index) = awake {
                self.drive_socket(index);
            } else if mem::take(&mut self.server.is_get_awake) {
                self.poll_get();
            } else {
                return;
            }
        }
    }

    pub(super) fn poll_get(&mut self) {
        let (Some(session), Some(id)) = (&mut self.server.session, self.server.get) else {
            return;
        };
        let mut batch = Vec::new();
        if session.poll_transmit(Wire::Polling, &mut batch) == Transmit::Idle {
            return;
        }
        self.server.get = None;
        for frame in &batch {
            self.server.journal.transmitted(frame);
        }
        let delay = self.delay();
        let body = Arrival::GetAnswer(Some(payload::encode(&batch)));
        self.deliver(id, delay, body);
    }

    /// As the driver of a WebSocket: read, then write.
    pub(super) fn drive_socket(&mut self, index: usize) {
        let socket = &mut self.server.sockets[index];
        socket.is_awake = false;
        let (id, wire) = (socket.id, socket.wire);
        let Some(session) = &mut self.server.session else {
            return;
        };
        if session.has_use_for(wire) {
            self.server.parked = None;
        }
        while !session.is_reading_paused()
            && let Some(incoming) = socket.inbox.pop_front()
        {
            match incoming {
                Incoming::Frame(frame) => session.receive(self.now, wire, packet_of(frame)),
                Incoming::End => {
                    let is_probe = session.is_open() && session.transport() == Transport::Polling;
                    session.transport_closed(wire, CloseReason::TransportClose);
                    assert!(!is_probe || session.is_open(), "a probe ends the session");
                    self.server.sockets.remove(index);
                    return;
                }
            }
        }
        if !socket.is_blocked {
            let mut batch = Vec::new();
            let is_open = session.is_open();
            let transmit = session.poll_transmit(wire, &mut batch);
            let frames = mem::take(&mut batch);
            let has_written = !frames.is_empty();
            for frame in frames {
                self.server.journal.transmitted(&frame);
                self.reply_in_order(id, Arrival::FrameAtClient(frame));
            }
            match transmit {
                Transmit::Idle => self.server.parked = Some(id),
                Transmit::Frames => self.server.sockets[index].is_awake = true,
                Transmit::Close => {
                    if is_open {
                        self.saw("server", "upgrade timeout");
                    }
                    self.reply_in_order(id, Arrival::EndAtClient);
                    self.server.sockets.remove(index);
                    return;
                }
            }
            if !has_written || !self.rng.chance(50) {
                return;
            }
            self.server.sockets[index].is_blocked = true;
            self.server.sockets[index].is_awake = false;
            self.saw("server", "blocked");
            let delay = self.delay();
            self.deliver(id, delay, Arrival::ServerUnblocked);
        }
        self.socket_is_blocked(index);
    }

    /// As `Link::websocket_blocked`: only the end of the session wakes it.
    pub(super) fn socket_is_blocked(&mut self, index: usize) {
        let (id, wire) = (
            self.server.sockets[index].id,
            self.server.sockets[index].wire,
        );
        let Some(session) = &mut self.server.session else {
            return;
        };
        if session.has_use_for(wire) {
            session.set_websocket_blocked(true);
            self.server.parked = Some(id);
            if !session.is_closed() {
                return;
            }
        }
        self.server.sockets.remove(index);
        self.reply_in_order(id, Arrival::EndAtClient);
    }

    pub(super) fn server_events(&mut self) {
        let Some(session) = &mut self.server.session else {
            return;
        };
        while let Some(event) = session.poll_event() {
            let journal = &mut self.server.journal;
            match event {
                Event::Message(message) => {
                    journal.receive(&message, &self.client.journal);
                }
                Event::Packet(_) | Event::Flushed(_) | Event::Drained | Event::Upgrading => {
                    unreachable!("the session is not watched")
                }
                Event::Upgraded => {
                    assert_eq!(journal.closed, None, "an upgrade after the end");
                    self.seen.insert(("server", "upgraded"));
                }
                Event::Closed { reason, dropped } => {
                    journal.close(reason, dropped);
                    self.seen.insert(("server", reason.as_str()));
                }
            }
        }
    }
}
