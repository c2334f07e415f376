//! The errors, one small enum per operation, and the reasons for which a socket disconnects.

use std::fmt;

use engineio::CloseReason;
use serde::Serialize;

/// Why what a peer has sent is not a packet. The peer is at fault, always, and its session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The packet does not begin with one of the types `0` to `6`.
    #[error("unknown packet type")]
    UnknownType,
    /// Text that is not UTF-8.
    #[error("text is not valid utf-8")]
    InvalidUtf8,
    /// The number of attachments is not made of digits, or does not end with a dash.
    #[error("number of attachments is malformed")]
    InvalidAttachments,
    /// More attachments than [`Limits::max_attachments`](crate::packet::Limits::max_attachments).
    #[error("too many attachments")]
    TooManyAttachments,
    /// A namespace that does not begin with a slash.
    #[error("name of the namespace is malformed")]
    InvalidNamespace,
    /// A namespace longer than [`Limits::max_name_len`](crate::packet::Limits::max_name_len).
    #[error("name of the namespace is too long")]
    NamespaceTooLong,
    /// An ack id of more than 16 digits, or above 2^53 - 1.
    #[error("ack id is out of range")]
    AckIdOutOfRange,
    /// The data is not JSON, or not of the shape that the packet's type asks for.
    #[error("payload is malformed")]
    InvalidPayload,
    /// JSON that is nested deeper than 128 levels.
    #[error("payload is nested too deeply")]
    TooDeep,
    /// The first item of an event is neither a string nor an integer.
    #[error("name of the event is neither a string nor an integer")]
    InvalidEventName,
    /// An event name longer than [`Limits::max_event_name`](crate::packet::Limits::max_event_name).
    #[error("name of the event is too long")]
    EventNameTooLong,
    /// An event name that has a meaning of its own, such as `connect`.
    #[error("name of the event is reserved")]
    ReservedEvent,
    /// The auth payload of a CONNECT is longer than
    /// [`Limits::max_auth_bytes`](crate::packet::Limits::max_auth_bytes).
    #[error("auth payload is too large")]
    AuthTooLarge,
    /// A placeholder whose `num` is not the number of one of the packet's attachments.
    #[error("placeholder without attachment")]
    InvalidPlaceholder,
    /// Text where binary data was due.
    #[error("text instead of binary data")]
    UnexpectedText,
    /// Binary data where none was due.
    #[error("attachment without a packet")]
    UnexpectedBinary,
    /// An incomplete packet holds more bytes than
    /// [`Limits::max_pending_attachment_bytes`](crate::packet::Limits::max_pending_attachment_bytes).
    #[error("attachments are too large")]
    AttachmentsTooLarge,
    /// The attachments of a packet did not come within
    /// [`Limits::attachment_timeout`](crate::packet::Limits::attachment_timeout).
    #[error("attachments came too late")]
    AttachmentsTooLate,
}

/// Why the arguments of an event or an answer do not fit the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// The arguments are not JSON. The peer broke the protocol.
    #[error("arguments are not valid json")]
    Malformed,
    /// The arguments are valid, but of another type than the one asked for.
    #[error("arguments do not fit: {0}")]
    Mismatch(String),
}

/// Why arguments could not be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The event has a name with a meaning of its own: `connect`, `connect_error`, `disconnect`, `disconnecting`,
    /// `newListener` or `removeListener`.
    #[error("`{0}` is a reserved event name")]
    ReservedEvent(String),
    /// Serialization failed.
    #[error("arguments cannot be serialized: {0}")]
    Serialize(String),
    /// [`Args`](crate::Args) stand for *all* arguments and cannot be one of several.
    #[error("captured arguments can only be passed on as a whole")]
    NestedArgs,
}

/// Why an emit did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The event could not be encoded; the caller is at fault.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The socket is not connected: not yet (a middleware runs before that), or no longer.
    #[error("socket is not connected")]
    NotConnected,
    /// The client takes its messages too slowly and the queue is full. The session is closed.
    #[error("queue is full, the session is closed")]
    SlowConsumer,
}

/// Why `Socket::try_emit` did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TryEmitError {
    /// The packet would fill the queue above a sixteenth of its bound. Wait with `Socket::ready` and try again.
    #[error("queue has no room")]
    Full,
    /// The socket is not connected.
    #[error("socket is not connected")]
    Closed,
}

/// Why there is no answer to an emit with ack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    /// The client did not answer in time.
    #[error("operation has timed out")]
    Timeout,
    /// The socket disconnected before the client answered.
    #[error("socket has been disconnected")]
    Disconnected,
    /// The socket already waits for as many answers as it may. Nothing was emitted.
    #[error("too many pending acks")]
    TooManyPending,
    /// The event could not be emitted.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The client has answered with something else than the type that was asked for.
    #[error(transparent)]
    Answer(#[from] ArgsError),
}

impl From<EncodeError> for AckError {
    fn from(error: EncodeError) -> Self {
        Self::Emit(error.into())
    }
}

/// Why a socket did not join a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The socket has been disconnected. It is in no room any more.
    #[error("socket has been disconnected")]
    Disconnected,
    /// A room name longer than 255 bytes.
    #[error("name of the room is too long")]
    NameTooLong,
    /// The socket is in as many rooms as it may be.
    #[error("socket is in too many rooms")]
    TooManyRooms,
    /// The namespace has as many rooms as it may have.
    #[error("namespace has too many rooms")]
    RoomLimit,
}

/// Why a client may not join a namespace: what a middleware answers, and the client gets as `CONNECT_ERROR`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    /// The `message` of the client's error.
    pub message: String,
    /// The `data` of the client's error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

impl ConnectError {
    /// An error with this message and no data.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            data: None,
        }
    }

    /// The same error with data. What cannot be serialized becomes `null`.
    pub fn with_data(self, data: impl Serialize) -> Self {
        Self {
            data: Some(serde_json::to_value(data).unwrap_or_default()),
            ..self
        }
    }
}

/// Why a socket disconnected. `Display` gives the official string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// The server disconnected the socket.
    ServerNamespaceDisconnect,
    /// The server is shutting down.
    ServerShuttingDown,
    /// The session has ended, for this reason.
    Transport(CloseReason),
}

impl DisconnectReason {
    /// The official string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::Transport(reason) => reason.as_str(),
        }
    }

    /// Whether a client that has disconnected for this reason may come back as the socket that it was: it was cut off,
    /// and neither has left nor was sent away.
    pub fn is_recoverable(self) -> bool {
        match self {
            Self::ClientNamespaceDisconnect | Self::ServerNamespaceDisconnect => false,
            Self::ServerShuttingDown => true,
            Self::Transport(reason) => reason != CloseReason::ParseError,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_print_the_official_strings() {
        let table = [
            (
                DisconnectReason::ClientNamespaceDisconnect,
                "client namespace disconnect",
            ),
            (
                DisconnectReason::ServerNamespaceDisconnect,
                "server namespace disconnect",
            ),
            (DisconnectReason::ServerShuttingDown, "server shutting down"),
            (
                DisconnectReason::Transport(CloseReason::TransportClose),
                "transport close",
            ),
            (
                DisconnectReason::Transport(CloseReason::PingTimeout),
                "ping timeout",
            ),
            (
                DisconnectReason::Transport(CloseReason::SlowConsumer),
                "slow consumer",
            ),
        ];
        for (reason, text) in table {
            assert_eq!(reason.to_string(), text);
        }
    }

    #[test]
    fn connect_error_without_data_has_only_a_message() {
        let error = ConnectError::new("unauthorized");
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"message":"unauthorized"}"#
        );
        let error = error.with_data([1, 2]);
        assert_eq!(
            serde_json::to_string(&error).unwrap(),
            r#"{"message":"unauthorized","data":[1,2]}"#
        );
    }
}
