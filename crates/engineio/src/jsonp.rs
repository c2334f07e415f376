//! `Jsonp`: long-polling for pages whose browser knows no CORS. A body comes as a script that calls the page, and what the
//! page sends comes as a form.

use std::borrow::Cow;

use bytes::Bytes;

use crate::error::DecodeError;

/// The number of the page's callback, from the parameter `j` of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jsonp(u64);

impl Jsonp {
    /// The digits in the value of `j`; as in the reference whatever else there is means nothing, so that nothing of a
    /// peer's gets into the script. `None` if there are no digits, or too many to be a number.
    pub fn parse(value: &str) -> Option<Self> {
        let digits: String = value.chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok().map(Self)
    }

    /// A body as the script that hands it to the page.
    pub fn wrap(self, body: &[u8]) -> Bytes {
        let text = String::from_utf8_lossy(body);
        let json = serde_json::to_string(&text).expect("a string is valid JSON");
        let mut script = format!("___eio[{}](", self.0);
        // In JSON they may stand within a string, and in the scripts of old browsers they end the line.
        for line in json.split_inclusive(['\u{2028}', '\u{2029}']) {
            if let Some(line) = line.strip_suffix('\u{2028}') {
                script.push_str(line);
                script.push_str("\\u2028");
            } else if let Some(line) = line.strip_suffix('\u{2029}') {
                script.push_str(line);
                script.push_str("\\u2029");
            } else {
                script.push_str(line);
            }
        }
        script.push_str(");");
        script.into()
    }
}

/// The body that came in a form, as its only field `d`.
///
/// Browsers change the line breaks in a form, so the clients send them escaped: a line break as `\n`, and what was `\n`
/// before as `\\n`.
pub fn unwrap(form: &[u8]) -> Result<Bytes, DecodeError> {
    let mut fields = form_urlencoded::parse(form).filter(|(key, _)| key == "d");
    match (fields.next(), fields.next()) {
        (Some((_, value)), None) => Ok(unescape(&value).into_owned().into()),
        _ => Err(DecodeError::InvalidForm),
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains("\\n") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escaped) = rest.split_at(at);
        out.push_str(before);
        let (replacement, length) = if escaped.starts_with("\\\\n") {
            ("\\n", 3)
        } else if escaped.starts_with("\\n") {
            ("\n", 2)
        } else {
            ("\\", 1)
        };
        out.push_str(replacement);
        rest = &escaped[length..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_an_index_only_digits_count() {
        for (value, expected) in [
            ("0", Some(0)),
            ("12", Some(12)),
            ("007", Some(7)),
            ("1];alert(1);___eio[2", Some(112)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("x", None),
            ("\u{0663}", None),
        ] {
            assert_eq!(Jsonp::parse(value), expected.map(Jsonp), "{value}");
        }
    }

    #[test]
    fn a_body_is_a_script_with_one_string() {
        for (body, expected) in [
            ("6", r#"___eio[3]("6");"#),
            ("4a\x1e4b", r#"___eio[3]("4a\u001e4b");"#),
            (
                "4\"\\\n\r\t\u{8}\u{c}\0é😀",
                r#"___eio[3]("4\"\\\n\r\t\b\f\u0000é😀");"#,
            ),
            (
                "4</script>\u{2028}\u{2029}",
                r#"___eio[3]("4</script>\u2028\u2029");"#,
            ),
        ] {
            assert_eq!(Jsonp(3).wrap(body.as_bytes()), expected);
        }
    }

    #[test]
    fn a_form_has_one_field_d() {
        let invalid = Err(DecodeError::InvalidForm);
        for (form, expected) in [
            ("d=4a", Ok("4a")),
            ("d=4a%1E4b+c%2Bd", Ok("4a\u{1e}4b c+d")),
            ("x=1&d=%34%C3%A9&y", Ok("4é")),
            ("d=%ff%zz", Ok("\u{fffd}%zz")),
            ("d=", Ok("")),
            ("d", Ok("")),
            ("", invalid),
            ("4a", invalid),
            ("D=4a", invalid),
            ("d=4a&d=4b", invalid),
        ] {
            let expected = expected.map(|text| Bytes::from_static(text.as_bytes()));
            assert_eq!(unwrap(form.as_bytes()), expected, "{form}");
        }
    }

    #[test]
    fn line_breaks_come_escaped() {
        for (escaped, expected) in [
            ("4a\\nb", "4a\nb"),
            ("4a\\\\nb", "4a\\nb"),
            ("4a\\\\\\nb", "4a\\\\nb"),
            ("4a\\b\\\\t\\", "4a\\b\\\\t\\"),
            ("\\n\\n\\\\n\\n", "\n\n\\n\n"),
        ] {
            assert_eq!(unescape(escaped), expected, "{escaped}");
        }
    }

    /// The naive way, which is that of the reference: two passes, and in the first a backslash before it protects.
    fn unescape_in_two_passes(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut first = String::new();
        let mut at = 0;
        while at < chars.len() {
            match chars[at..] {
                ['\\', '\\', 'n', ..] => {
                    first.push_str("\\\\n");
                    at += 3;
                }
                ['\\', 'n', ..] => {
                    first.push('\n');
                    at += 2;
                }
                [char, ..] => {
                    first.push(char);
                    at += 1;
                }
                [] => {}
            }
        }
        first.replace("\\\\n", "\\n")
    }

    proptest! {
        #[test]
        fn unescapes_as_the_naive_way_does(text in "[\\\\na\n]{0,12}") {
            prop_assert_eq!(unescape(&text), unescape_in_two_passes(&text));
        }

        #[test]
        fn what_a_script_holds_is_the_body(body in "(.|[\u{2028}\u{2029}]){0,20}") {
            let script = Jsonp(0).wrap(body.as_bytes());
            let script = std::str::from_utf8(&script).unwrap();
            let json = script.strip_prefix("___eio[0](").unwrap().strip_suffix(");").unwrap();
            let breaks_the_line = json.contains(['\u{2028}', '\u{2029}', '\n']);
            prop_assert!(!breaks_the_line);
            prop_assert_eq!(serde_json::from_str::<String>(json).unwrap(), body);
        }
    }
}
