//! `Head`: what a packet begins with, put together on the stack.

/// What stands before the data, but for the namespace. Written from its end, as the digits of numbers are.
pub(super) struct Head {
    bytes: [u8; LONGEST_HEAD],
    start: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST_HEAD],
            start: LONGEST_HEAD,
        }
    }
}

impl Head {
    /// Puts characters before what there is.
    pub(super) fn put<const LEN: usize>(&mut self, text: [u8; LEN]) {
        for byte in text.into_iter().rev() {
            self.put_byte(byte);
        }
    }

    pub(super) fn put_number(&mut self, mut number: u64) {
        loop {
            self.put_byte(b'0' + (number % 10) as u8);
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }

    /// What does not fit is cut, which the length rules out.
    fn put_byte(&mut self, byte: u8) {
        if let Some(start) = self.start.checked_sub(1) {
            self.bytes[start] = byte;
            self.start = start;
        }
    }

    pub(super) fn len(&self) -> usize {
        LONGEST_HEAD - self.start
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Two characters, and two numbers with one between them.
const LONGEST_HEAD: usize = 2 + 20 + 1 + 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_head_fits() {
        let mut head = Head::default();
        head.put_number(u64::MAX);
        head.put(*b"-");
        head.put_number(u64::MAX);
        head.put(*b"45");
        let expected = format!("45{}-{}", u64::MAX, u64::MAX);
        assert_eq!(head.as_bytes(), expected.as_bytes());
        assert_eq!(head.len(), LONGEST_HEAD);
    }
}
