//! `Error`: one type for what may go wrong in a handler that does several things.

use super::adapter::AdapterError;
use crate::error::{
    AckError, ArgsError, ConnectError, EmitError, EncodeError, JoinError, TryEmitError,
};

/// The error of any operation on servers, namespaces and sockets: `?` makes it of each, so that one handler may join a
/// room and answer.
///
/// ```
/// # use socketio::{Error, Event, Server};
/// # let io = Server::new();
/// io.on("join", async |ev: Event, (room,): (String,)| {
///     ev.socket.join(&room)?;
///     ev.ack((room,))?;
///     Ok::<(), Error>(())
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
#[non_exhaustive]
pub enum Error {
    /// An event or an answer was not emitted.
    Emit(#[from] EmitError),
    /// An event was not emitted at once.
    TryEmit(#[from] TryEmitError),
    /// There is no answer.
    Ack(#[from] AckError),
    /// A socket did not join a room.
    Join(#[from] JoinError),
    /// Arguments do not fit the type that was asked for.
    Args(#[from] ArgsError),
    /// Arguments cannot be encoded.
    Encode(#[from] EncodeError),
    /// A client may not join a namespace.
    Connect(#[from] ConnectError),
    /// The other servers of a cluster could not be asked.
    Adapter(#[from] AdapterError),
}
