//! Binary values at any depth, there and back, and placeholders that lie.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn placeholder(num: usize) -> String {
    format!(r#"{{"_placeholder":true,"num":{num}}}"#)
}

#[test]
fn elsewhere_binary_data_is_a_list_of_numbers() {
    let json = serde_json::to_string(&Binary(Bytes::from_static(&[1, 2]))).unwrap();
    assert_eq!(json, "[1,2]");
    assert_eq!(
        serde_json::from_str::<Binary>(&json).unwrap(),
        Binary(Bytes::from_static(&[1, 2]))
    );
}

#[test]
fn a_placeholder_finds_its_attachment_at_any_depth() {
    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Part {
        Text(String),
        Data { data: Binary },
    }
    let attachments = [Bytes::from("zero"), Bytes::from("one")];
    let json = format!(
        r#"["t",{{"data":{}}},{{"data":{}}}]"#,
        placeholder(1),
        placeholder(1)
    );
    let parts: Vec<Part> = provide(&attachments, || serde_json::from_str(&json)).unwrap();
    let one = || Part::Data {
        data: Binary(Bytes::from("one")),
    };
    assert_eq!(parts, [Part::Text("t".into()), one(), one()]);
}

#[test]
fn a_placeholder_without_attachment_is_no_binary_data() {
    let read = |json: &str| {
        provide(&[Bytes::new()], || serde_json::from_str::<Binary>(json)).map_err(|_| ())
    };
    assert_eq!(read(&placeholder(0)), Ok(Binary(Bytes::new())));
    assert_eq!(read(&placeholder(1)), Err(()));
    assert_eq!(read(r#"{"_placeholder":false,"num":0}"#), Err(()));
    assert_eq!(read(r#"{"num":0}"#), Err(()));
    assert_eq!(read(r#""text""#), Err(()));
    assert_eq!(
        serde_json::from_str::<Binary>(&placeholder(0)).map_err(|_| ()),
        Err(())
    );
}

#[test]
fn attachments_are_forgotten_afterwards_also_after_a_panic() {
    let attachments = [Bytes::from("secret")];
    let panicked = std::panic::catch_unwind(|| provide(&attachments, || panic!("by test")));
    assert!(panicked.is_err());
    assert_eq!(provided(), [] as [Bytes; 0]);

    let panicked = std::panic::catch_unwind(|| collect(|| panic!("by test")));
    assert!(panicked.is_err());
    assert_eq!(serde_json::to_string(&Binary::default()).unwrap(), "[]");
}

/// The obvious check: a `Value`, walked.
fn naive(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(list) => list.iter().all(|item| naive(item, attachments)),
        Value::Object(map) => {
            let is_placeholder = map.get("_placeholder") == Some(&Value::Bool(true));
            let num = map.get("num").and_then(Value::as_u64);
            let valid = num.is_some_and(|num| num < attachments as u64);
            (!is_placeholder || valid) && map.values().all(|item| naive(item, attachments))
        }
        _ => true,
    }
}

fn json_with_placeholders() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Bool(true)),
        Just(Value::Null),
        (-1..4_i64).prop_map(Value::from),
        Just(Value::from("0")),
        r#"["\\{},:\[\]é ]{0,5}"#.prop_map(Value::from),
    ];
    let key = prop_oneof![
        4 => Just("_placeholder".to_owned()),
        4 => Just("num".to_owned()),
        1 => r#"["\\{},:a]{0,4}"#,
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A placeholder, or what has some of its letters: in a string, with more keys or blanks, escaped, or broken.
fn item_like_a_placeholder() -> impl Strategy<Value = String> {
    let placeholders = (0..4_usize).prop_map(placeholder);
    let fields = prop::sample::select(vec![
        r#""_placeholder":true"#,
        r#""_placeholder":false"#,
        r#""_placeholder": true"#,
        r#""\u005fplaceholder":true"#,
        r#""num":0"#,
        r#""num":01"#,
        r#""num":1 "#,
        r#""num":1.0"#,
        r#""num":7"#,
        r#""num":99999999999999999999"#,
        r#""snake_case":{"_placeholder":true,"num":1}"#,
        r#""a":"\"{""#,
    ]);
    let objects = prop::collection::vec(fields, 0..4);
    let pieces = prop::sample::select(vec![
        "_placeholder",
        "_",
        "\"",
        "{\"",
        "\":true,\"num\":0}",
        "}",
        "\\",
        " ",
        "é",
        "[",
        "0",
    ]);
    let pieces = prop::collection::vec(pieces, 1..6).prop_map(|pieces| pieces.concat());
    prop_oneof![
        4 => placeholders,
        3 => objects.prop_map(|fields| format!("{{{}}}", fields.join(","))),
        1 => pieces.clone(),
        2 => pieces.prop_map(|text| format!("\"{text}\"")),
    ]
}

proptest! {
    #[test]
    fn checking_agrees_with_the_obvious_check(
        value in json_with_placeholders(),
        attachments in 0..4_usize,
        pretty: bool,
    ) {
        let json = if pretty {
            serde_json::to_string_pretty(&value).unwrap()
        } else {
            value.to_string()
        };
        let expected =
            if naive(&value, attachments) { Ok(()) } else { Err(DecodeError::InvalidPlaceholder) };
        prop_assert_eq!(check_placeholders(&json, attachments), expected);
    }

    #[test]
    fn a_glance_at_plain_placeholders_agrees_with_the_tokens(
        items in prop::collection::vec(item_like_a_placeholder(), 1..5),
        is_list: bool,
    ) {
        let items = items.join(",");
        let json = if is_list { format!("[{items}]") } else { items };
        let expected = if args::is_json(&json) {
            check_tokens(&json, 2)
        } else {
            Err(DecodeError::InvalidPayload)
        };
        prop_assert_eq!(check_placeholders(&json, 2), expected, "{}", json);
    }

    #[test]
    fn any_text_is_checked_without_panic(text in r#"["\\{}\[\],:a0 é]{0,20}"#) {
        let _ = check_placeholders(&text, 1);
    }
}
