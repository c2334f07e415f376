//! Events between servers: what one server of a cluster tells the others, without any client.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    adapter::BoxFuture,
    handler::{CatchUnwind, HandlerFuture, Outcome},
    lock,
};
use crate::{
    Args,
    args::ArgsRef,
    encode::Draft,
    error::{ArgsError, EncodeError},
};

/// An event from another server: how to answer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServerEvent {
    name: Arc<str>,
    answer: Arc<Answer>,
}

#[derive(Debug, Default)]
struct Answer {
    is_given: AtomicBool,
    /// Guards the answer, until it is sent.
    args: Mutex<Option<Args>>,
}

impl ServerEvent {
    /// The event's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Answers. Only the first answer of a server counts; if none was asked for, it is thrown away.
    ///
    /// # Errors
    ///
    /// If the arguments cannot be serialized.
    pub fn ack(&self, args: impl Serialize) -> Result<(), EncodeError> {
        let args = Draft::ack(&args)?.to_args();
        if !self.answer.is_given.swap(true, Ordering::Relaxed) {
            *lock(&self.answer.args) = Some(args);
        }
        Ok(())
    }
}

type Handler =
    Arc<dyn Fn(ServerEvent, ArgsRef<'_>) -> Result<HandlerFuture, ArgsError> + Send + Sync>;

/// The handlers of one namespace for events of other servers.
#[derive(Default)]
pub(crate) struct ServerSide {
    /// Guards which handlers there are, by the event's name. They are cloned to be called.
    handlers: Mutex<Vec<(Arc<str>, Handler)>>,
}

impl ServerSide {
    pub(crate) fn on<T, F, R>(&self, event: &str, handler: F)
    where
        T: DeserializeOwned,
        F: FnOnce(ServerEvent, T) -> R + Clone + Send + Sync + 'static,
        R: Future<Output: Outcome> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |event, args| {
            let args = args.parse()?;
            let running = handler.clone()(event, args);
            Ok(Box::pin(async move { running.await.error() }))
        });
        lock(&self.handlers).push((event.into(), handler));
    }

    /// Runs the handlers of an event side by side, and ends with the answer that one of them has given.
    pub(crate) fn deliver(&self, event: &str, args: Args) -> BoxFuture<Option<Args>> {
        let event = ServerEvent {
            name: event.into(),
            answer: Arc::default(),
        };
        let handlers = lock(&self.handlers).clone();
        let of_event = handlers.into_iter().filter(|(name, _)| *name == event.name);
        let handlers: Vec<_> = of_event.map(|(_, handler)| handler).collect();
        Box::pin(async move {
            let running = handlers
                .into_iter()
                .map(|handler| run(handler, event.clone(), args.clone()));
            join_all(running).await;
            lock(&event.answer.args).take()
        })
    }
}

/// Neither an error nor a panic of a handler leaves it.
fn run(handler: Handler, event: ServerEvent, args: Args) -> BoxFuture<()> {
    let name = event.name.clone();
    Box::pin(async move {
        let handler: HandlerFuture = Box::pin(async move {
            match handler(event, args.borrow()) {
                Ok(running) => running.await,
                Err(error) => Some(error.to_string()),
            }
        });
        match CatchUnwind(handler).await {
            Ok(None) => {}
            Ok(Some(error)) => tracing::warn!(event = &*name, error, "handler failed"),
            Err(_) => tracing::error!(event = &*name, "handler panicked"),
        }
    })
}
