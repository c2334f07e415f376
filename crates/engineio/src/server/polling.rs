//! Long-polling: a GET is a future that parks in the link, a POST is a body read within limits and driven packet
//! by packet.

use std::{
    future::{Future, poll_fn},
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;

use super::{
    Engine, Handler, Link,
    compression::Encoding,
    new_sid::NewSid,
    now,
    service::{Body, plain},
};
use crate::{
    config::Config,
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
    let asked = Asked::by(&parts.headers, &engine.config);
    drop(parts);
    let mut response = park(link, query.jsonp, asked).await;
    if let Some(Ok(cookie)) = cookie.map(HeaderValue::try_from) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// What the headers of a request ask of its answer.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    /// How the body may be compressed, if it may be at all.
    encoding: Option<Encoding>,
    is_old_ie: bool,
}

impl Asked {
    pub(super) fn by(headers: &HeaderMap, config: &Config) -> Self {
        let compression = config.http_compression.as_ref();
        Self {
            encoding: compression.and_then(|_| Encoding::negotiate(headers)),
            is_old_ie: is_old_ie(headers),
        }
    }
}

/// A GET: answered when there is something to send.
pub(super) async fn receive<H: Handler>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    asked: Asked,
) -> Result<Response<Body>, HandshakeError> {
    if let Err(refused) = link.drive(|session| session.open_poll()) {
        return refuse(refused);
    }
    Ok(park(link, jsonp, asked).await)
}

async fn park<H: Handler>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    asked: Asked,
) -> Response<Body> {
    let Payload { body, is_binary } = LongPoll {
        link: link.clone(),
        jsonp,
        is_answered: false,
    }
    .await;
    let compression = link.engine().config().http_compression;
    let is_long = compression.is_some_and(|compression| body.len() >= compression.threshold);
    let compressed = match asked.encoding {
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
        return respond(body, content_type, asked.is_old_ie);
    };
    let mut response = respond(compressed, content_type, asked.is_old_ie);
    let encoding = HeaderValue::from_static(encoding.as_str());
    response
        .headers_mut()
        .insert(header::CONTENT_ENCODING, encoding);
    response
}

/// As much of a POST as matters.
pub(super) struct Incoming<B> {
    body: B,
    is_encoded: bool,
    is_binary: bool,
    is_old_ie: bool,
}

impl<B> Incoming<B> {
    pub(super) fn of(request: Request<B>) -> Self {
        let headers = request.headers();
        let encoding = headers.get(header::CONTENT_ENCODING);
        let content_type = headers.get(header::CONTENT_TYPE);
        Self {
            is_encoded: encoding.is_some_and(|encoding| encoding != "identity"),
            is_binary: content_type.is_some_and(|kind| kind == OCTET_STREAM),
            is_old_ie: is_old_ie(headers),
            body: request.into_body(),
        }
    }
}

/// A POST: its packets are handed on in order, then it is answered with `ok`.
pub(super) async fn send<H, B>(
    link: Arc<Link<H>>,
    jsonp: Option<Jsonp>,
    incoming: Incoming<B>,
) -> Result<Response<Body>, HandshakeError>
where
    H: Handler,
    B: http_body::Body,
{
    if incoming.is_encoded {
        return Ok(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, ""));
    }
    let is_binary = incoming.is_binary;
    if let Err(refused) = link.drive(|session| session.open_post()) {
        return refuse(refused);
    }
    let post = Post {
        link: &link,
        is_answered: false,
    };
    if is_binary && link.protocol() == Protocol::V4 {
        return Ok(plain(StatusCode::BAD_REQUEST, ""));
    }
    let config = link.engine().config();
    let body = read_body(incoming.body, config.max_payload);
    let body = match within(config.body_read_timeout, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(BodyError::TooLarge)) => {
            post.answered();
            return Ok(too_large());
        }
        Ok(Err(BodyError::Aborted)) => return Ok(plain(StatusCode::BAD_REQUEST, "")),
        Err(Elapsed) => return Ok(plain(StatusCode::REQUEST_TIMEOUT, "")),
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
        incoming.is_old_ie,
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
        let is_paused = link.receive(now(), Wire::Polling, packet);
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
        let (transmit, _) = self.link.poll_transmit(Wire::Polling, context, &mut batch);
        match transmit {
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

/// Reads a body as it comes; one that is announced or found to be too large is not read to its end. One that comes in one
/// piece is not copied.
async fn read_body<B: http_body::Body>(body: B, max_payload: usize) -> Result<Bytes, BodyError> {
    if body.size_hint().lower() > max_payload as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        // Trailers mean nothing here.
        let Ok(mut data) = frame.map_err(|_| BodyError::Aborted)?.into_data() else {
            continue;
        };
        let length = data.remaining();
        if length > max_payload - first.len().max(all.len()) {
            return Err(BodyError::TooLarge);
        }
        if first.is_empty() {
            first = data.copy_to_bytes(length);
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.put(data);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The time is over.
struct Elapsed;

/// A future with a time limit, which begins when the future still waits after one more turn of its task. A body that has
/// come with its head takes just that, and so needs no timer.
async fn within<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut timer = pin!(None);
    let mut had_its_turn = false;
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if !mem::replace(&mut had_its_turn, true) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if timer.is_none() {
            timer.set(Some(tokio::time::sleep(limit)));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(context).map(|()| Err(Elapsed)),
            None => Poll::Pending,
        }
    })
    .await
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
