//! `Listeners`: the handlers of one socket, besides those of its namespace. A socket without any has no such table.

use std::{
    mem,
    sync::{Arc, Mutex},
};

use super::{
    handler::{DisconnectHandler, ErrorHandler, EventHandler, OutgoingHandler},
    lock,
};

/// Names one handler of a socket, to take it off again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// A socket's own handlers.
#[derive(Default)]
pub(crate) struct Listeners {
    /// Guards which handlers there are. They are cloned to be called; nothing is called or dropped under it.
    table: Mutex<Table>,
}

#[derive(Default)]
pub(crate) struct Table {
    last_id: u64,
    /// The socket has ended. Handlers often hold their socket, so none is kept any longer.
    is_over: bool,
    pub(crate) events: Vec<EventListener>,
    pub(crate) any: Vec<Listener>,
    pub(crate) outgoing: Vec<(ListenerId, OutgoingHandler)>,
    pub(crate) packet: Vec<EventHandler>,
    pub(crate) error: Vec<ErrorHandler>,
    pub(crate) disconnecting: Vec<DisconnectHandler>,
    pub(crate) disconnect: Vec<DisconnectHandler>,
}

/// A handler of one event.
pub(crate) struct EventListener {
    pub(crate) event: Arc<str>,
    pub(crate) is_once: bool,
    pub(crate) listener: Listener,
}

/// A handler that can be taken off.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) id: ListenerId,
    pub(crate) handler: EventHandler,
}

impl Listeners {
    /// Changes the table, with a new id at hand, unless the socket has ended.
    pub(crate) fn add(&self, add: impl FnOnce(&mut Table, ListenerId)) -> ListenerId {
        let mut table = lock(&self.table);
        table.last_id += 1;
        let id = ListenerId(table.last_id);
        if !table.is_over {
            add(&mut table, id);
            return id;
        }
        drop(table);
        // With what it has captured, and not under the lock.
        drop(add);
        id
    }

    /// Looks at the table; only clones.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(&lock(&self.table))
    }

    /// The handlers of an event, which is about to be delivered. Those for one event only are taken off.
    pub(crate) fn take(&self, event: &str) -> Vec<EventHandler> {
        let mut table = lock(&self.table);
        let of_event = |held: &&EventListener| *held.event == *event;
        let found = table.events.iter().filter(of_event);
        let found = found.map(|held| held.listener.handler.clone()).collect();
        // What goes is held by `found`.
        table
            .events
            .retain(|held| !(held.is_once && *held.event == *event));
        found
    }

    /// Takes one handler off. False if it is not there.
    pub(crate) fn off(&self, id: ListenerId) -> bool {
        let gone = {
            let mut table = lock(&self.table);
            let place = table.events.iter().position(|held| held.listener.id == id);
            place.map(|place| table.events.remove(place))
        };
        gone.is_some()
    }

    /// Takes one handler of all events off, or every such.
    pub(crate) fn off_any(&self, id: Option<ListenerId>) {
        let gone: Vec<_> = {
            let mut table = lock(&self.table);
            let goes = |held: &mut Listener| id.is_none_or(|id| held.id == id);
            table.any.extract_if(.., goes).collect()
        };
        drop(gone);
    }

    /// Takes one handler of all outgoing events off, or every such.
    pub(crate) fn off_any_outgoing(&self, id: Option<ListenerId>) {
        let gone: Vec<_> = {
            let mut table = lock(&self.table);
            let goes = |held: &mut (ListenerId, _)| id.is_none_or(|id| held.0 == id);
            table.outgoing.extract_if(.., goes).collect()
        };
        drop(gone);
    }

    /// Takes the handlers of an event off, or those of every event.
    pub(crate) fn off_all(&self, event: Option<&str>) {
        let gone: Vec<_> = {
            let mut table = lock(&self.table);
            let goes = |held: &mut EventListener| event.is_none_or(|event| *held.event == *event);
            table.events.extract_if(.., goes).collect()
        };
        drop(gone);
    }

    /// The events that have handlers, each once, in the order in which they got one.
    pub(crate) fn event_names(&self) -> Vec<String> {
        let table = lock(&self.table);
        let mut names: Vec<String> = Vec::new();
        for held in &table.events {
            if !names.iter().any(|name| **name == *held.event) {
                names.push(held.event.to_string());
            }
        }
        names
    }

    /// The socket has ended.
    pub(crate) fn clear(&self) {
        let over = Table {
            is_over: true,
            ..Table::default()
        };
        let gone = mem::replace(&mut *lock(&self.table), over);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(listeners: &Listeners, event: &str, is_once: bool) -> ListenerId {
        let handler: EventHandler = Arc::new(|_, _| Ok(Box::pin(async { None })));
        let event = event.into();
        listeners.add(|table, id| {
            table.events.push(EventListener {
                event,
                is_once,
                listener: Listener { id, handler },
            })
        })
    }

    #[test]
    fn a_handler_for_one_event_is_taken_once() {
        let listeners = Listeners::default();
        add(&listeners, "a", true);
        add(&listeners, "a", false);
        add(&listeners, "b", true);
        assert_eq!(listeners.take("a").len(), 2);
        assert_eq!(listeners.take("a").len(), 1);
        assert_eq!(listeners.take("c").len(), 0);
        assert_eq!(listeners.event_names(), ["a", "b"]);
    }

    #[test]
    fn handlers_are_taken_off_one_by_one_by_event_or_all() {
        let listeners = Listeners::default();
        let first = add(&listeners, "a", false);
        add(&listeners, "a", false);
        add(&listeners, "b", false);
        add(&listeners, "c", false);
        assert!(listeners.off(first));
        assert!(!listeners.off(first));
        assert_eq!(listeners.take("a").len(), 1);
        listeners.off_all(Some("a"));
        assert_eq!(listeners.event_names(), ["b", "c"]);
        listeners.off_all(None);
        assert_eq!(listeners.event_names(), [""; 0]);
    }

    #[test]
    fn after_the_end_nothing_is_kept() {
        let listeners = Listeners::default();
        add(&listeners, "a", false);
        listeners.clear();
        add(&listeners, "b", false);
        assert_eq!(listeners.event_names(), [""; 0]);
    }
}
