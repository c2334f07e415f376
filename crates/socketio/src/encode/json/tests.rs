//! Everything is written as serde_json writes it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn assert_alike(value: &(impl Serialize + ?Sized)) {
    let mut json = Vec::new();
    let written = write(&mut json, value).map_err(|error| error.to_string());
    let expected = serde_json::to_string(value).map_err(|error| error.to_string());
    let json = String::from_utf8(json).unwrap();
    assert_eq!(written.map(|()| json), expected);
}

struct Raw;

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&[1, 2, 255])
    }
}

struct Shown;

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("a{}\n", 1))
    }
}

#[derive(Serialize)]
struct Unit;
#[derive(Serialize)]
struct New(String);
#[derive(Serialize)]
struct Pair(String, u8);
#[derive(Serialize)]
enum Kind {
    Unit,
    New(String),
    Pair(String, u8),
    Fields { text: String },
}
#[derive(Serialize)]
struct All {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<u8>,
    some: Option<&'static str>,
    nothing: Option<u8>,
    kinds: Vec<Kind>,
    map: BTreeMap<u8, &'static str>,
    names: BTreeMap<String, (char, f64, f32, i128)>,
}

#[test]
fn everything_is_written_as_serde_json_does() {
    let text = || "quote \" and\u{1f}more\u{7f}".to_owned();
    let kinds = vec![
        Kind::Unit,
        Kind::New(text()),
        Kind::Pair(text(), 1),
        Kind::Fields { text: text() },
    ];
    assert_alike(&All {
        text: text(),
        skipped: None,
        some: Some("\\"),
        nothing: None,
        kinds,
        map: BTreeMap::from([(1, "one\t")]),
        names: BTreeMap::from([(text(), ('"', 0.1, f32::NAN, i128::MIN))]),
    });
    assert_alike(&(Raw, Shown, Unit, New(text()), Pair(text(), 2), true, ()));
    assert_alike(&[i64::MIN, i64::MAX]);
    assert_alike(&serde_json::json!({"a": ["b\n", null, 1.5, {"c": "d"}]}));
    assert_alike(&BTreeMap::from([((1, 2), 3)]));
}

#[test]
fn each_byte_is_escaped_as_serde_json_does_wherever_it_stands() {
    for byte in '\0'..='\u{ff}' {
        for before in [0, 1, 15, 16, 17, 40] {
            assert_alike(&format!("{}{byte}{byte}after", "x".repeat(before)));
        }
    }
}

proptest! {
    #[test]
    fn strings_are_written_as_serde_json_does(text in any::<String>()) {
        assert_alike(&text);
    }
}
