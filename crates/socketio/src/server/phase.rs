//! `Phase`: the life of a socket, from CONNECT to its end.

use crate::{
    DisconnectReason, JoinError,
    rooms::{MAX_ROOM_NAME, Member, Room},
};

/// Where a socket is in its life.
///
/// ```text
/// ┌────────────┐ accepted ┌─────────┐ connect handlers ┌──────┐  end  ┌─────────┐ disconnecting ┌────────┐
/// │ Connecting ├─────────►│ Opening ├─────────────────►│ Open ├──────►│ Closing ├──────────────►│ Closed │
/// └─────┬──────┘          └────┬────┘ have started     └──────┘       └─────────┘ handlers have └────────┘
///       │ refused, or          │ end: noted, and done once            ▲           started           ▲
///       │ the client left      └─ the connect handlers have started ──┘                             │
///       └───────────────────────────────────────────────────────────────────────────────────────────┘
/// ```
///
/// So connect handlers start before any other handler of the socket, and disconnect handlers after all of them; the
/// latter run exactly if the former have.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The middlewares run. The rooms they join are kept until the namespace knows the socket.
    Connecting { rooms: Vec<Room> },
    /// The client knows that it is connected; the connect handlers are being started.
    Opening {
        member: Member,
        end: Option<DisconnectReason>,
    },
    /// Events arrive.
    Open(Member),
    /// The disconnecting handlers are being started; the rooms are still there.
    Closing(Member),
    /// Over.
    Closed,
}

/// What is to be done when a socket ends.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// Tell the handlers.
    Now(Member),
    /// Whoever starts the connect handlers will do it.
    Later,
    /// It was never connected, so there is nobody to tell.
    Unheard,
    /// It has ended before.
    Nothing,
}

impl Phase {
    /// The connect handlers have started. If the socket has ended meanwhile, the rest of that is to be done now.
    pub(crate) fn opened(&mut self) -> Option<(Member, DisconnectReason)> {
        let Self::Opening { member, end } = *self else {
            return None;
        };
        *self = if end.is_some() {
            Self::Closing(member)
        } else {
            Self::Open(member)
        };
        end.map(|reason| (member, reason))
    }

    /// The socket is to end for this reason. Only the first time counts.
    pub(crate) fn end(&mut self, reason: DisconnectReason) -> End {
        match self {
            Self::Connecting { .. } => {
                *self = Self::Closed;
                End::Unheard
            }
            Self::Opening {
                end: end @ None, ..
            } => {
                *end = Some(reason);
                End::Later
            }
            Self::Open(member) => {
                let member = *member;
                *self = Self::Closing(member);
                End::Now(member)
            }
            Self::Opening { .. } | Self::Closing(_) | Self::Closed => End::Nothing,
        }
    }

    /// The socket's key in the namespace, for as long as it has rooms.
    pub(crate) fn member(&self) -> Option<Member> {
        match self {
            Self::Opening { member, .. } | Self::Open(member) | Self::Closing(member) => {
                Some(*member)
            }
            Self::Connecting { .. } | Self::Closed => None,
        }
    }

    /// Whom to ask to join a room: the namespace, under this key. Before the namespace knows the socket the room is
    /// noted here.
    pub(crate) fn join(
        &mut self,
        room: Room,
        max_rooms: usize,
    ) -> Result<Option<Member>, JoinError> {
        match self {
            Self::Opening { member, end: None } | Self::Open(member) => Ok(Some(*member)),
            Self::Opening { .. } | Self::Closing(_) | Self::Closed => Err(JoinError::Disconnected),
            Self::Connecting { rooms } if rooms.contains(&room) => Ok(None),
            Self::Connecting { .. } if room.len() > MAX_ROOM_NAME => Err(JoinError::NameTooLong),
            Self::Connecting { rooms } if rooms.len() >= max_rooms => Err(JoinError::TooManyRooms),
            Self::Connecting { rooms } => {
                rooms.push(room);
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rooms::{RoomLimits, Rooms};

    fn member() -> Member {
        Rooms::new(RoomLimits::default()).insert("id".into(), ())
    }

    const LEFT: DisconnectReason = DisconnectReason::ClientNamespaceDisconnect;
    const KICKED: DisconnectReason = DisconnectReason::ServerNamespaceDisconnect;

    #[test]
    fn an_open_socket_ends_once() {
        let mut phase = Phase::Open(member());
        assert_eq!(phase.end(LEFT), End::Now(member()));
        assert_eq!(phase.end(KICKED), End::Nothing);
        assert_eq!(phase.member(), Some(member()), "its rooms are still there");
        phase = Phase::Closed;
        assert_eq!(phase.end(KICKED), End::Nothing);
        assert_eq!(phase.member(), None);
    }

    #[test]
    fn an_end_while_opening_waits_for_the_connect_handlers() {
        let mut phase = Phase::Opening {
            member: member(),
            end: None,
        };
        assert_eq!(phase.end(LEFT), End::Later);
        assert_eq!(phase.end(KICKED), End::Nothing);
        assert_eq!(phase.join("room".into(), 9), Err(JoinError::Disconnected));
        assert_eq!(phase.opened(), Some((member(), LEFT)));
        assert_eq!(phase.end(KICKED), End::Nothing);
    }

    #[test]
    fn without_an_end_an_opening_socket_opens() {
        let mut phase = Phase::Opening {
            member: member(),
            end: None,
        };
        assert_eq!(phase.opened(), None);
        assert!(matches!(phase, Phase::Open(_)));
    }

    #[test]
    fn a_socket_that_was_never_connected_ends_without_a_word() {
        let mut phase = Phase::Connecting {
            rooms: vec!["room".into()],
        };
        assert_eq!(phase.end(LEFT), End::Unheard);
        assert_eq!(phase.end(LEFT), End::Nothing);
        assert_eq!(phase.join("other".into(), 9), Err(JoinError::Disconnected));
        assert_eq!(phase.opened(), None);
    }

    #[test]
    fn rooms_joined_before_the_connection_are_noted_within_bounds() {
        let mut phase = Phase::Connecting { rooms: Vec::new() };
        assert_eq!(phase.join("a".into(), 2), Ok(None));
        assert_eq!(phase.join("a".into(), 2), Ok(None));
        assert_eq!(phase.join("b".into(), 2), Ok(None));
        assert_eq!(phase.join("c".into(), 2), Err(JoinError::TooManyRooms));
        assert_eq!(
            phase.join("n".repeat(256).into(), 9),
            Err(JoinError::NameTooLong)
        );
        let Phase::Connecting { rooms } = phase else {
            panic!("still connecting")
        };
        assert_eq!(rooms, ["a".into(), "b".into()]);
    }
}
