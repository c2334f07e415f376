//! `Hooks`: what the application may decide about requests, before there is a session.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{Request, request::Parts};

use super::refusal::Refusal;

/// Functions of the application that are called for requests. None by default.
///
/// ```
/// use engineio::server::Hooks;
///
/// let hooks = Hooks::default().allow_request(async |request| {
///     match request.headers.get("x-api-key") {
///         Some(key) if key == "secret" => Ok(()),
///         _ => Err("no such key".to_owned()),
///     }
/// });
/// # drop(hooks);
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    allow_request: Option<Arc<AllowRequest>>,
}

type AllowRequest = dyn Fn(Parts) -> Allowed + Send + Sync;
type Allowed = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

impl Hooks {
    /// Asks before each handshake whether the client is welcome, and refuses it with code 4 and the message of the
    /// error, or `Forbidden` if that is empty: by status 403, and a WebSocket by status 400, as the reference does. Later
    /// requests of a session are not asked for. A client that leaves meanwhile drops the future.
    #[must_use]
    pub fn allow_request<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.allow_request = Some(Arc::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Gives the request back if it is welcome.
    pub(super) async fn check<B>(&self, request: Request<B>) -> Result<Request<B>, Refusal> {
        let Some(hook) = &self.allow_request else {
            return Ok(request);
        };
        let (parts, body) = request.into_parts();
        hook(parts.clone()).await.map_err(Refusal::Policy)?;
        Ok(Request::from_parts(parts, body))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("allow_request", &self.allow_request.is_some())
            .finish()
    }
}
