//! WebSocket: the 101 reply, and the one future in which bytes meet the socket.

mod driver;
mod progress;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use self::{driver::Driver, progress::Progress};
use super::{
    Engine, Handler, Link, now,
    service::{Body, plain},
};
use crate::{
    config::Config,
    error::CloseReason,
    handshake::{HandshakeError, Transport},
    session::{WebSocketId, Wire},
};

type Stream = WebSocketStream<Progress<TokioIo<Upgraded>>>;

/// Whether the request asks to become a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket")
}

/// A handshake by WebSocket: the session is made when the connection has changed over.
pub(super) fn open<H: Handler, B>(
    engine: Arc<Engine<H>>,
    request: Request<B>,
) -> Result<Response<Body>, HandshakeError> {
    if is_other_version(request.headers()) {
        return Ok(refuse_version());
    }
    let (response, on_upgrade, parts) = switch_protocols(request)?;
    spawn(engine.clone(), async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        let Ok(link) = engine.open_session(Transport::WebSocket, &parts) else {
            return;
        };
        drop((parts, engine));
        let id = link.drive(|session| session.websocket_id());
        run(link, id, upgraded).await;
    });
    Ok(response)
}

/// A WebSocket for a session that is on long-polling.
pub(super) fn probe<H: Handler, B>(
    link: &Arc<Link<H>>,
    request: Request<B>,
) -> Result<Response<Body>, HandshakeError> {
    if is_other_version(request.headers()) {
        return Ok(refuse_version());
    }
    let (response, on_upgrade, _parts) = switch_protocols(request)?;
    let id = link
        .drive(|session| session.open_probe(now()))
        .map_err(|_| HandshakeError::BadRequest)?;
    let link = link.clone();
    spawn(link.engine().clone(), async move {
        match on_upgrade.await {
            Ok(upgraded) => run(link, id, upgraded).await,
            Err(_) => {
                link.drive(|session| {
                    session.transport_closed(Wire::WebSocket(id), CloseReason::TransportClose)
                });
            }
        }
    });
    Ok(response)
}

/// Owned by the engine, whose `close` waits for it; it ends with its connection.
fn spawn<H: Handler>(engine: Arc<Engine<H>>, task: impl Future<Output = ()> + Send + 'static) {
    let counted = Counted::new(engine);
    tokio::spawn(async move {
        let _counted = counted;
        task.await;
    });
}

struct Counted<H: Handler>(Arc<Engine<H>>);

impl<H: Handler> Counted<H> {
    fn new(engine: Arc<Engine<H>>) -> Self {
        engine
            .websockets
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(engine)
    }
}

impl<H: Handler> Drop for Counted<H> {
    fn drop(&mut self) {
        self.0
            .websockets
            .fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        self.0.notify_if_closing();
    }
}

async fn run<H: Handler>(link: Arc<Link<H>>, id: WebSocketId, upgraded: Upgraded) {
    let config = websocket_config(link.engine().config());
    let stream = Progress::new(TokioIo::new(upgraded));
    let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    Driver::run(link, id, stream).await;
}

fn websocket_config(config: &Config) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(config.ws_read_buffer)
        .write_buffer_size(config.ws_write_buffer)
        .max_message_size(Some(config.max_payload))
        .max_frame_size(Some(config.max_payload))
}

/// RFC 6455, section 4.4.
fn is_other_version(headers: &HeaderMap) -> bool {
    headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
}

fn refuse_version() -> Response<Body> {
    let mut response = plain(
        StatusCode::UPGRADE_REQUIRED,
        "unsupported websocket version",
    );
    let headers = response.headers_mut();
    headers.insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static("13"),
    );
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// RFC 6455, section 4.2: checks the client's opening handshake and makes the answer.
fn switch_protocols<B>(
    mut request: Request<B>,
) -> Result<(Response<Body>, OnUpgrade, http::request::Parts), HandshakeError> {
    let headers = request.headers();
    if !is_upgrade(headers) || request.method() != Method::GET {
        return Err(HandshakeError::BadRequest);
    }
    let key = headers
        .get(header::SEC_WEBSOCKET_KEY)
        .filter(|key| is_nonce(key))
        .ok_or(HandshakeError::BadRequest)?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|_| HandshakeError::BadRequest)?;
    let on_upgrade = hyper::upgrade::on(&mut request);
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok((response, on_upgrade, request.into_parts().0))
}

/// 16 bytes in base64.
fn is_nonce(key: &HeaderValue) -> bool {
    let key = key.as_bytes();
    key.len() == 24
        && data_encoding::BASE64
            .decode(key)
            .is_ok_and(|nonce| nonce.len() == 16)
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    let has = |value: &HeaderValue| {
        let mut tokens = value.as_bytes().split(|byte| *byte == b',');
        tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    };
    headers.get_all(name).iter().any(has)
}
