//! Strings of JavaScript that are no Unicode, such as text that was cut in the middle of an emoji.
//!
//! `JSON.stringify` writes half a surrogate pair as an escape, and no string of ours can hold what it stands for.

use std::borrow::Cow;

/// The JSON with the replacement character for each half of a surrogate pair that stands alone: what JavaScript makes
/// of it, too, as soon as the text becomes bytes.
pub(crate) fn mend(json: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        let start = at + found;
        // Whatever else is escaped, the next character is part of it: another backslash, for instance.
        let after = json[start + 1..].chars().next().map_or(0, char::len_utf8);
        at = start + 1 + after;
        let Some(unit) = escaped_unit(json, start) else {
            continue;
        };
        at = start + ESCAPE_LEN;
        match unit {
            0xd800..0xdc00 if matches!(escaped_unit(json, at), Some(0xdc00..0xe000)) => {
                at += ESCAPE_LEN;
            }
            0xd800..0xe000 => {
                mended.push_str(&json[copied..start]);
                mended.push_str("\\ufffd");
                copied = at;
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[copied..]);
    Cow::Owned(mended)
}

/// The number in the escape that begins there, `\u` and four digits, if one does.
fn escaped_unit(json: &str, start: usize) -> Option<u16> {
    let digits = json.get(start..start + ESCAPE_LEN)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

const ESCAPE_LEN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_that_stand_alone_are_replaced() {
        for (json, mended) in [
            (r#""\ud800""#, r#""\ufffd""#),
            (r#""a\udc00b""#, r#""a\ufffdb""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\udc00\ud800""#, r#""\ufffd\ufffd""#),
            (r#""\uD800x\\\uDFFF""#, r#""\ufffdx\\\ufffd""#),
        ] {
            assert_eq!(mend(json), mended);
        }
    }

    #[test]
    fn everything_else_stays() {
        for json in [
            r#""\ud83d\ude00""#,
            r#""\\ud800""#,
            r#""\u00e9\n\"""#,
            r#"["é"]"#,
            r#""\ud8"#,
            r#""\é\u"#,
            "\\",
        ] {
            assert!(matches!(mend(json), Cow::Borrowed(same) if same == json));
        }
    }
}
