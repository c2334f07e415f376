//! WebSocket: the opening handshake, the 101 reply, and the task that the connection then gets.

mod driver;
mod other;
mod socket;
mod subprotocol;
mod task;
mod whole;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use self::{
    driver::Driver,
    socket::{Limits, Socket},
    task::{Counted, Task},
};
use super::{
    Engine, Handler, Link,
    new_sid::NewSid,
    now,
    service::{Body, plain},
};
use crate::{
    dialect::Dialect,
    error::CloseReason,
    handshake::{HandshakeError, Transport},
    session::{WebSocketId, Wire},
};

type Stream = TokioIo<Upgraded>;

/// Whether the request asks to become a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, header::CONNECTION, "upgrade")
        && has_token(headers, header::UPGRADE, "websocket")
}

/// A handshake by WebSocket: the session is made when the connection has changed over.
pub(super) fn open<H: Handler, B>(
    engine: Arc<Engine<H>>,
    new: NewSid<H>,
    dialect: Dialect,
    request: Request<B>,
) -> Result<Response<Body>, HandshakeError> {
    if is_other_version(request.headers()) {
        return Ok(refuse_version());
    }
    let (response, on_upgrade, parts) = switch_protocols(request)?;
    let counted = Counted::new(engine.clone());
    // Ends with the change of protocols, after which the connection has a task of its own, without the request.
    tokio::spawn(async move {
        let Ok(upgraded) = on_upgrade.await else {
            return;
        };
        if let Ok(link) = engine.open_session(&new, Transport::WebSocket, dialect, &parts) {
            drop(new);
            let id = link.drive(|session| session.websocket_id());
            carry(link, id, dialect, upgraded, counted);
        }
    });
    Ok(response)
}

/// A WebSocket for a session that is on long-polling.
pub(super) fn probe<H: Handler, B>(
    link: &Arc<Link<H>>,
    dialect: Dialect,
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
    let counted = Counted::new(link.engine().clone());
    // As above.
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => carry(link, id, dialect, upgraded, counted),
            Err(_) => {
                link.drive(|session| {
                    session.transport_closed(Wire::WebSocket(id), CloseReason::TransportClose)
                });
            }
        }
    });
    Ok(response)
}

/// Gives the connection its task, which ends with it.
fn carry<H: Handler>(
    link: Arc<Link<H>>,
    id: WebSocketId,
    dialect: Dialect,
    upgraded: Upgraded,
    counted: Counted<H>,
) {
    let limits = Limits::new(link.engine().config());
    let socket = Socket::new(TokioIo::new(upgraded), limits);
    tokio::spawn(Task::new(Driver::new(link, id, dialect, socket), counted));
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
    let subprotocol = subprotocol::choose(headers).map_err(|_| HandshakeError::BadRequest)?;
    let on_upgrade = hyper::upgrade::on(&mut request);
    let mut response = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
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
