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
    fn any_text_is_checked_without_panic(text in r#"["\\{}\[\],:a0 é]{0,20}"#) {
        let _ = check_placeholders(&text, 1);
    }
}
