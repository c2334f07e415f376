//! `Refusal`: why a request is refused, and the response that says so.

use http::{HeaderValue, Response, StatusCode, header};

use super::service::Body;
use crate::handshake::HandshakeError;

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// By the protocol.
    Handshake(HandshakeError),
    /// By the application, with its message.
    Policy(String),
}

impl From<HandshakeError> for Refusal {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl Refusal {
    pub(super) fn code(&self) -> u8 {
        self.error().code()
    }

    /// The official message, or the application's.
    pub(super) fn message(&self) -> String {
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
