//! What the generator says and reads on the wire, by itself: no library's parser is measured along.

pub mod http;
pub mod payload;
pub mod websocket;

/// Bytes that no server may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("a response without an end that could be told")]
    Response,
    #[error("a frame that is masked, fragmented or compressed")]
    Frame,
}
