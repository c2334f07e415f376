//! `Children`: the namespaces of a parent, and the adapter that carries a broadcast of the parent out in each of them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{future::join_all, stream::select_all};

use super::{
    adapter::{Adapter, AdapterError, BoxFuture, BoxStream, SocketDetails},
    answer::AnswerFrom,
    lock,
    namespace::Namespace,
};
use crate::{
    Args,
    encode::Draft,
    rooms::{Room, Target},
};

/// The children of one parent.
#[derive(Default)]
pub(crate) struct Children {
    /// Guards who is there. The handlers of namespaces are locked under it, so that children have those of the parent;
    /// nothing is called.
    list: Mutex<Vec<Namespace>>,
}

impl Children {
    pub(crate) fn all(&self) -> Vec<Namespace> {
        lock(&self.list).clone()
    }

    /// Adds a child, once `prepare` has made it one. No handler is registered on the parent meanwhile.
    pub(crate) fn add(&self, child: &Namespace, prepare: impl FnOnce()) {
        let mut list = lock(&self.list);
        prepare();
        list.push(child.clone());
    }

    pub(crate) fn remove(&self, child: &Namespace) {
        lock(&self.list).retain(|held| !held.is(child));
    }

    /// Looks at all children while none comes or goes.
    pub(crate) fn with_all<T>(&self, look: impl FnOnce(&[Namespace]) -> T) -> T {
        look(&lock(&self.list))
    }
}

/// Carries out in all children what is asked of the parent.
pub(crate) struct ChildrenAdapter {
    children: Arc<Children>,
    /// Only on this node.
    is_local: bool,
}

impl ChildrenAdapter {
    pub(crate) fn new(children: Arc<Children>, is_local: bool) -> Self {
        Self { children, is_local }
    }

    fn adapters(&self) -> impl Iterator<Item = Arc<dyn Adapter>> + use<> {
        let is_local = self.is_local;
        let children = self.children.all().into_iter();
        children.map(move |child| child.adapter(is_local).clone())
    }
}

impl Adapter for ChildrenAdapter {
    /// Each server has its own children, so the answer of the one that sees the most is the best.
    fn server_count(&self) -> BoxFuture<Result<usize, AdapterError>> {
        let counts = join_all(self.adapters().map(|adapter| adapter.server_count()));
        Box::pin(async move {
            let mut most = 1;
            for count in counts.await {
                most = most.max(count?);
            }
            Ok(most)
        })
    }

    fn list_rooms(&self) -> BoxFuture<Result<Vec<String>, AdapterError>> {
        let rooms = join_all(self.adapters().map(|adapter| adapter.list_rooms()));
        Box::pin(async move {
            let mut all = BTreeSet::new();
            for rooms in rooms.await {
                all.extend(rooms?);
            }
            Ok(all.into_iter().collect())
        })
    }

    fn broadcast(&self, event: &Draft, target: &Target, is_volatile: bool) {
        self.adapters()
            .for_each(|adapter| adapter.broadcast(event, target, is_volatile));
    }

    fn broadcast_with_ack(
        &self,
        event: &Draft,
        target: &Target,
        is_volatile: bool,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let answers = self
            .adapters()
            .map(|adapter| adapter.broadcast_with_ack(event, target, is_volatile, timeout));
        Box::pin(select_all(answers))
    }

    fn fetch_sockets(
        &self,
        target: &Target,
    ) -> BoxFuture<Result<Vec<SocketDetails>, AdapterError>> {
        let found = self.adapters().map(|adapter| adapter.fetch_sockets(target));
        let found = join_all(found);
        Box::pin(async move {
            let found: Result<Vec<_>, _> = found.await.into_iter().collect();
            Ok(found?.into_iter().flatten().collect())
        })
    }

    fn add_sockets(&self, target: &Target, rooms: &[Room]) {
        self.adapters()
            .for_each(|adapter| adapter.add_sockets(target, rooms));
    }

    fn del_sockets(&self, target: &Target, rooms: &[Room]) {
        self.adapters()
            .for_each(|adapter| adapter.del_sockets(target, rooms));
    }

    fn server_side_emit(&self, event: &Draft) {
        self.adapters()
            .for_each(|adapter| adapter.server_side_emit(event));
    }

    fn server_side_emit_with_ack(
        &self,
        event: &Draft,
        timeout: Duration,
    ) -> BoxStream<AnswerFrom<Args>> {
        let answers = self
            .adapters()
            .map(|adapter| adapter.server_side_emit_with_ack(event, timeout));
        Box::pin(select_all(answers))
    }

    fn disconnect_sockets(&self, target: &Target, close: bool) {
        self.adapters()
            .for_each(|adapter| adapter.disconnect_sockets(target, close));
    }
}
