//! `Mismatches`: for which events it was said aloud that their arguments do not fit, so that it is said once.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use super::{lock, namespace::Namespace};
use crate::rooms::Room;

/// Handlers whose arguments did not fit, by namespace and event.
#[derive(Default)]
pub(crate) struct Mismatches {
    /// Guards what was warned of. Held for one look-up; nothing is called under it.
    warned: Mutex<HashSet<(Option<Room>, Arc<str>)>>,
}

impl Mismatches {
    /// A handler of this event, registered by the program, was skipped.
    ///
    /// The first time is worth a warning, since the program and its client disagree. No text of a client is in it: clients
    /// name the namespaces that they bring about, so those count as one and without their name.
    pub(crate) fn report(&self, namespace: &Namespace, event: &Arc<str>) {
        let name = (!namespace.is_child()).then(|| namespace.room().clone());
        let namespace = name.clone().unwrap_or_else(|| "(dynamic)".into());
        let mut warned = lock(&self.warned);
        let is_new = warned.len() < MAX_WARNED && warned.insert((name, event.clone()));
        drop(warned);
        if is_new {
            tracing::warn!(
                event = &**event,
                namespace = &*namespace,
                "handler skipped, as the arguments do not fit its type: the reason is at level trace, and the next times \
                 are at debug"
            );
        } else {
            tracing::debug!(
                event = &**event,
                namespace = &*namespace,
                "handler skipped, as the arguments do not fit its type"
            );
        }
    }
}

/// A program may have events named by what comes; it has heard enough then.
const MAX_WARNED: usize = 1_000;
