//! What is said: texts that follow from the seed and begin with the key of their message.

use crate::rng::Rng;

/// Pieces that JSON, UTF-8 and polling payloads have to carry unharmed.
const PIECES: [&str; 12] = [
    "plain words ",
    "\"quoted\"",
    "back\\slash",
    "line\nbreak",
    "\u{1e}separator",
    "\u{0}zero",
    "ümlaut ",
    "\u{2028}",
    "漢字",
    "🦀🌊",
    "42[\"chat message\",\"x\"]",
    "</script>",
];

/// The content of a message.
pub fn content_of(seed: u64, key: &str) -> String {
    let mut rng = Rng::of(seed, key);
    let length = match rng.within(0..100) {
        0 => rng.size(2_000..7_900),
        1..10 => rng.size(200..2_000),
        _ => rng.size(0..120),
    };
    let mut content = format!("{key} ");
    while content.len() < length {
        content.push_str(rng.pick(&PIECES));
    }
    content
}

/// The key a content begins with.
pub fn key_of(content: &str) -> &str {
    content.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_follows_from_seed_and_key_and_begins_with_the_key() {
        for n in 0..500 {
            let key = format!("w1-{n}");
            let content = content_of(9, &key);
            assert_eq!(content, content_of(9, &key));
            assert_eq!(key_of(&content), key);
            assert!(content.len() <= 8_192, "{}", content.len());
        }
        assert_ne!(content_of(9, "w1-1"), content_of(10, "w1-1"));
    }
}
