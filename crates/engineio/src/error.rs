//! What can go wrong on a session: packets that do not decode, and the reasons for which a session ends.

use std::fmt;

/// Why a packet or a payload could not be decoded. The peer is at fault, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// A packet without even a type.
    #[error("empty packet")]
    Empty,
    /// The first character is not one of the packet types `0` to `6`, nor `b`.
    #[error("unknown packet type")]
    UnknownType,
    /// Text that is not UTF-8.
    #[error("text is not valid utf-8")]
    InvalidUtf8,
    /// A `b` packet whose data is not base64.
    #[error("binary packet is not valid base64")]
    InvalidBase64,
    /// The length of a packet of protocol 3 that is none, or not that of what follows.
    #[error("length of a packet is not valid")]
    InvalidLength,
    /// A body of JSONP polling that is no form with one field `d`.
    #[error("body is not a form with one field d")]
    InvalidForm,
    /// More packets in one payload than [`Config::max_packets_per_payload`](crate::Config::max_packets_per_payload).
    #[error("too many packets in one payload")]
    TooManyPackets,
}

/// Why a session ended. `Display` gives the official string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed the session, or its connection ended.
    TransportClose,
    /// The client broke the rules of the transport: overlapping requests, a broken frame, an aborted request.
    TransportError,
    /// The client did not answer a ping in time; in protocol 3, did not send one.
    PingTimeout,
    /// The client sent a packet that does not decode.
    ParseError,
    /// The server closed the session.
    ForcedClose,
    /// The client took its messages too slowly and its queue was full
    /// (see [`Config::max_buffered_bytes`](crate::Config::max_buffered_bytes)). The reference has no such bound.
    SlowConsumer,
}

impl CloseReason {
    /// The official string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::SlowConsumer => "slow consumer",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What exactly has gone wrong where a session ends with `transport error` or `parse error`: the description beside the
/// reason, for logs and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum CloseDetail {
    /// A WebSocket message above [`Config::max_payload`](crate::Config::max_payload). A body that is larger is refused
    /// with status 413, and the session goes on.
    #[error("message is too large")]
    MessageTooLarge,
    /// A WebSocket message in more frames than are taken.
    #[error("message has too many fragments")]
    TooManyFragments,
    /// A WebSocket text that is not UTF-8.
    #[error("text is not valid utf-8")]
    InvalidUtf8,
    /// A frame against the rules of WebSocket.
    #[error("websocket frame is not valid")]
    InvalidFrame,
    /// A GET or POST while the one before was not answered.
    #[error("overlapping requests")]
    OverlappingRequests,
    /// The connection of the long poll was lost before its answer.
    #[error("long poll was aborted")]
    AbortedPoll,
    /// A POST that was not read to its end, or had a body that is not taken.
    #[error("post failed")]
    FailedPost,
    /// A heartbeat packet that only the other side sends.
    #[error("heartbeat in the wrong direction")]
    WrongHeartbeat,
    /// Something that is not a packet.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
}

impl CloseDetail {
    /// The reason that goes with it.
    pub fn reason(self) -> CloseReason {
        match self {
            Self::Undecodable(_) => CloseReason::ParseError,
            _ => CloseReason::TransportError,
        }
    }
}

/// Why a message was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The session is closing or closed.
    #[error("session is closed")]
    Closed,
    /// The queue was full; the session ends with [`CloseReason::SlowConsumer`].
    #[error("queue is full, the session is closed")]
    Overflow,
}
