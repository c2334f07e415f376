//! `Refusal`: why a request is refused, the response that says so, and what the application is told.

use http::{HeaderValue, Response, StatusCode, header, request::Parts};

use super::service::Body;
use crate::handshake::HandshakeError;

/// A request that was refused, as [`Hooks::connection_error`](super::Hooks::connection_error) is told.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectionError<'a> {
    /// The request.
    pub request: &'a Parts,
    /// The official code.
    pub code: u8,
    /// The message that the client gets: the official one, or that of `allow_request`.
    pub message: String,
    /// What was wrong with a bad request (code 3), if it is one that has a name. About the other codes the request says all.
    pub context: Option<BadRequest>,
}

/// The bad requests that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRequest {
    /// The `Origin` is no text.
    InvalidOrigin,
    /// The session is on another transport.
    TransportMismatch,
    /// The session speaks another version of the protocol.
    ProtocolMismatch,
    /// [`Hooks::generate_id`](super::Hooks::generate_id) has failed, or made an id that is none or that another session
    /// has.
    IdGenerationError,
    /// A handshake that asks for a WebSocket in its query and not in its headers, or the other way round.
    TransportHandshakeError,
}

impl BadRequest {
    /// The official name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidOrigin => "INVALID_ORIGIN",
            Self::TransportMismatch => "TRANSPORT_MISMATCH",
            Self::ProtocolMismatch => "PROTOCOL_MISMATCH",
            Self::IdGenerationError => "ID_GENERATION_ERROR",
            Self::TransportHandshakeError => "TRANSPORT_HANDSHAKE_ERROR",
        }
    }
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// By the protocol.
    Handshake(HandshakeError),
    /// As a bad request that has a name.
    BadRequest(BadRequest),
    /// By the application, with its message.
    Policy(String),
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<BadRequest> for Refusal {
    fn from(context: BadRequest) -> Self {
        Self::BadRequest(context)
    }
}

impl Refusal {
    /// What the application is told.
    pub(super) fn report<'a>(&self, request: &'a Parts) -> ConnectionError<'a> {
        ConnectionError {
            request,
            code: self.code(),
            message: self.message(),
            context: match self {
                Self::BadRequest(context) => Some(*context),
                Self::Handshake(_) | Self::Policy(_) => None,
            },
        }
    }

    fn code(&self) -> u8 {
        self.error().code()
    }

    /// The official message, or the application's.
    fn message(&self) -> String {
        match self {
            Self::Policy(message) if !message.is_empty() => message.clone(),
            _ => self.error().to_string(),
        }
    }

    /// The response. A WebSocket gets the bare message, and its connection is closed.
    pub(super) fn response(&self, is_upgrade: bool) -> Response<Body> {
        let message = self.message();
        let (body, content_type) = if is_upgrade {
            (message, "text/html")
        } else {
            let body = serde_json::json!({ "code": self.code(), "message": message });
            (body.to_string(), "application/json")
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = match self {
            Self::Policy(_) if is_upgrade => StatusCode::BAD_REQUEST,
            _ => StatusCode::from_u16(self.error().status()).unwrap_or(StatusCode::BAD_REQUEST),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if is_upgrade {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.error() == HandshakeError::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }

    fn error(&self) -> HandshakeError {
        match self {
            Self::Handshake(error) => *error,
            Self::BadRequest(_) => HandshakeError::BadRequest,
            Self::Policy(_) => HandshakeError::Forbidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applications_message_is_quoted() {
        let refusal = Refusal::Policy("not \"you\"\n".to_owned());
        let response = refusal.response(false);
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!((refusal.code(), &*refusal.message()), (4, "not \"you\"\n"));
    }

    #[test]
    fn a_policy_refuses_a_websocket_with_400_and_an_origin_with_403() {
        let policy = Refusal::Policy(String::new());
        assert_eq!(policy.message(), "Forbidden");
        assert_eq!(policy.response(true).status(), 400);
        let origin = Refusal::from(HandshakeError::Forbidden);
        assert_eq!(origin.response(true).status(), 403);
        assert_eq!(origin.response(true).headers()["connection"], "close");
    }
}
