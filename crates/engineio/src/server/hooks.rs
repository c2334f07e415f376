//! `Hooks`: what the application may decide about requests, before there is a session.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::{HeaderMap, Request, Response, StatusCode, request::Parts};

use super::{
    files::StaticFiles,
    refusal::{BadRequest, ConnectionError, Refusal},
    service::Body,
};
use crate::{session::Event, sid::Sid};

/// What the application has to say about requests: functions that are called for them, and files. None by default.
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
    generate_id: Option<Arc<GenerateId>>,
    initial_headers: Option<Arc<AddHeaders>>,
    headers: Option<Arc<AddHeaders>>,
    connection_error: Option<Arc<Report>>,
    session_event: Option<Arc<Watch>>,
    static_files: StaticFiles,
}

type AllowRequest = dyn Fn(Parts) -> Allowed + Send + Sync;
type GenerateId = dyn Fn(Parts) -> Generated + Send + Sync;
type AddHeaders = dyn Fn(&mut HeaderMap, &Parts) + Send + Sync;
type Report = dyn Fn(&ConnectionError<'_>) + Send + Sync;
type Allowed = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Watch = dyn Fn(&Sid, &Event) + Send + Sync;
type Generated = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

impl Hooks {
    /// Asks before each handshake whether the client is welcome, and refuses it with code 4 and the message of the
    /// error, or `Forbidden` if that is empty: by status 403, and a WebSocket by status 400, as the reference does. Later
    /// requests of a session are not asked for. A client that leaves meanwhile drops the future; otherwise it may take as
    /// long as it likes, so whatever it waits for should have a time limit.
    #[must_use]
    pub fn allow_request<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.allow_request = Some(Arc::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Makes the ids of sessions, in place of 20 random characters: of 1 to 128 letters, digits and `-._~`. Ids are secrets,
    /// since whoever knows one can speak for its client; and they must differ, also from those of the other servers that
    /// a load balancer knows.
    ///
    /// A handshake is refused with code 3, and [`connection_error`](Self::connection_error) told
    /// [`BadRequest::IdGenerationError`](super::BadRequest::IdGenerationError), if this ends in an error, which is logged,
    /// if what it makes is no such id, or if a session has it already. As to time see
    /// [`allow_request`](Self::allow_request), which comes first.
    ///
    /// ```
    /// use engineio::server::Hooks;
    /// # fn uuid() -> String { "9c5b94b1-35ad-49bb-b118-8e8fc24abf80".to_owned() }
    ///
    /// let hooks = Hooks::default().generate_id(async |_request| Ok(uuid()));
    /// # drop(hooks);
    /// ```
    #[must_use]
    pub fn generate_id<F, A>(mut self, hook: F) -> Self
    where
        F: Fn(Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.generate_id = Some(Arc::new(move |request| Box::pin(hook(request))));
        self
    }

    /// Is handed the headers of the first response of each session, which it may change: that of the handshake, also if
    /// it changes to WebSocket. Refusals are none.
    #[must_use]
    pub fn initial_headers(
        mut self,
        hook: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.initial_headers = Some(Arc::new(hook));
        self
    }

    /// Is handed the headers of every response of a session, which it may change: those of the handshake, after
    /// [`initial_headers`](Self::initial_headers), of each poll and each POST, and of the upgrade. Refusals are none.
    #[must_use]
    pub fn headers(
        mut self,
        hook: impl Fn(&mut HeaderMap, &Parts) + Send + Sync + 'static,
    ) -> Self {
        self.headers = Some(Arc::new(hook));
        self
    }

    /// Is told of each request that is refused with a code, of a handshake or of a session.
    #[must_use]
    pub fn connection_error(
        mut self,
        hook: impl Fn(&ConnectionError<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.connection_error = Some(Arc::new(hook));
        self
    }

    /// Is told what happens on each session: its packets in both directions, when it writes and has written all, the steps
    /// of its upgrade, and its end, with what was still queued. One by one and in order, before the
    /// [`Handler`](super::Handler) is told what of it concerns that, and like it without a lock. Sessions of servers without
    /// this hook do nothing for it.
    ///
    /// ```
    /// use engineio::{server::Hooks, session::Event};
    ///
    /// let hooks = Hooks::default().session_event(|sid, event| match event {
    ///     Event::Packet(packet) => println!("{sid} has sent {packet:?}"),
    ///     Event::Upgraded => println!("{sid} goes on by WebSocket"),
    ///     Event::Closed { reason, dropped } => println!("{sid}: {reason}, {dropped} packets lost"),
    ///     _ => {}
    /// });
    /// # drop(hooks);
    /// ```
    #[must_use]
    pub fn session_event(mut self, hook: impl Fn(&Sid, &Event) + Send + Sync + 'static) -> Self {
        self.session_event = Some(Arc::new(hook));
        self
    }

    /// The hook for what happens on sessions.
    pub(super) fn on_session_event(&self) -> Option<&Watch> {
        self.session_event.as_deref()
    }

    /// Serves files below the server's path. Requests for them are for no session, and no other hook is asked.
    #[must_use]
    pub fn static_files(mut self, files: StaticFiles) -> Self {
        self.static_files = files;
        self
    }

    /// The files.
    pub(super) fn files(&self) -> &StaticFiles {
        &self.static_files
    }

    /// Tells the application of a refused request.
    pub(super) fn report(&self, refusal: &Refusal, request: &Parts) {
        if let Some(hook) = &self.connection_error {
            hook(&refusal.report(request));
        }
    }

    /// What the hooks that come after the answer will want of a request, if there are any.
    pub(super) fn parts_of<B>(&self, request: Request<B>) -> (Request<B>, Option<Parts>) {
        let has_headers = self.initial_headers.is_some() || self.headers.is_some();
        if !has_headers && self.connection_error.is_none() {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        (Request::from_parts(parts.clone(), body), Some(parts))
    }

    /// Lets the hooks change the response to a request.
    pub(super) fn change_headers(
        &self,
        is_handshake: bool,
        request: &Parts,
        response: &mut Response<Body>,
    ) {
        if !matches!(
            response.status(),
            StatusCode::OK | StatusCode::SWITCHING_PROTOCOLS
        ) {
            return;
        }
        let initial = self.initial_headers.iter().filter(|_| is_handshake);
        for hook in initial.chain(&self.headers) {
            hook(response.headers_mut(), request);
        }
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

/// What concerns the ids of sessions.
impl Hooks {
    /// The id that the application makes for a request, if it makes them.
    pub(super) async fn generate_sid<B>(
        &self,
        request: Request<B>,
    ) -> Result<(Request<B>, Option<Sid>), Refusal> {
        let Some(hook) = &self.generate_id else {
            return Ok((request, None));
        };
        let (parts, body) = request.into_parts();
        let generated = hook(parts.clone()).await;
        let sid = generated.and_then(|text| {
            let invalid = |_| "not 1 to 128 letters, digits and -._~".to_owned();
            text.parse().map_err(invalid)
        });
        let sid = sid.map_err(|error| {
            tracing::warn!(%error, "no id was generated for a session");
            Refusal::from(BadRequest::IdGenerationError)
        })?;
        Ok((Request::from_parts(parts, body), Some(sid)))
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("allow_request", &self.allow_request.is_some())
            .field("generate_id", &self.generate_id.is_some())
            .field("initial_headers", &self.initial_headers.is_some())
            .field("headers", &self.headers.is_some())
            .field("connection_error", &self.connection_error.is_some())
            .field("session_event", &self.session_event.is_some())
            .field("static_files", &self.static_files)
            .finish()
    }
}
