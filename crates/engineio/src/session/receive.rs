//! What becomes of a packet that has arrived.

use std::time::Instant;

use bytes::Bytes;

use super::{Event, Probe, Role, Session, State, Wire};
use crate::{
    dialect::Protocol,
    error::{CloseDetail, CloseReason},
    handshake::Transport,
    packet::{self, Frame, Message, Packet},
    timer::Timer,
};

impl Session {
    /// A packet has arrived. Packets of a wire that carries nothing any more are ignored.
    pub fn receive(&mut self, now: Instant, from: Wire, packet: Packet) {
        match self.role_of(from) {
            Role::Carrier if self.state == State::Open => self.receive_on_carrier(now, packet),
            // Who leaves while it is being told to will not fetch the rest.
            Role::Carrier if packet == Packet::Close => self.end(CloseReason::TransportClose),
            Role::Prober => self.receive_on_prober(packet),
            Role::Carrier | Role::Stale => {}
        }
    }

    /// The plain case of [`receive`](Self::receive), without an event: a message that nothing comes before is given to
    /// the caller, to be handed on at once. Anything else comes back, to be received. The time, which a clock has to be
    /// read for, is only asked for if it matters.
    pub fn receive_message(
        &mut self,
        now: impl FnOnce() -> Instant,
        from: Wire,
        packet: Packet,
    ) -> Result<Message, Packet> {
        match packet {
            Packet::Message(message)
                if self.state == State::Open
                    && self.events.is_empty()
                    && !self.is_watched
                    && self.role_of(from) == Role::Carrier =>
            {
                self.note_sign_of_life(now);
                Ok(message)
            }
            packet => Err(packet),
        }
    }

    fn receive_on_carrier(&mut self, now: Instant, packet: Packet) {
        self.note_packet(&packet);
        let protocol = self.dialect.protocol;
        if !matches!(packet, Packet::Pong(_)) {
            self.note_sign_of_life(|| now);
        }
        match (packet, protocol) {
            (Packet::Message(message), _) => self.events.push_back(Event::Message(message)),
            (Packet::Pong(_), Protocol::V4) => {
                // A pong nobody asked for changes nothing.
                if self.timers.is_set(Timer::Pong) {
                    self.timers.stop(Timer::Pong);
                    self.timers
                        .set(Timer::Ping, now + self.config.ping_interval);
                }
            }
            (Packet::Ping(data), Protocol::V3) => {
                self.give_memory_back();
                self.await_sign_of_life(now);
                // A client that pings and does not take the pongs fills its queue, and ends as any such does.
                let _closed = self.send(&[pong(data)]);
            }
            // The heartbeat has one direction.
            (Packet::Ping(_), Protocol::V4) | (Packet::Pong(_), Protocol::V3) => {
                self.fail(CloseDetail::WrongHeartbeat);
            }
            (Packet::Close, _) => self.end(CloseReason::TransportClose),
            (Packet::Open(_) | Packet::Upgrade | Packet::Noop, _) => {}
        }
    }

    /// As the reference does: any sign of life prolongs the wait for a pong, once.
    fn note_sign_of_life(&mut self, now: impl FnOnce() -> Instant) {
        let prolongs = self.dialect.protocol == Protocol::V4 && !self.pong_extended;
        if prolongs && self.timers.is_set(Timer::Pong) {
            self.pong_extended = true;
            self.await_sign_of_life(now());
        }
    }

    fn receive_on_prober(&mut self, packet: Packet) {
        match packet {
            Packet::Ping(data) if data == "probe" => {
                self.probe = Probe::Answering;
                self.note_upgrading();
            }
            Packet::Upgrade if self.probe == Probe::Confirmed && !self.is_closed() => {
                self.probe = Probe::None;
                self.timers.stop(Timer::Upgrade);
                self.transport = Transport::WebSocket;
                self.events.push_back(Event::Upgraded);
            }
            _ => self.drop_probe(),
        }
    }
}

/// The answer to a ping of protocol 3: the same data.
fn pong(data: Bytes) -> Frame {
    if data.is_empty() {
        return packet::PONG;
    }
    Frame::Text([b"3", &data[..]].concat().into())
}
