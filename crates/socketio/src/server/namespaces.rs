//! `Namespaces`: those of a server, by name, and the parents that let clients bring about new ones.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::de::DeserializeOwned;

use super::{
    Config,
    adapter::BoxFuture,
    counters::{LiveCounters, count},
    handler::CatchUnwind,
    handshake::parse_auth,
    namespace::Namespace,
    read, write,
};
use crate::rooms::Room;

/// All namespaces of a server.
pub(crate) struct Namespaces {
    config: Arc<Config>,
    counters: Arc<LiveCounters>,
    /// Read at each CONNECT, written when a namespace is made or goes. The lists of children and of handlers are locked
    /// under it, and a namespace that goes is taken out of the store of sessions; nothing else is called.
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    by_name: HashMap<Room, Entry>,
    /// In the order in which they are asked.
    parents: Vec<Arc<Parent>>,
    hooks: Vec<Hook>,
    /// How many entries were brought about by clients.
    dynamic_count: usize,
}

struct Entry {
    namespace: Namespace,
    parent: Option<Arc<Parent>>,
    origin: Origin,
}

/// Who has brought a namespace about, and so what keeps it.
enum Origin {
    /// The program has; it stays.
    Program,
    /// A client has; it may go when this number of clients, connecting ones included, is zero.
    Client(AtomicUsize),
}

/// What namespaces have in common whose names a predicate accepts.
pub(crate) struct Parent {
    namespace: Namespace,
    predicate: Predicate,
}

/// Which names a parent takes.
pub(crate) enum Predicate {
    Now(Box<dyn Fn(&str) -> bool + Send + Sync>),
    Later(Box<AsyncPredicate>),
}

/// Takes a name and the client's auth payload.
type AsyncPredicate = dyn Fn(&str, Option<&str>) -> BoxFuture<bool> + Send + Sync;

type Hook = Arc<dyn Fn(&Namespace) + Send + Sync>;

/// There are as many namespaces brought about by clients as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyNamespaces;

/// What becomes of a namespace that a client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Stays,
    /// Somebody may come back to it for so long. Until then the client counts as if it had not left; it is to leave then.
    Expects(Duration),
    Goes,
}

impl Namespaces {
    /// The main namespace alone.
    pub(crate) fn new(main: Namespace, config: Arc<Config>, counters: Arc<LiveCounters>) -> Self {
        let main = Entry {
            namespace: main,
            parent: None,
            origin: Origin::Program,
        };
        Self {
            config,
            counters,
            state: RwLock::new(State {
                by_name: [(main.namespace.room().clone(), main)].into(),
                ..State::default()
            }),
        }
    }

    /// The namespace of this name, which is made to stay if there is none.
    pub(crate) fn of(&self, name: &str) -> Namespace {
        if let Some(entry) = read(&self.state).by_name.get(name) {
            return entry.namespace.clone();
        }
        let parents = self.parents();
        let parent = parents.iter().find(|parent| match &parent.predicate {
            Predicate::Now(accepts) => self.call(|| accepts(name)).unwrap_or(false),
            // Nobody waits here for an answer.
            Predicate::Later(_) => false,
        });
        // Made before the lock is taken, since the adapter's factory is the user's.
        let new = Namespace::new(name.into(), self.config.clone(), parent.is_some());
        let mut state = write(&self.state);
        if let Some(entry) = state.by_name.get(name) {
            return entry.namespace.clone();
        }
        let hooks = state.add(&new, parent, Origin::Program);
        drop(state);
        self.announce(&new, &hooks);
        new
    }

    /// A client enters the namespace of this name, if there is one. It must [`leave`](Self::leave) it once.
    pub(crate) fn enter(&self, name: &str) -> Option<Namespace> {
        Some(read(&self.state).by_name.get(name)?.enter())
    }

    /// A client enters the namespace of this name, which is made if there is none.
    pub(crate) fn enter_child(
        &self,
        name: &Room,
        parent: &Arc<Parent>,
    ) -> Result<Namespace, TooManyNamespaces> {
        if let Some(namespace) = self.enter(name) {
            return Ok(namespace);
        }
        if read(&self.state).dynamic_count >= self.config.max_dynamic_namespaces {
            return Err(TooManyNamespaces);
        }
        let new = Namespace::new(name.clone(), self.config.clone(), true);
        let mut state = write(&self.state);
        // Of clients that come at the same time one has been the first.
        if let Some(entry) = state.by_name.get(name) {
            return Ok(entry.enter());
        }
        if state.dynamic_count >= self.config.max_dynamic_namespaces {
            return Err(TooManyNamespaces);
        }
        state.dynamic_count += 1;
        let hooks = state.add(&new, Some(parent), Origin::Client(AtomicUsize::new(1)));
        drop(state);
        self.announce(&new, &hooks);
        Ok(new)
    }

    /// A client that has entered a namespace is gone, or was never let in. The answer says what becomes of that.
    #[must_use = "the adapter of a namespace that goes is to be closed"]
    pub(crate) fn leave(&self, namespace: &Namespace) -> Left {
        if !namespace.is_child() {
            return Left::Stays;
        }
        let mut state = write(&self.state);
        let Some(entry) = state.by_name.get(namespace.name()) else {
            return Left::Stays;
        };
        let Origin::Client(clients) = &entry.origin else {
            return Left::Stays;
        };
        let before = clients.fetch_sub(1, Ordering::Relaxed);
        if before > 1 || !self.config.cleanup_empty_child_namespaces {
            return Left::Stays;
        }
        if let Some(wait) = namespace.local_adapter().expects_somebody_for() {
            clients.fetch_add(1, Ordering::Relaxed);
            return Left::Expects(wait);
        }
        // Before another of this name may come to be and store its own.
        namespace.local_adapter().forget_sessions();
        let gone = state.by_name.remove(namespace.name());
        state.dynamic_count -= 1;
        if let Some(parent) = gone.as_ref().and_then(|entry| entry.parent.as_ref()) {
            parent.namespace.disown(namespace);
        }
        drop(state);
        tracing::debug!(namespace = namespace.name(), "empty namespace removed");
        Left::Goes
    }

    /// A parent of all namespaces whose names the predicate accepts, if no earlier one does.
    pub(crate) fn add_parent(&self, predicate: Predicate) -> Namespace {
        let mut state = write(&self.state);
        let name = format!("/_{}", state.parents.len());
        let namespace = Namespace::parent(name.into(), self.config.clone());
        state.parents.push(Arc::new(Parent {
            namespace: namespace.clone(),
            predicate,
        }));
        namespace
    }

    pub(crate) fn add_hook(&self, hook: Hook) {
        write(&self.state).hooks.push(hook);
    }

    /// In the order in which they are asked.
    pub(crate) fn parents(&self) -> Vec<Arc<Parent>> {
        read(&self.state).parents.clone()
    }

    pub(crate) fn all(&self) -> Vec<Namespace> {
        let state = read(&self.state);
        let entries = state.by_name.values();
        entries.map(|entry| entry.namespace.clone()).collect()
    }

    /// The first of the parents that accepts a name.
    pub(crate) async fn find_parent(
        &self,
        parents: Vec<Arc<Parent>>,
        name: &str,
        auth: Option<&str>,
    ) -> Option<Arc<Parent>> {
        for parent in parents {
            let accepts = match &parent.predicate {
                Predicate::Now(accepts) => self.call(|| accepts(name)),
                Predicate::Later(accepts) => match self.call(|| accepts(name, auth)) {
                    Some(answer) => CatchUnwind(answer)
                        .await
                        .map_err(|_| self.report_panic())
                        .ok(),
                    None => None,
                },
            };
            if accepts == Some(true) {
                return Some(parent);
            }
        }
        None
    }

    fn announce(&self, namespace: &Namespace, hooks: &[Hook]) {
        tracing::debug!(namespace = namespace.name(), "namespace made");
        self.call(|| namespace.adapter(false).init());
        for hook in hooks {
            self.call(|| hook(namespace));
        }
    }

    /// Calls what is the user's. A panic stays there.
    fn call<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        catch_unwind(AssertUnwindSafe(f))
            .map_err(|_| self.report_panic())
            .ok()
    }

    fn report_panic(&self) {
        count(&self.counters.handler_panics);
        tracing::error!("predicate or hook of namespaces panicked");
    }
}

impl State {
    /// Adds a namespace, and tells who wants to know of it.
    fn add(&mut self, new: &Namespace, parent: Option<&Arc<Parent>>, origin: Origin) -> Vec<Hook> {
        if let Some(parent) = parent {
            parent.namespace.adopt(new);
        }
        let entry = Entry {
            namespace: new.clone(),
            parent: parent.cloned(),
            origin,
        };
        self.by_name.insert(new.room().clone(), entry);
        self.hooks.clone()
    }
}

impl Entry {
    fn enter(&self) -> Namespace {
        if let Origin::Client(clients) = &self.origin {
            clients.fetch_add(1, Ordering::Relaxed);
        }
        self.namespace.clone()
    }
}

impl Predicate {
    pub(crate) fn later<T, F, R>(predicate: F) -> Self
    where
        T: DeserializeOwned,
        F: FnOnce(String, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        Self::Later(Box::new(move |name, auth| match parse_auth(auth) {
            Ok(auth) => Box::pin(predicate.clone()(name.to_owned(), auth)),
            Err(_) => Box::pin(std::future::ready(false)),
        }))
    }
}
