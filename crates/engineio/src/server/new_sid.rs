//! `NewSid`: the id of a session that is about to open: random, or made by the application and reserved until then.

use std::{mem, sync::Arc};

use http::Request;

use super::{
    Engine, Handler, lock,
    refusal::{BadRequest, Refusal},
};
use crate::sid::Sid;

/// An id that no other session has or gets. It is free again if it is dropped without a session.
pub(super) struct NewSid<H: Handler> {
    sid: Sid,
    /// The engine where the id is reserved, unless it is random.
    reserved_at: Option<Arc<Engine<H>>>,
}

impl<H: Handler> NewSid<H> {
    /// Makes an id for the session that this request wants, and gives the request back.
    pub(super) async fn make<B>(
        engine: &Arc<Engine<H>>,
        request: Request<B>,
    ) -> Result<(Request<B>, Self), Refusal> {
        let (request, own) = engine.hooks.generate_sid(request).await?;
        let new = match own {
            Some(sid) => Self::reserve(engine, sid)?,
            None => Self::random()?,
        };
        Ok((request, new))
    }

    /// The id. It stays reserved until this is dropped, when the session must be in the registry.
    pub(super) fn sid(&self) -> Sid {
        self.sid.clone()
    }

    pub(super) fn random() -> Result<Self, Refusal> {
        let mut random = [0; 15];
        if let Err(error) = getrandom::fill(&mut random) {
            tracing::error!(%error, "no source of randomness");
            return Err(BadRequest::IdGenerationError.into());
        }
        Ok(Self {
            sid: Sid::from_random(random),
            reserved_at: None,
        })
    }

    fn reserve(engine: &Arc<Engine<H>>, sid: Sid) -> Result<Self, Refusal> {
        // Whoever has reserved an id gives it back only when its session is in the registry.
        let mut reserved = lock(&engine.reserved);
        if engine.session(&sid).is_some() || !reserved.insert(sid.clone()) {
            tracing::warn!("an id was generated that another session has");
            return Err(BadRequest::IdGenerationError.into());
        }
        Ok(Self {
            sid,
            reserved_at: Some(engine.clone()),
        })
    }
}

impl<H: Handler> Drop for NewSid<H> {
    fn drop(&mut self) {
        if let Some(engine) = self.reserved_at.take() {
            let mut reserved = lock(&engine.reserved);
            reserved.remove(&self.sid);
            if reserved.is_empty() {
                // What a rush of handshakes took is not kept.
                drop(mem::take(&mut *reserved));
            }
        }
    }
}
