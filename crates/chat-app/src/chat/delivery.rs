//! The delivery of the log to one socket: a subscription from its cursor, or `resync` when that means nothing here.

use std::sync::{Mutex, PoisonError};

use event_log::{
    Cursor, End, Log, Offered, Offset, Resync, Seen, Sink, SubscribeError, Subscription,
};
use serde::Serialize;
use socketio::{EventPacket, Socket, TryEmitError};

use super::{
    STREAM,
    auth::{Start, Visitor},
};

/// What a socket keeps of its subscription.
pub struct Delivery {
    /// Guards one assignment. `Stopped` is final: whoever finds it drops what it was about to put there.
    state: Mutex<State>,
}

enum State {
    Waiting,
    Reading(
        #[cfg_attr(
            not(test),
            expect(
                dead_code,
                reason = "it is kept for its drop, which ends the subscription"
            )
        )]
        Subscription,
    ),
    Stopped,
}

#[derive(Serialize)]
struct ResyncDetails<'a> {
    epoch: &'a str,
    first: u64,
    last: u64,
}

impl Delivery {
    /// Starts to deliver what the visitor has asked for.
    pub fn begin(socket: &Socket, log: Log<EventPacket>, visitor: &Visitor, history: u64) {
        socket.set(Self {
            state: Mutex::new(State::Waiting),
        });
        let history = visitor.history.unwrap_or(history);
        let feed = Feed {
            socket: socket.clone(),
            log,
            history,
        };
        match &visitor.start {
            Start::Recent => feed.subscribe_to_recent(),
            Start::After {
                offset,
                epoch,
                last,
            } => {
                feed.subscribe(Cursor {
                    epoch: epoch.as_deref(),
                    offset: Offset(*offset),
                    last: last.as_ref().map(|last| Seen {
                        key: &last.key,
                        at: last.at,
                    }),
                });
            }
            // What is no cursor fits as little as one that is beyond everything.
            Start::Invalid => feed.subscribe(Cursor::from(Offset(u64::MAX))),
        }
    }

    /// The socket has left: nothing is read for it any more.
    pub fn stop(&self) {
        // The subscription is dropped without our lock.
        let before = std::mem::replace(&mut *self.lock(), State::Stopped);
        drop(before);
    }

    fn keep(&self, subscription: Subscription) {
        let mut state = self.lock();
        let unwanted = match &*state {
            State::Stopped => State::Reading(subscription),
            // It has ended already, and the one after it may have been faster here.
            _ if subscription.is_over() => State::Reading(subscription),
            State::Waiting | State::Reading(_) => {
                std::mem::replace(&mut *state, State::Reading(subscription))
            }
        };
        drop(state);
        drop(unwanted);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A socket as the log's sink.
#[derive(Clone)]
struct Feed {
    socket: Socket,
    log: Log<EventPacket>,
    history: u64,
}

impl Feed {
    fn subscribe(&self, cursor: Cursor<'_>) {
        match self.log.subscribe(STREAM, cursor, self.clone()) {
            Ok(subscription) => {
                if let Some(delivery) = self.socket.data::<Delivery>() {
                    delivery.keep(subscription);
                }
            }
            Err(SubscribeError::Resync(resync)) => {
                self.tell(resync);
                self.subscribe_to_recent();
            }
            // The server is stopping; the socket is closed with its reason presently.
            Err(SubscribeError::Closed | SubscribeError::NoSuchStream) => {}
        }
    }

    /// As for one that has nothing: the last messages, then live.
    fn subscribe_to_recent(&self) {
        let bounds = self.log.bounds(STREAM);
        self.subscribe(Cursor::from(bounds.cursor_before_last(self.history)));
    }

    fn tell(&self, resync: Resync) {
        let details = ResyncDetails {
            epoch: resync.epoch.as_str(),
            first: resync.first.0,
            last: resync.last.0,
        };
        // An error says that the client has left already.
        let _ = self.socket.emit("resync", details);
    }
}

impl Sink<EventPacket> for Feed {
    fn offer(&self, _offset: Offset, event: &EventPacket) -> Offered {
        match self.socket.try_emit(event) {
            Ok(()) => Offered::Taken,
            Err(TryEmitError::Full) => Offered::Full,
            Err(TryEmitError::Closed) => Offered::Closed,
        }
    }

    fn room(&self) -> event_log::Room<'_> {
        Box::pin(self.socket.ready())
    }

    fn end(&self, end: End) {
        match end {
            End::Resync(resync) => {
                let feed = self.clone();
                // Ends after one subscription. The log's lock may be held here, under which none can be made.
                tokio::spawn(async move {
                    feed.tell(resync);
                    feed.subscribe_to_recent();
                });
            }
            End::Unreadable => {
                tracing::error!(socket = %self.socket.id(), "a stored message cannot be read as it was written");
                // An error says that the client has left already.
                let _ = self.socket.emit(UNREADABLE, WHY_UNREADABLE);
                self.socket.close();
            }
            End::Closed => {}
        }
    }
}

const UNREADABLE: &str = "unreadable";
const WHY_UNREADABLE: &str = "a message cannot be read as it was stored";

#[cfg(test)]
mod tests {
    use event_log::memory::MemoryStore;
    use event_log::{Config, Epoch, channel};

    use super::*;

    #[tokio::test]
    async fn a_subscription_that_is_over_replaces_none_that_is_not() {
        let [first, second] = [1, 2].map(|seed| {
            let store = MemoryStore::new(Epoch::from_random([seed; 15]));
            Log::open(store, Config::default(), |event| event.offset).unwrap()
        });
        let [over, live] = [&first, &second].map(|log| {
            let (sink, frames) = channel(1);
            (log.subscribe(STREAM, Offset::ZERO, sink).unwrap(), frames)
        });
        first.close().await.unwrap();
        assert!(over.0.is_over());
        let delivery = Delivery {
            state: Mutex::new(State::Waiting),
        };
        delivery.keep(live.0);
        delivery.keep(over.0);
        let state = delivery.lock();
        assert!(matches!(&*state, State::Reading(kept) if !kept.is_over()));
    }
}
