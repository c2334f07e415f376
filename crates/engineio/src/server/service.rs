//! `Service`: classifies a request of the server's path and answers it, or says why not.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;

use super::{
    Engine, Handler, Link, cors, files,
    new_sid::NewSid,
    polling::{self, Asked},
    refusal::{BadRequest, Refusal},
    websocket,
};
use crate::{
    config::Config,
    dialect::{Dialect, Protocol},
    handshake::{HandshakeError, Query, Transport},
    jsonp::Jsonp,
};

/// The body of our responses.
pub type Body = Full<Bytes>;

/// An [`Engine`] as a hyper and tower service. Cloning it is cheap.
///
/// With hyper, serve connections `with_upgrades`, as WebSocket needs it. With axum, mount it by `route_service`, and
/// where there are [files](super::Hooks::static_files) also for `{*rest}` below the path; [`Layer`](super::Layer) needs
/// neither.
pub struct Service<H: Handler> {
    engine: Arc<Engine<H>>,
}

impl<H: Handler> Service<H> {
    pub(super) fn new(engine: Arc<Engine<H>>) -> Self {
        Self { engine }
    }

    /// The server behind the service.
    pub fn engine(&self) -> &Arc<Engine<H>> {
        &self.engine
    }

    fn respond<B>(&self, request: Request<B>) -> ResponseFuture
    where
        B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
    {
        if is_ours(self.engine.config(), request.uri().path()) {
            respond(&self.engine, request)
        } else {
            let answer = other_path(StatusCode::NOT_FOUND, self.engine.config());
            at_once(answer)
        }
    }
}

/// The answer to one request. It never fails: errors are responses.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<H: Handler> Clone for Service<H> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
        }
    }
}

impl<H, B> hyper::service::Service<Request<B>> for Service<H>
where
    H: Handler,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn call(&self, request: Request<B>) -> ResponseFuture {
        self.respond(request)
    }
}

impl<H, B> tower_service::Service<Request<B>> for Service<H>
where
    H: Handler,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        self.respond(request)
    }
}

/// As the reference: everything below the path, with the trailing slash if that is configured.
pub(super) fn is_ours(config: &Config, path: &str) -> bool {
    let rest = path.strip_prefix(config.path.trim_end_matches('/'));
    rest.is_some_and(|rest| !config.add_trailing_slash || rest.starts_with('/'))
}

/// What a request is for, once it has passed the checks.
enum Route<H: Handler> {
    File(files::Found),
    /// A new session.
    Open(Query),
    /// A GET of a session on long-polling.
    Receive(Arc<Link<H>>, Option<Jsonp>),
    /// A POST of such a session.
    Send(Arc<Link<H>>, Option<Jsonp>),
    /// A WebSocket for a session there is.
    Probe(Arc<Link<H>>, Dialect),
    /// Nothing that can be answered.
    Nowhere,
}

/// The answer to a request. What can be told from its head is told here, so that no future has to carry the request but
/// those that need it.
fn respond<H, B>(engine: &Arc<Engine<H>>, request: Request<B>) -> ResponseFuture
where
    H: Handler,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    let cors = engine.config.cors.as_ref();
    let mut finish = Finish {
        engine: engine.clone(),
        origin: cors.and_then(|_| request.headers().get(header::ORIGIN).cloned()),
        is_upgrade: websocket::is_upgrade(request.headers()),
        parts: None,
    };
    if let Some(cors) = cors
        && request.method() == Method::OPTIONS
    {
        let response = cors::preflight(cors, request.headers());
        return at_once(finish.add_cors(response));
    }
    let route = find_route(engine, &request, finish.is_upgrade);
    if let Ok(Route::File(file)) = route {
        // No hook is asked.
        return Box::pin(async move { Ok(finish.add_cors(file.respond().await)) });
    }
    let (request, parts) = engine.hooks.parts_of(request);
    finish.parts = parts.map(Box::new);
    match route {
        Ok(Route::Receive(link, jsonp)) => {
            let asked = Asked::by(request.headers(), &engine.config);
            Box::pin(async move {
                let answer = polling::receive(link, jsonp, asked).await;
                Ok(finish.answer(answer.map_err(Refusal::from)))
            })
        }
        Ok(Route::Send(link, jsonp)) => {
            let post = polling::Incoming::of(request);
            Box::pin(async move {
                let answer = polling::send(link, jsonp, post).await;
                Ok(finish.answer(answer.map_err(Refusal::from)))
            })
        }
        Ok(Route::Probe(link, dialect)) => Box::pin(async move {
            let answer = websocket::probe(&link, dialect, request);
            Ok(finish.answer(answer.map_err(Refusal::from)))
        }),
        Ok(Route::Open(query)) => Box::pin(async move {
            let answer = open(finish.engine.clone(), query, request).await;
            Ok(finish.answer(answer))
        }),
        Ok(Route::File(_) | Route::Nowhere) => {
            at_once(finish.answer(Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, ""))))
        }
        Err(refusal) => at_once(finish.answer(Err(refusal))),
    }
}

fn at_once(response: Response<Body>) -> ResponseFuture {
    Box::pin(std::future::ready(Ok(response)))
}

/// What is done with each answer before it leaves.
struct Finish<H: Handler> {
    engine: Arc<Engine<H>>,
    /// Kept if there are rules for other origins.
    origin: Option<HeaderValue>,
    is_upgrade: bool,
    /// The request, if a hook wants to see it.
    parts: Option<Box<Parts>>,
}

impl<H: Handler> Finish<H> {
    /// Tells the hooks, and makes a response of a refusal.
    fn answer(self, answer: Result<Response<Body>, Refusal>) -> Response<Body> {
        let hooks = &self.engine.hooks;
        let response = match (answer, &self.parts) {
            (Ok(mut response), Some(parts)) => {
                let query = Query::parse(parts.uri.query().unwrap_or(""), self.engine.config());
                let is_handshake = query.is_ok_and(|query| query.sid.is_none());
                hooks.change_headers(is_handshake, parts, &mut response);
                response
            }
            (Ok(response), None) => response,
            (Err(refusal), parts) => {
                if let Some(parts) = parts {
                    hooks.report(&refusal, parts);
                }
                refusal.response(self.is_upgrade)
            }
        };
        self.add_cors(response)
    }

    fn add_cors(&self, mut response: Response<Body>) -> Response<Body> {
        if let Some(cors) = &self.engine.config.cors {
            cors::add_headers(cors, self.origin.as_ref(), response.headers_mut());
        }
        response
    }
}

fn find_route<H: Handler, B>(
    engine: &Engine<H>,
    request: &Request<B>,
    is_upgrade: bool,
) -> Result<Route<H>, Refusal> {
    if let Some(file) = engine.hooks.files().find(engine.config(), request) {
        return Ok(Route::File(file));
    }
    let query = Query::parse(request.uri().query().unwrap_or(""), engine.config())?;
    if has_bad_origin(request.headers()) {
        return Err(BadRequest::InvalidOrigin.into());
    }
    // A handshake by long-polling is open to all: what it answers, CORS keeps from a foreign page, unless it is a script.
    let is_guarded = is_upgrade || query.sid.is_some() || query.jsonp.is_some();
    let lets_in = match query.jsonp {
        Some(_) => cors::lets_in_script,
        None => cors::lets_in,
    };
    if let Some(cors) = &engine.config.cors
        && is_guarded
        && !lets_in(cors, request.headers())
    {
        return Err(HandshakeError::Forbidden.into());
    }
    let Some(sid) = query.sid else {
        if request.method() != Method::GET {
            return Err(HandshakeError::BadHandshakeMethod.into());
        }
        if is_upgrade != (query.transport == Transport::WebSocket) {
            return Err(BadRequest::TransportHandshakeError.into());
        }
        return Ok(Route::Open(query));
    };
    let link = engine.session(&sid?).ok_or(HandshakeError::UnknownSid)?;
    let is_on_transport = query.transport == link.transport();
    if !is_upgrade && !is_on_transport {
        return Err(BadRequest::TransportMismatch.into());
    }
    if query.dialect.protocol != link.protocol() {
        return Err(BadRequest::ProtocolMismatch.into());
    }
    match (query.transport, request.method()) {
        (Transport::WebSocket, _) => Ok(Route::Probe(link, query.dialect)),
        (Transport::Polling, _) if is_upgrade => Err(HandshakeError::BadRequest.into()),
        (Transport::Polling, &Method::GET) => Ok(Route::Receive(link, query.jsonp)),
        (Transport::Polling, &Method::POST) => Ok(Route::Send(link, query.jsonp)),
        (Transport::Polling, _) => Ok(Route::Nowhere),
    }
}

/// A handshake.
async fn open<H, B>(
    engine: Arc<Engine<H>>,
    query: Query,
    request: Request<B>,
) -> Result<Response<Body>, Refusal>
where
    H: Handler,
    B: http_body::Body<Data: Send, Error: Send> + Send + 'static,
{
    engine.check_capacity()?;
    let request = engine.hooks.check(request).await?;
    if query.dialect.protocol == Protocol::V3 && !engine.config.allow_eio3 {
        return Err(HandshakeError::UnsupportedProtocolVersion.into());
    }
    let (request, new) = NewSid::make(&engine, request).await?;
    Ok(match query.transport {
        Transport::WebSocket => websocket::open(engine, new, query.dialect, request)?,
        Transport::Polling => polling::open(&engine, new, &query, request).await?,
    })
}

/// A header value may hold bytes that are no text, which the reference refuses in an origin.
fn has_bad_origin(headers: &http::HeaderMap) -> bool {
    headers
        .get(header::ORIGIN)
        .is_some_and(|origin| origin.to_str().is_err())
}

/// The answer to a request of another path. It names the server's own, which may not be the one that its clients use.
pub(super) fn other_path(status: StatusCode, config: &Config) -> Response<Body> {
    let slash = if config.add_trailing_slash { "/" } else { "" };
    let path = config.path.trim_end_matches('/');
    plain(
        status,
        format!("the path of this server is {path}{slash}\n"),
    )
}

pub(super) fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(text.into()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_matched_with_its_slash_only_if_so_configured() {
        let config = Config::default();
        for (path, expected) in [
            ("/engine.io/", true),
            ("/engine.io/x", true),
            ("/engine.io", false),
            ("/", false),
        ] {
            assert_eq!(is_ours(&config, path), expected, "{path}");
        }
        let config = Config {
            add_trailing_slash: false,
            path: "/engine.io/".to_owned(),
            ..config
        };
        for (path, expected) in [
            ("/engine.io/", true),
            ("/engine.io", true),
            ("/engine", false),
        ] {
            assert_eq!(is_ours(&config, path), expected, "{path}");
        }
    }
}
