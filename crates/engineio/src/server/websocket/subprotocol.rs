//! Which of the subprotocols that a client offers is spoken: the first one, as a browser gives up without an answer.
//!
//! See RFC 6455, section 4.2.2. What a subprotocol means is between the application and its clients.

use http::{HeaderMap, HeaderValue, header};

/// The header names no list of tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The subprotocol to answer with, if any was offered.
pub(super) fn choose(headers: &HeaderMap) -> Result<Option<HeaderValue>, Malformed> {
    let mut first = None;
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for offer in line.as_bytes().split(|byte| *byte == b',') {
            let offer = offer.trim_ascii();
            if offer.is_empty() || !offer.iter().copied().all(is_token_byte) {
                return Err(Malformed);
            }
            first = first.or(Some(offer));
        }
    }
    first
        .map(|offer| HeaderValue::from_bytes(offer).map_err(|_| Malformed))
        .transpose()
}

/// RFC 9110, section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_of(lines: &[&'static [u8]]) -> Result<Option<HeaderValue>, Malformed> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line).unwrap();
            headers.append(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
        choose(&headers)
    }

    #[test]
    fn the_first_offer_is_chosen() {
        for (lines, chosen) in [
            (&[&b"chat"[..]][..], "chat"),
            (&[b"v2.chat , v1.chat"], "v2.chat"),
            (&[b"a", b"b"], "a"),
        ] {
            let expected = HeaderValue::from_static(chosen);
            assert_eq!(choose_of(lines), Ok(Some(expected)), "{lines:?}");
        }
        assert_eq!(choose_of(&[]), Ok(None));
    }

    #[test]
    fn what_is_no_list_of_tokens_is_malformed() {
        for line in [&b""[..], b",", b"a,", b",a", b"a b", b"a,\"b\"", b"\xe9"] {
            assert_eq!(choose_of(&[line]), Err(Malformed), "{line:?}");
        }
    }
}
