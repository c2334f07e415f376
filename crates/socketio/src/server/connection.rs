//! `Connection`: the sockets of one Engine.IO session, and what becomes of the messages that arrive on it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use engineio::{CloseReason, Message};
use tokio::time::Instant;

use super::{
    Link, connect,
    counters::count,
    dispatch::{self, Registered},
    event::{Event, Reply},
    flow::Flow,
    handshake::HandshakeRequest,
    lock,
    socket::Socket,
};
use crate::{
    args::ArgsRef,
    assembler::{Assembled, Assembler},
    error::{ArgsError, DecodeError, DisconnectReason},
    packet::{Limits, Packet, PacketType},
    parser::{Decoder, Parser},
    rooms::Room,
};

/// What Socket.IO keeps for a session.
pub struct Connection {
    pub(crate) request: Arc<HandshakeRequest>,
    pub(crate) flow: Flow,
    /// Guards which namespaces the client is in. Taken for each message, but hardly ever contended, since messages come
    /// one by one. The session's lock is taken under it, to say whether anybody is there; nothing is called.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// A client is in one namespace, or a few. Searched from the front.
    slots: Vec<Slot>,
    /// What has come of a packet, with the default parser.
    assembler: Assembler,
    /// The same with any other. It is taken out while it works, so that nothing of it runs under the lock.
    decoder: Option<Box<dyn Decoder>>,
    is_closed: bool,
    /// The events of the running second, if they are bounded.
    rate: Option<(Instant, u32)>,
}

/// One namespace of the client.
enum Slot {
    /// It is being asked whether there may be a namespace of this name.
    Seeking(Room),
    /// The middlewares run, or the connect handlers are being started. No event may come yet.
    Connecting(Socket),
    Connected(Socket),
    /// The server has disconnected the socket. What the client has sent before it knew is ignored.
    Left(Room),
}

/// How a client broke the rules, for which its session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error(transparent)]
    Packet(#[from] DecodeError),
    #[error("packet for a namespace that is not connected")]
    NotConnected,
    #[error("second connect to a namespace")]
    AlreadyConnected,
    #[error("packet that only a server sends")]
    NotForServer,
    #[error("too many events per second")]
    TooManyEvents,
    #[error("message after the end")]
    AfterTheEnd,
}

/// Why a client does not get another slot.
pub(crate) enum NoSlot {
    Violation(Violation),
    TooManyNamespaces,
}

impl From<ArgsError> for Violation {
    fn from(_: ArgsError) -> Self {
        Self::Packet(DecodeError::InvalidPayload)
    }
}

impl Connection {
    pub(crate) fn new(request: HandshakeRequest, parser: Option<&dyn Parser>) -> Self {
        Self {
            request: Arc::new(request),
            flow: Flow::default(),
            state: Mutex::new(State {
                decoder: parser.map(Parser::decoder),
                ..State::default()
            }),
        }
    }

    /// A message has arrived. Messages come one by one, in order.
    pub(crate) fn on_message(link: &Arc<Link>, message: &Message) {
        let connection = link.data();
        let received = match message {
            _ if link.engine().handler().config.parser.is_some() => {
                connection.on_foreign(link, message)
            }
            Message::Text(text) => connection.on_text(link, text),
            Message::Binary(data) => connection.on_binary(link, data),
        };
        let Err(violation) = received else { return };
        if std::mem::replace(&mut lock(&connection.state).is_closed, true) {
            return;
        }
        tracing::debug!(sid = %link.sid(), %violation, "session closed by us");
        count(&link.engine().handler().counters.protocol_errors);
        // The reason that the reference gives.
        link.close(CloseReason::ForcedClose);
    }

    /// The session has ended, for whatever reason.
    pub(crate) fn on_close(&self, reason: DisconnectReason) {
        let (decoder, slots) = {
            let mut state = lock(&self.state);
            state.is_closed = true;
            state.assembler = Assembler::default();
            (state.decoder.take(), std::mem::take(&mut state.slots))
        };
        // Not under the lock, as it may be anybody's.
        drop(decoder);
        for slot in slots {
            if let Slot::Connecting(socket) | Slot::Connected(socket) = slot {
                socket.end(reason);
            }
        }
    }

    /// The sockets that are connected.
    pub(crate) fn sockets(&self) -> Vec<Socket> {
        let state = lock(&self.state);
        let sockets = state.slots.iter().filter_map(|slot| match slot {
            Slot::Connecting(socket) | Slot::Connected(socket) => Some(socket.clone()),
            Slot::Seeking(_) | Slot::Left(_) => None,
        });
        sockets.collect()
    }

    /// Gives a socket its place; it is not connected before [`admit`](Self::admit).
    pub(crate) fn attach(&self, socket: Socket, max_namespaces: usize) -> Result<(), NoSlot> {
        self.place(Slot::Connecting(socket), max_namespaces)
    }

    fn place(&self, new: Slot, max_namespaces: usize) -> Result<(), NoSlot> {
        let mut state = lock(&self.state);
        let slots = &mut state.slots;
        let place = slots
            .iter()
            .position(|slot| slot.namespace() == new.namespace());
        let left = |slot: &Slot| matches!(slot, Slot::Left(_));
        let place = match place {
            Some(place) if left(&slots[place]) => place,
            Some(_) => return Err(NoSlot::Violation(Violation::AlreadyConnected)),
            None if slots.len() < max_namespaces => slots.len(),
            None => slots
                .iter()
                .position(left)
                .ok_or(NoSlot::TooManyNamespaces)?,
        };
        if place < slots.len() {
            slots[place] = new;
        } else {
            slots.reserve_exact(1);
            slots.push(new);
        }
        Ok(())
    }

    /// Keeps a place for the socket of a namespace that may come to be.
    pub(crate) fn reserve(&self, namespace: &Room, max_namespaces: usize) -> Result<(), NoSlot> {
        self.place(Slot::Seeking(namespace.clone()), max_namespaces)
    }

    /// Gives a socket the place that was kept. False if the session has ended meanwhile.
    pub(crate) fn settle(&self, socket: &Socket) -> bool {
        let mut state = lock(&self.state);
        let kept = state
            .slots
            .iter_mut()
            .find(|slot| slot.is_kept_for(socket.namespace()));
        let Some(kept) = kept else { return false };
        *kept = Slot::Connecting(socket.clone());
        true
    }

    /// There is no namespace of this name after all.
    pub(crate) fn give_up(&self, namespace: &str) {
        let mut state = lock(&self.state);
        state.slots.retain(|slot| !slot.is_kept_for(namespace));
    }

    /// The connect handlers of a socket have started: from now on its events are taken.
    pub(crate) fn admit(&self, socket: &Socket) {
        let mut state = lock(&self.state);
        if let Some(slot) = state.slot_of(socket) {
            *slot = Slot::Connected(socket.clone());
            socket.link().admit();
        }
    }

    /// The middlewares have refused a socket. The client may try again.
    pub(crate) fn refuse(&self, socket: &Socket) {
        let mut state = lock(&self.state);
        state.slots.retain(|slot| !slot.holds(socket));
        state.expect_admission_if_deserted(socket.link());
    }

    /// The server disconnects a socket; the client does not know yet.
    pub(crate) fn detach(&self, socket: &Socket, link: &Link) {
        let mut state = lock(&self.state);
        if let Some(slot) = state.slot_of(socket) {
            *slot = Slot::Left(socket.namespace_room().clone());
        }
        state.expect_admission_if_deserted(link);
    }

    fn on_text(&self, link: &Arc<Link>, text: &Bytes) -> Result<(), Violation> {
        let text = str::from_utf8(text).map_err(|_| DecodeError::InvalidUtf8)?;
        let protocol = link.engine().handler();
        tracing::trace!(sid = %link.sid(), bytes = text.len(), "packet");
        let mut packet = Packet::decode(text, limits_of(link))?;
        let query = split_query(link, &mut packet)?;
        match packet.packet_type {
            PacketType::Connect => {
                lock(&self.state).expect_packet()?;
                connect::begin(link, &packet, query)
            }
            PacketType::ConnectError => Err(Violation::NotForServer),
            PacketType::BinaryEvent | PacketType::BinaryAck => {
                let now = Instant::now().into_std();
                let mut state = lock(&self.state);
                // Attachments of a namespace that was never joined are not even kept.
                state.socket_in(packet.namespace)?;
                let done = state
                    .assembler
                    .begin(text, &packet, now, &protocol.limits)?;
                drop(state);
                done.map_or(Ok(()), |done| self.on_assembled(link, &done))
            }
            PacketType::Event | PacketType::Ack | PacketType::Disconnect => {
                self.dispatch(link, &packet, &[])
            }
        }
    }

    fn on_binary(&self, link: &Arc<Link>, data: &Bytes) -> Result<(), Violation> {
        let now = Instant::now().into_std();
        let limits = &link.engine().handler().limits;
        let done = lock(&self.state).assembler.attach(data, now, limits)?;
        done.map_or(Ok(()), |done| self.on_assembled(link, &done))
    }

    fn on_assembled(&self, link: &Arc<Link>, done: &Assembled) -> Result<(), Violation> {
        self.dispatch(link, &done.packet(), done.attachments())
    }

    /// A message in the format of another parser than the default one.
    fn on_foreign(&self, link: &Arc<Link>, message: &Message) -> Result<(), Violation> {
        let limits = limits_of(link);
        let decoder = {
            let mut state = lock(&self.state);
            state.expect_packet()?;
            state.decoder.take()
        };
        // It is gone if it has panicked.
        let mut decoder = decoder.ok_or(Violation::AfterTheEnd)?;
        tracing::trace!(sid = %link.sid(), "packet");
        let added = decoder.add(message, limits, Instant::now().into_std());
        lock(&self.state).decoder = Some(decoder);
        let Some(incoming) = added? else {
            return Ok(());
        };
        let mut packet = Packet::check(&incoming, limits)?;
        let query = split_query(link, &mut packet)?;
        match packet.packet_type {
            PacketType::Connect => connect::begin(link, &packet, query),
            PacketType::ConnectError => Err(Violation::NotForServer),
            _ => self.dispatch(link, &packet, &incoming.attachments),
        }
    }

    /// A packet for a connected socket, complete with its attachments.
    fn dispatch(
        &self,
        link: &Arc<Link>,
        packet: &Packet<'_>,
        attachments: &[Bytes],
    ) -> Result<(), Violation> {
        let Some(socket) = self.socket_in(packet.namespace)? else {
            return Ok(());
        };
        let args = ArgsRef::of(packet, attachments);
        match packet.packet_type {
            PacketType::Disconnect => {
                let mut state = lock(&self.state);
                state.slots.retain(|slot| !slot.holds(&socket));
                state.expect_admission_if_deserted(link);
                drop(state);
                socket.end(DisconnectReason::ClientNamespaceDisconnect);
                Ok(())
            }
            PacketType::Event | PacketType::BinaryEvent => {
                self.check_rate(link)?;
                on_event(link, &socket, packet, args)
            }
            _ => on_ack(link, &socket, packet.id, args),
        }
    }

    /// The connected socket of a namespace, or none if the server has just disconnected it.
    fn socket_in(&self, namespace: &str) -> Result<Option<Socket>, Violation> {
        Ok(lock(&self.state).socket_in(namespace)?.cloned())
    }

    fn check_rate(&self, link: &Link) -> Result<(), Violation> {
        let max = link.engine().handler().config.inbound_events_per_s;
        if max == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut state = lock(&self.state);
        let (since, events) = state.rate.get_or_insert((now, 0));
        if now.duration_since(*since).as_secs() >= 1 {
            (*since, *events) = (now, 0);
        }
        *events += 1;
        if *events > max {
            Err(Violation::TooManyEvents)
        } else {
            Ok(())
        }
    }
}

impl State {
    /// Whether a packet may come now.
    fn expect_packet(&self) -> Result<(), Violation> {
        if self.is_closed {
            return Err(Violation::AfterTheEnd);
        }
        if self.assembler.is_waiting() {
            return Err(DecodeError::UnexpectedText.into());
        }
        Ok(())
    }

    fn socket_in(&self, namespace: &str) -> Result<Option<&Socket>, Violation> {
        self.expect_packet()?;
        let mut slots = self.slots.iter();
        match slots.find(|slot| slot.namespace() == namespace) {
            Some(Slot::Connected(socket)) => Ok(Some(socket)),
            Some(Slot::Left(_)) => Ok(None),
            Some(Slot::Seeking(_) | Slot::Connecting(_)) | None => Err(Violation::NotConnected),
        }
    }

    fn slot_of(&mut self, socket: &Socket) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.holds(socket))
    }

    /// A session without any namespace is closed after a while. One that is being connected does not count, since it
    /// may be refused.
    fn expect_admission_if_deserted(&self, link: &Link) {
        let mut slots = self.slots.iter();
        let is_deserted = !slots.any(|slot| matches!(slot, Slot::Connected(_)));
        if is_deserted && !self.is_closed {
            link.expect_admission();
        }
    }
}

impl Slot {
    fn namespace(&self) -> &str {
        match self {
            Self::Connecting(socket) | Self::Connected(socket) => socket.namespace(),
            Self::Seeking(namespace) | Self::Left(namespace) => namespace,
        }
    }

    fn holds(&self, socket: &Socket) -> bool {
        match self {
            Self::Connecting(held) | Self::Connected(held) => held.is(socket),
            Self::Seeking(_) | Self::Left(_) => false,
        }
    }

    fn is_kept_for(&self, namespace: &str) -> bool {
        matches!(self, Self::Seeking(name) if **name == *namespace)
    }
}

/// The bounds of a packet whose query, if it may have one, is still there.
fn limits_of(link: &Link) -> &Limits {
    let protocol = link.engine().handler();
    match link.protocol() {
        engineio::Protocol::V4 => &protocol.limits,
        engineio::Protocol::V3 => &protocol.limits_2,
    }
}

/// What a client 2 has put behind the name of the namespace.
fn split_query<'a>(link: &Link, packet: &mut Packet<'a>) -> Result<Option<&'a str>, DecodeError> {
    match link.protocol() {
        engineio::Protocol::V4 => Ok(None),
        engineio::Protocol::V3 => packet.split_query(&link.engine().handler().limits),
    }
}

fn on_event(
    link: &Arc<Link>,
    socket: &Socket,
    packet: &Packet<'_>,
    args: ArgsRef<'_>,
) -> Result<(), Violation> {
    if let Some(own) = socket.listeners() {
        return Ok(dispatch::on_event(link, socket, own, packet, args)?);
    }
    let handlers = packet.event.as_deref().and_then(|event| {
        socket
            .handlers()
            .events
            .get_key_value(event)
            .filter(|_| socket.is_connected())
    });
    let Some((name, handlers)) = handlers else {
        // Nobody looks at the arguments, but they must be JSON all the same.
        args.validate()?;
        return Ok(());
    };
    let call = |handler, reply| {
        let event = Event::new(socket.clone(), name.clone(), reply);
        dispatch::call(socket, event, name, Registered::ForEvent, handler, args)
    };
    let reply = packet.id.map(|id| Arc::new(Reply::new(id)));
    let Some((last, others)) = handlers.split_last() else {
        return Ok(());
    };
    for handler in others {
        call(handler, reply.clone())?;
    }
    Ok(call(last, reply)?)
}

fn on_ack(
    link: &Link,
    socket: &Socket,
    id: Option<u64>,
    args: ArgsRef<'_>,
) -> Result<(), Violation> {
    let answer = args.capture()?;
    if !id.is_some_and(|id| socket.answer(id, answer)) {
        count(&link.engine().handler().counters.ignored_acks);
        tracing::debug!(id, "answer that nobody waits for");
    }
    Ok(())
}
