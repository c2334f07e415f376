//! Payloads of long-polling: packets with a character between them.

/// Adds a packet, in parts, to a payload.
pub fn append(payload: &mut Vec<u8>, parts: &[&[u8]]) {
    if !payload.is_empty() {
        payload.push(SEPARATOR);
    }
    for part in parts {
        payload.extend_from_slice(part);
    }
}

/// The packets of a payload.
pub fn packets(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    payload.split(|byte| *byte == SEPARATOR)
}

const SEPARATOR: u8 = 0x1e;
