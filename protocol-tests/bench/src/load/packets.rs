//! The packets of the scenarios, byte for byte.

use std::io::Write;

/// Text of at least that many bytes that says whose it is and which.
pub fn text(out: &mut Vec<u8>, owner: usize, number: u64, length: usize) {
    let start = out.len();
    write(out, format_args!("{owner}:{number}:"));
    let missing = (start + length).saturating_sub(out.len());
    out.extend(std::iter::repeat_n(b'x', missing));
}

/// Appends what is formatted.
pub fn write(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("a Vec takes all bytes");
}

/// The number that a text begins with, and what follows.
pub fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    let value = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_whose_it_is_and_has_its_length() {
        let mut out = b"before ".to_vec();
        text(&mut out, 3, 17, 10);
        assert_eq!(out, b"before 3:17:xxxxx");
    }

    #[test]
    fn a_number_ends_where_its_digits_do() {
        assert_eq!(number(b"12[3]"), Some((12, &b"[3]"[..])));
        assert_eq!(number(b"[3]"), None);
        assert_eq!(number(b"99999999999999999999"), None);
    }
}
