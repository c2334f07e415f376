//! Requests and responses of HTTP/1.1, as much as long-polling and the switch to WebSocket need.

use super::{WireError, websocket};

/// A response that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Response<'a> {
    pub status: u16,
    /// The status line and the headers.
    pub head: &'a [u8],
    pub body: &'a [u8],
}

/// Appends the request that asks for what a session has to say, or for a new one if `sid` is empty.
pub fn get(out: &mut Vec<u8>, sid: &str) {
    request_line(out, "GET", "polling", sid);
    out.extend_from_slice(b"\r\n\r\n");
}

/// Appends the request that brings packets.
pub fn post(out: &mut Vec<u8>, sid: &str, body: &[u8]) {
    request_line(out, "POST", "polling", sid);
    let length = body.len();
    out.extend_from_slice(
        format!("\r\nContent-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n")
            .as_bytes(),
    );
    out.extend_from_slice(body);
}

/// Appends the request to speak WebSocket from here on.
pub fn switch(out: &mut Vec<u8>, sid: &str) {
    request_line(out, "GET", "websocket", sid);
    out.extend_from_slice(
        format!(
            "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
            websocket::KEY
        )
        .as_bytes(),
    );
}

fn request_line(out: &mut Vec<u8>, method: &str, transport: &str, sid: &str) {
    let (and, sid) = if sid.is_empty() {
        ("", "")
    } else {
        ("&sid=", sid)
    };
    out.extend_from_slice(
        format!(
            "{method} /socket.io/?EIO=4&transport={transport}{and}{sid} HTTP/1.1\r\nHost: 127.0.0.1"
        )
        .as_bytes(),
    );
}

/// Takes the first response, and says how many bytes it had; nothing if it is not whole yet.
pub fn read(input: &[u8]) -> Result<Option<(Response<'_>, usize)>, WireError> {
    let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let (head, start) = (&input[..end], end + 4);
    let status = std::str::from_utf8(head.get(9..12).unwrap_or_default())
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or(WireError::Response)?;
    let length = match (header(head, "content-length"), status) {
        (Some(value), _) => value.parse().map_err(|_| WireError::Response)?,
        (None, 101 | 204) => 0,
        (None, _) => return Err(WireError::Response),
    };
    let end = start + length;
    Ok(input.get(start..end).map(|body| {
        let response = Response { status, head, body };
        (response, end)
    }))
}

/// The value of a header, whose name is given in lower case.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    std::str::from_utf8(head)
        .ok()?
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\ncontent-length: 2\r\n\r\nokHTTP";

    #[test]
    fn a_response_ends_where_its_length_says() {
        let whole = RESPONSE.len() - 4;
        for cut in 0..whole {
            assert_eq!(read(&RESPONSE[..cut]), Ok(None), "cut at {cut}");
        }
        let (response, used) = read(RESPONSE).expect("sound").expect("whole");
        assert_eq!((response.status, response.body), (200, &b"ok"[..]));
        assert_eq!(used, whole);
        assert_eq!(header(response.head, "content-type"), Some("text/html"));
    }

    #[test]
    fn a_response_without_a_length_is_an_error_and_a_switch_needs_none() {
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n"), Err(WireError::Response));
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81";
        let (response, used) = read(switch).expect("sound").expect("whole");
        assert_eq!((response.status, used), (101, switch.len() - 1));
    }

    #[test]
    fn requests_name_the_session_and_their_length() {
        let mut out = Vec::new();
        post(&mut out, "abc", b"40");
        let request = String::from_utf8(out).expect("text");
        assert!(
            request.starts_with("POST /socket.io/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\n")
        );
        assert!(request.ends_with("Content-Length: 2\r\n\r\n40"));
    }
}
