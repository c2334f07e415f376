//! `Memory`: the history of a namespace and the store that it is recorded in, which is told of everything first.

use std::{sync::Arc, time::Instant};

use super::{
    Config,
    recovery::{Kept, StoredData},
};
use crate::{
    encode::Frames,
    recovery::{
        Address, Epoch, History, Limits, Pid, Record, Resumption, SavedSession, Store, Tenure,
    },
    rooms::Room,
};

/// What a namespace remembers with recovery on. It is guarded by the namespace's lock.
pub(crate) struct Memory {
    namespace: Room,
    limits: Limits,
    stored_data: StoredData,
    /// None also if it has failed.
    store: Option<Arc<dyn Store>>,
    /// Read from the store when it is needed first, since a namespace that is made may never be used.
    history: Option<History<Kept>>,
}

impl Memory {
    pub(crate) fn new(namespace: Room, config: &Config) -> Option<Self> {
        let recovery = config.connection_state_recovery.as_ref()?;
        Some(Self {
            namespace,
            limits: recovery.limits(config),
            stored_data: recovery.stored_data.clone(),
            store: recovery.store.clone(),
            history: None,
        })
    }

    /// What is to be stored of sockets, if there is a store.
    pub(crate) fn stored_data(&self) -> Option<StoredData> {
        let stored = self.store.as_ref().map(|_| self.stored_data.clone());
        stored.filter(|stored| !stored.is_empty())
    }

    /// The history. None if there is no randomness for one, in which case nobody is recovered.
    pub(crate) fn history(&mut self) -> Option<&mut History<Kept>> {
        if self.history.is_none() {
            self.history = self.open();
        }
        self.history.as_mut()
    }

    fn open(&mut self) -> Option<History<Kept>> {
        if let Some(history) = self.load() {
            return Some(history);
        }
        let mut random = [0; 8];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::warn!(%error, "no randomness, and therefore no recovery");
            return None;
        }
        let epoch = Epoch::from_random(random);
        self.record(&Record::Begin(epoch));
        Some(History::new(epoch, self.limits.clone()))
    }

    fn load(&mut self) -> Option<History<Kept>> {
        match self.store.as_ref()?.load(&self.namespace) {
            Ok(saved) => {
                let (stored, limits) = (&self.stored_data, self.limits.clone());
                let kept = |values| Kept::Saved(values, stored.clone());
                saved.map(|saved| History::restore(saved, limits, kept))
            }
            Err(error) => {
                tracing::warn!(
                    namespace = &*self.namespace,
                    %error,
                    "sessions cannot be read, so everybody begins anew"
                );
                None
            }
        }
    }

    /// Tells the store. One that fails is given up, since what it has is not true any more.
    fn record(&mut self, record: &Record<'_>) {
        let Some(store) = &self.store else { return };
        if let Err(error) = store.record(&self.namespace, record) {
            tracing::warn!(
                namespace = &*self.namespace,
                %error,
                "sessions cannot be stored, and end with this process"
            );
            self.give_store_up();
        }
    }

    fn give_store_up(&mut self) {
        if let Some(store) = self.store.take() {
            store.forget(&self.namespace);
        }
    }

    /// The namespace is gone for good.
    #[must_use = "it holds the user's data, which is not to be dropped under a lock"]
    pub(crate) fn forget(&mut self) -> Option<History<Kept>> {
        self.give_store_up();
        self.history.take()
    }

    /// Appends an event that ends with the offset that [`History::next`] has given. To be called before it is sent.
    pub(crate) fn append(&mut self, now: Instant, address: Address, frames: Frames) {
        let Some(history) = self.history() else {
            return;
        };
        let (number, pruned) = (history.next().number, history.pruned());
        self.record(&Record::Event {
            number,
            address: &address,
            frames: &frames,
            pruned,
        });
        if let Some(history) = &mut self.history {
            history.append(now, address, frames);
        }
    }

    /// A session begins.
    pub(crate) fn begin(&mut self, now: Instant, pid: Pid, sid: Room) -> Option<Tenure> {
        let tenure = self.history()?.begin(now, pid, sid.clone());
        self.save(tenure, || vec![sid]);
        Some(tenure)
    }

    /// A session goes on.
    pub(crate) fn resume(&mut self, resumption: &Resumption) -> Option<Tenure> {
        self.history()?.resume(resumption)
    }

    /// The socket has joined or left a room, and is in these now.
    pub(crate) fn room_changed(
        &mut self,
        tenure: Tenure,
        room: &Room,
        is_join: bool,
        rooms: impl FnOnce() -> Vec<Room>,
    ) {
        if let Some(history) = self.history() {
            history.room_changed(tenure, room, is_join);
            self.save(tenure, rooms);
        }
    }

    fn save(&mut self, tenure: Tenure, rooms: impl FnOnce() -> Vec<Room>) {
        if self.store.is_none() {
            return;
        }
        let saved: Option<SavedSession> = self
            .history
            .as_ref()
            .and_then(|history| history.saved(tenure, rooms()));
        if let Some(saved) = saved {
            self.record(&Record::Session(&saved));
        }
    }

    /// What the application keeps on the socket of a session.
    pub(crate) fn save_value(&mut self, tenure: Tenure, key: &str, value: &[u8]) {
        let is_known = |history: &mut History<Kept>| history.is_known(tenure);
        if self.history().is_some_and(is_known) {
            self.record(&Record::Data {
                pid: &tenure.pid(),
                key,
                value,
            });
        }
    }

    /// Tells the store which sessions are over. The answer is to be dropped without the lock.
    #[must_use = "it is the user's data"]
    pub(crate) fn settle(&mut self) -> Vec<Kept> {
        let Some(history) = &mut self.history else {
            return Vec::new();
        };
        let mut dropped = Vec::new();
        for over in history.take_over() {
            if let Some(pid) = &over.pid {
                self.record(&Record::SessionOver(pid));
            }
            dropped.extend(over.data);
        }
        dropped
    }
}
