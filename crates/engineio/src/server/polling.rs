//! Long-polling: a GET is a future that parks in the link, a POST is a body read within limits and driven packet
//! by packet.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};

use super::{
    Engine, Handler, Link,
    compression::Encoding,
    new_sid::NewSid,
    service::{Body, plain},
};
use crate::{
    dialect::{Dialect, Protocol},
    error::{CloseDetail, DecodeError},
    handshake::{HandshakeError, Query, Transport},
    jsonp::{self, Jsonp},
    packet::{Frame, Packet},
    payload::{self, v3::Payload},
    session::{RequestRefused, Transmit, Wire},
};

/// After so many packets of one body, others get their turn.
const PACKETS_PER_TURN: usize = 128;

/// The type of a binary body, which only protocol 3 has.
const OCTET_STREAM: &str = "application/octet-stream";

/// The handshake: makes a session and answers with its open packet, and the cookie if there is one.
pub(super) async fn open<H: Handler, B>(
    engine: &Arc<Engine<H>>,
    new: NewSid<H>,
    query: &Query,
    request: Request<B>,
) -> Result<Response<Body>, HandshakeError> {
    let (parts, _body) = request.into_parts();
    let link = engine.open_session(&new, Transport::Polling, query.dialect, &parts)?;
    drop(new);
    let cookie = engine.config.cookie.as_ref();
    let cookie = cookie.map(|cookie| cookie.header(link.sid()));
    let mut response = park(link, query.jsonp, &parts.headers).await;
    if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// A GET: answered when there is something to send.
pub(super) async fn receive<H: Handler>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    headers: &HeaderMap,
) -> Result<Response<Body>, HandshakeError> {
    if let Err(refused) = link.drive(|session| session.open_poll()) {
        return refuse(refused);
    }
    Ok(park(link, jsonp, headers).await)
}

async fn park<H: Handler>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    headers: &HeaderMap,
) -> Response<Body> {
    let is_old_ie = is_old_ie(headers);
    let compression = link.engine().config().http_compression;
    let encoding = compression.and_then(|_| Encoding::negotiate(headers));
    let Payload { body, is_binary } = LongPoll {
        link: link.clone(),
        jsonp,
        is_answered: false,
    }
    .await;
    let is_long = compression.is_some_and(|compression| body.len() >= compression.threshold);
    let compressed = match encoding {
        Some(encoding) if is_long && link.is_batch_compressed() => {
            encoding.compress(body.clone()).await.zip(Some(encoding))
        }
        _ => None,
    };
    let content_type = if is_binary {
        OCTET_STREAM
    } else {
        "text/plain; charset=UTF-8"
    };
    let Some((compressed, encoding)) = compressed else {
        return respond(body, content_type, is_old_ie);
    };
    let mut response = respond(compressed, content_type, is_old_ie);
    let encoding = HeaderValue::from_static(encoding.as_str());
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, encoding);
    response
}

/// A POST: its packets are handed on in order, then it is answered with `ok`.
pub(super) async fn send<H, B>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    request: Request<B>,
) -> Result<Response<Body>, HandshakeError>
where
    H: Handler,
    B: http_body::Body,
{
    let (parts, body) = request.into_parts();
    if parts
        .headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        return Ok(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, ""));
    }
    if let Err(refused) = link.drive(|session| session.open_post()) {
        return refuse(refused);
    }
    let post = Post {
        link: &link,
        is_answered: false,
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let is_binary = content_type.is_some_and(|kind| kind == OCTET_STREAM);
    if is_binary && link.protocol() == Protocol::V4 {
        return Ok(plain(StatusCode::BAD_REQUEST, ""));
    }
    let config = link.engine().config();
    let body = match tokio::time::timeout(
        config.body_read_timeout,
        read_body(body, config.max_payload),
    )
    .await
    {
        Ok(Ok(body)) => body,
        Ok(Err(BodyError::TooLarge)) => {
            post.answered();
            return Ok(too_large());
        }
        Ok(Err(BodyError::Aborted)) => return Ok(plain(StatusCode::BAD_REQUEST, "")),
        Err(_elapsed) => return Ok(plain(StatusCode::REQUEST_TIMEOUT, "")),
    };
    let most = config.max_packets_per_payload;
    let body = match jsonp {
        Some(_) => jsonp::unwrap(&body),
        None => Ok(body),
    };
    let delivered = match (body, link.protocol()) {
        (Ok(body), Protocol::V4) => deliver(&link, payload::decode(body, most)).await,
        (Ok(body), Protocol::V3) => {
            let is_binary = is_binary && jsonp.is_none();
            deliver(&link, payload::v3::decode(body, is_binary, most)).await
        }
        (Err(error), _) => deliver(&link, std::iter::once(Err(error))).await,
    };
    if delivered.is_err() {
        return Ok(plain(StatusCode::BAD_REQUEST, ""));
    }
    post.answered();
    Ok(respond(
        Bytes::from_static(b"ok"),
        "text/html",
        is_old_ie(&parts.headers),
    ))
}

/// There were more packets in a body than are taken.
struct TooManyPackets;

/// Hands the packets of a body to the session, one by one.
async fn deliver<H: Handler>(
    link: &Arc<Link<H>>,
    packets: impl Iterator<Item = Result<Packet, DecodeError>>,
) -> Result<(), TooManyPackets> {
    // What is paused may be meant for the very first packet.
    link.reading().await;
    for (count, packet) in packets.enumerate() {
        if count % PACKETS_PER_TURN == PACKETS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        let has_too_many = matches!(packet, Err(DecodeError::TooManyPackets));
        let is_paused = link.receive(Wire::Polling, packet);
        if has_too_many {
            return Err(TooManyPackets);
        }
        if is_paused {
            link.reading().await;
        }
    }
    Ok(())
}

/// A parked GET. If it is dropped before its answer, its connection was lost.
struct LongPoll<H: Handler> {
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    is_answered: bool,
}

impl<H: Handler> Future for LongPoll<H> {
    type Output = Payload;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Payload> {
        let mut batch = Vec::new();
        match self.link.poll_transmit(Wire::Polling, context, &mut batch) {
            Transmit::Idle => Poll::Pending,
            Transmit::Frames | Transmit::Close => {
                self.is_answered = true;
                Poll::Ready(encode(&batch, self.link.dialect(), self.jsonp))
            }
        }
    }
}

/// The body that the client expects.
fn encode(batch: &[Frame], dialect: Dialect, jsonp: Option<Jsonp>) -> Payload {
    let mut payload = match dialect.protocol {
        Protocol::V4 => Payload {
            body: payload::encode(batch),
            is_binary: false,
        },
        // A script holds text only.
        Protocol::V3 => payload::v3::encode(batch, dialect.base64 || jsonp.is_some()),
    };
    if let Some(jsonp) = jsonp {
        payload.body = jsonp.wrap(&payload.body);
    }
    payload
}

impl<H: Handler> Drop for LongPoll<H> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.link.drive(|session| session.abort_poll());
        }
    }
}

/// A POST in flight. If it ends without a regular answer, part of what the client has sent is lost, and with it
/// the session.
struct Post<'a, H: Handler> {
    link: &'a Arc<Link<H>>,
    is_answered: bool,
}

impl<H: Handler> Post<'_, H> {
    fn answered(mut self) {
        self.is_answered = true;
    }
}

impl<H: Handler> Drop for Post<'_, H> {
    fn drop(&mut self) {
        let is_answered = self.is_answered;
        self.link.drive(|session| {
            session.close_post();
            if !is_answered {
                session.transport_failed(Wire::Polling, CloseDetail::FailedPost);
            }
        });
    }
}

enum BodyError {
    TooLarge,
    Aborted,
}

/// Reads a body as it comes; one that is announced or found to be too large is not read to its end.
async fn read_body<B: http_body::Body>(body: B, max_payload: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > max_payload as u64 {
        return Err(BodyError::TooLarge);
    }
    let body = std::pin::pin!(body);
    match Limited::new(Erased(body), max_payload).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(BodyError::TooLarge),
        Err(_aborted) => Err(BodyError::Aborted),
    }
}

/// A body whose error says no more than that there was one, whatever its type.
struct Erased<'a, B>(Pin<&'a mut B>);

#[derive(Debug, thiserror::Error)]
#[error("body was aborted")]
struct Aborted;

impl<B: http_body::Body> http_body::Body for Erased<'_, B> {
    type Data = B::Data;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<B::Data>, Aborted>>> {
        self.0.as_mut().poll_frame(context).map_err(|_| Aborted)
    }
}

fn refuse(refused: RequestRefused) -> Result<Response<Body>, HandshakeError> {
    match refused {
        RequestRefused::Closed => Err(HandshakeError::UnknownSid),
        RequestRefused::Mismatch => Err(HandshakeError::BadRequest),
        RequestRefused::Overlap => Ok(plain(StatusCode::BAD_REQUEST, "")),
    }
}

fn respond(body: Bytes, content_type: &'static str, is_old_ie: bool) -> Response<Body> {
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_old_ie {
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    }
    response
}

/// The rest of the body is not wanted, so the connection cannot be used again.
fn too_large() -> Response<Body> {
    let mut response = plain(StatusCode::PAYLOAD_TOO_LARGE, "");
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Old browsers of one maker warn of what they take for an attack, as the reference knows.
fn is_old_ie(headers: &HeaderMap) -> bool {
    let agent = headers
        .get(header::USER_AGENT)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let contains = |needle: &[u8]| agent.windows(needle.len()).any(|window| window == needle);
    contains(b";MSIE") || contains(b"Trident/")
}
