//! `Adapter`: what whoever joins several servers has to do, and how it is brought in.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};

use super::{LocalAdapter, SocketDetails};
use crate::{
    Args,
    encode::Draft,
    rooms::{Room, Target},
    server::answer::AnswerFrom,
};

/// A future of an adapter. It borrows nothing, so that a question may outlive the call.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A stream of an adapter. It borrows nothing either.
pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;

/// Carries out what concerns several sockets of a namespace, on one node or on many.
///
/// The sockets of this process are the [`LocalAdapter`]'s, which an adapter for several nodes gets when it is made (see
/// [`AdapterFactory`]): it does there what it also asks of the other nodes. What is asked is asynchronous, since the
/// answer may come from elsewhere.
///
/// All that nodes have to tell each other can travel: an event as [`Draft::to_event`] and [`Draft::is_compressed`] tell it,
/// from which [`Draft::event`] makes it again, arguments as [`Args::json`] and [`Args::attachments`], from which
/// [`Args::from_json`] makes them again, and [`SocketDetails`] by serde.
pub trait Adapter: Send + Sync + 'static {
    /// The namespace is there, and may be told of by other nodes. Called once, perhaps outside of a runtime; what another
    /// thread asks for in the same moment may come before. An adapter that was made for nothing, since another thread
    /// was first to make the namespace, is dropped without it.
    fn init(&self) {}

    /// The namespace has gone, or the server is closed: nothing more is asked. Called once for each
    /// [`init`](Self::init). A namespace of the same name may be there again before the future ends.
    fn close(&self) -> BoxFuture<()> {
        Box::pin(std::future::ready(()))
    }

    /// How many servers there are, this one included. By itself it is the only one.
    fn server_count(&self) -> BoxFuture<Result<usize, AdapterError>> {
        Box::pin(std::future::ready(Ok(1)))
    }

    /// The rooms there are, each once, not counting those that sockets are in by their id.
    fn list_rooms(&self) -> BoxFuture<Result<Vec<String>, AdapterError>>;

    /// Emits an event to all sockets of the target.
    fn broadcast(&self, event: &Draft, target: &Target, is_volatile: bool);

    /// Emits an event to all sockets of the target, and hands out their answers as they come.
    ///
    /// The event is emitted by the call. The stream ends when all have answered, at the latest at the timeout, with a
    /// [`Timeout`](crate::AckError::Timeout) for each recipient that is missing then: also one, without an id, for a
    /// node that has not even said whom it has asked. When it is dropped, nobody waits any longer.
    fn broadcast_with_ack(
        &self,
        event: &Draft,
        target: &Target,
        is_volatile: bool,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>>;

    /// The sockets of the target.
    fn fetch_sockets(&self, target: &Target)
    -> BoxFuture<Result<Vec<SocketDetails>, AdapterError>>;

    /// Lets the sockets of the target join rooms.
    fn add_sockets(&self, target: &Target, rooms: &[Room]);

    /// Lets the sockets of the target leave rooms.
    fn del_sockets(&self, target: &Target, rooms: &[Room]);

    /// Disconnects the sockets of the target from the namespace, or closes their connections.
    fn disconnect_sockets(&self, target: &Target, close: bool);

    /// Emits an event to the other servers, each of which hands it to its
    /// [`LocalAdapter::deliver_server_side`]. By itself there are none.
    fn server_side_emit(&self, event: &Draft) {
        let _ = event;
    }

    /// Emits an event to the other servers, and hands out their answers as they come; as with
    /// [`broadcast_with_ack`](Self::broadcast_with_ack) until the timeout. By itself there are none.
    fn server_side_emit_with_ack(
        &self,
        event: &Draft,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let _ = (event, timeout);
        Box::pin(stream::empty())
    }
}

/// Why an adapter has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AdapterError(pub String);

/// Makes the adapter of each namespace.
#[derive(Clone)]
pub struct AdapterFactory(Arc<MakeAdapter>);

type MakeAdapter = dyn Fn(Arc<LocalAdapter>) -> Arc<dyn Adapter> + Send + Sync;

impl AdapterFactory {
    /// A factory that is given the sockets of this process, namespace by namespace.
    pub fn new(
        make: impl Fn(Arc<LocalAdapter>) -> Arc<dyn Adapter> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self, local: Arc<LocalAdapter>) -> Arc<dyn Adapter> {
        (self.0)(local)
    }
}

impl fmt::Debug for AdapterFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdapterFactory")
    }
}
