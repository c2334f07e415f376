//! What each type takes of the arguments, and what is refused.

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Binary, packet::Limits};

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ArgsError> {
    let packet = Packet::decode(text, &Limits::default()).unwrap();
    ArgsRef::of(&packet, &[]).parse()
}

#[derive(Debug, Deserialize, PartialEq)]
struct Note {
    title: String,
    stars: Option<u8>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Wrapper(String);

#[derive(Debug, Deserialize, PartialEq)]
struct Pair(u8, Option<u8>);

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Blue,
}

#[test]
fn each_type_takes_what_it_wants() {
    let text = r#"2["e","a",2,[3]]"#;
    assert_eq!(parse::<()>(text), Ok(()));
    assert_eq!(parse::<(String,)>(text), Ok(("a".into(),)));
    assert_eq!(parse::<(String, u8)>(text), Ok(("a".into(), 2)));
    assert_eq!(
        parse::<(String, u8, Vec<u8>)>(text),
        Ok(("a".into(), 2, vec![3]))
    );
    assert_eq!(
        parse::<Vec<Value>>(text),
        Ok(vec![json!("a"), json!(2), json!([3])])
    );
    assert_eq!(parse::<Value>(text), Ok(json!(["a", 2, [3]])));
    assert_eq!(parse::<String>(text), Ok("a".into()));
    assert_eq!(parse::<Wrapper>(text), Ok(Wrapper("a".into())));
    assert_eq!(parse::<Option<String>>(text), Ok(Some("a".into())));
    assert_eq!(parse::<Pair>(r#"2["e",1]"#), Ok(Pair(1, None)));
    assert_eq!(parse::<[u8; 2]>(r#"2["e",1,2,3]"#), Ok([1, 2]));
    assert_eq!(parse::<bool>(r#"2["e",true]"#), Ok(true));
    assert_eq!(parse::<i64>(r#"2["e",-5]"#), Ok(-5));
    assert_eq!(parse::<f64>(r#"2["e",0.5]"#), Ok(0.5));
    assert_eq!(parse::<char>(r#"2["e","x"]"#), Ok('x'));
    assert_eq!(parse::<Colour>(r#"2["e","blue"]"#), Ok(Colour::Blue));
    assert_eq!(
        parse::<HashMap<String, u8>>(r#"2["e",{"a":1}]"#),
        Ok([("a".into(), 1)].into())
    );
    let note = Note {
        title: "t".into(),
        stars: None,
    };
    assert_eq!(
        parse::<Note>(r#"2["e",{"title":"t","more":[]},1]"#),
        Ok(note)
    );
}

#[test]
fn absent_arguments_are_none() {
    assert_eq!(
        parse::<(String, Option<u8>)>(r#"2["e","a"]"#),
        Ok(("a".into(), None))
    );
    assert_eq!(
        parse::<(Option<u8>, Option<u8>)>(r#"2["e",null,1]"#),
        Ok((None, Some(1)))
    );
    assert_eq!(
        parse::<(Option<u8>, Value, ())>(r#"2["e"]"#),
        Ok((None, Value::Null, ()))
    );
    assert_eq!(parse::<Option<Note>>(r#"2["e"]"#), Ok(None));
    assert_eq!(parse::<Vec<u8>>(r#"2["e"]"#), Ok(vec![]));
    assert_eq!(parse::<Value>(r#"2["e"]"#), Ok(json!([])));
    assert!(matches!(
        parse::<(String, u8)>(r#"2["e","a"]"#),
        Err(ArgsError::Mismatch(_))
    ));
    assert!(matches!(
        parse::<String>(r#"2["e"]"#),
        Err(ArgsError::Mismatch(_))
    ));
    assert!(matches!(
        parse::<Note>(r#"2["e"]"#),
        Err(ArgsError::Mismatch(_))
    ));
}

#[test]
fn answers_have_no_name() {
    assert_eq!(parse::<(String,)>(r#"31["a"]"#), Ok(("a".into(),)));
    assert_eq!(parse::<()>("31[]"), Ok(()));
    assert_eq!(parse::<Option<u8>>("31"), Ok(None));
}

#[test]
fn a_wrong_type_is_told_from_wrong_json() {
    for text in [r#"2["e",1]"#, r#"2["e",null]"#, r#"2["e",{}]"#] {
        assert!(
            matches!(parse::<(String,)>(text), Err(ArgsError::Mismatch(_))),
            "{text}"
        );
    }
    assert!(matches!(
        parse::<(f64,)>(r#"2["e",1e999]"#),
        Err(ArgsError::Mismatch(_))
    ));
    for text in [
        r#"2["e",1"#,
        r#"2["e",]"#,
        r#"2["e",nul]"#,
        r#"2["e"]]"#,
        r#"2["e",1 2]"#,
    ] {
        assert_eq!(
            parse::<(String,)>(text),
            Err(ArgsError::Malformed),
            "{text}"
        );
        assert_eq!(parse::<()>(text), Err(ArgsError::Malformed), "{text}");
        assert_eq!(parse::<Args>(text), Err(ArgsError::Malformed), "{text}");
        let packet = Packet::decode(text, &Limits::default()).unwrap();
        assert_eq!(
            ArgsRef::of(&packet, &[]).validate(),
            Err(ArgsError::Malformed),
            "{text}"
        );
    }
}

/// A client sends this when a text is cut in the middle of an emoji.
#[test]
fn half_a_surrogate_pair_becomes_the_replacement_character() {
    let parsed: Result<(String, Value), _> =
        parse(r#"2["a","cut \ud83d",{"\udc00":"\ud83d\ude00"}]"#);
    let expected = (
        "cut \u{fffd}".to_owned(),
        serde_json::json!({"\u{fffd}": "😀"}),
    );
    assert_eq!(parsed, Ok(expected));
}

#[test]
fn binary_data_is_a_single_argument() {
    let text = r#"52-["e",{"_placeholder":true,"num":1},{"n":{"_placeholder":true,"num":0}}]"#;
    let packet = Packet::decode(text, &Limits::default()).unwrap();
    let attachments = [Bytes::from("zero"), Bytes::from("one")];
    let args = ArgsRef::of(&packet, &attachments);
    assert_eq!(args.parse::<Binary>(), Ok(Binary("one".into())));
    assert_eq!(
        args.parse::<Option<Binary>>(),
        Ok(Some(Binary("one".into())))
    );
    let nested = HashMap::from([("n".to_owned(), Binary("zero".into()))]);
    assert_eq!(
        args.parse::<(Binary, HashMap<String, Binary>)>(),
        Ok((Binary("one".into()), nested))
    );
}

#[test]
fn captured_arguments_can_be_parsed_later() {
    let text = r#"51-[ "e" , 1 ,{"_placeholder":true,"num":0}]"#;
    let packet = Packet::decode(text, &Limits::default()).unwrap();
    let args = ArgsRef::of(&packet, &[Bytes::from("data")])
        .capture()
        .unwrap();
    assert_eq!(args.json(), r#"[ 1 ,{"_placeholder":true,"num":0}]"#);
    assert_eq!(args.attachments(), [Bytes::from("data")]);
    assert_eq!(args.parse::<(u8, Binary)>(), Ok((1, Binary("data".into()))));
    assert_eq!(
        serde_json::to_value(&args).unwrap(),
        json!([1, {"_placeholder": true, "num": 0}])
    );
    for (text, json) in [
        (r#"2["e"]"#, "[]"),
        ("2[-7,1]", "[1]"),
        ("2[ 5 ]", "[]"),
        ("31[1]", "[1]"),
    ] {
        let packet = Packet::decode(text, &Limits::default()).unwrap();
        assert_eq!(
            ArgsRef::of(&packet, &[]).capture().unwrap().json(),
            json,
            "{text}"
        );
    }
}

#[test]
fn arguments_are_captured_as_a_whole_or_not_at_all() {
    assert!(matches!(
        parse::<(Args, u8)>(r#"2["e",[1],2]"#),
        Err(ArgsError::Mismatch(_))
    ));
    assert!(serde_json::from_str::<Args>("[1]").is_err());
    assert!(serde_json::from_str::<Args>("\"[1]\"").is_err());
}

/// The obvious way: a list of values, cut or filled with nulls to what the tuple needs.
fn naive<T: DeserializeOwned>(list: &[Value], len: usize) -> Option<T> {
    let mut list = list.to_vec();
    list.resize(len, Value::Null);
    serde_json::from_value(Value::Array(list)).ok()
}

proptest! {
    #[test]
    fn parsing_agrees_with_the_obvious_way(
        list in prop::collection::vec(
            prop_oneof![
                Just(Value::Null),
                any::<u8>().prop_map(Value::from),
                "[a-z]{0,3}".prop_map(Value::from),
                prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::from),
            ],
            0..5,
        ),
        has_name: bool,
    ) {
        type Types = (Option<u8>, Value, Option<String>);
        let json = Value::Array(list.clone()).to_string();
        let named = format!(r#"["name"{}{}"#, if list.is_empty() { "" } else { "," }, &json[1..]);
        let json = if has_name { &named } else { &json };
        let args = ArgsRef { json, has_name, attachments: &[] };
        prop_assert_eq!(args.parse::<Types>().ok(), naive::<Types>(&list, 3));
        prop_assert_eq!(args.parse::<Vec<Value>>(), Ok(list.clone()));
        prop_assert_eq!(args.capture().unwrap().parse::<Vec<Value>>(), Ok(list.clone()));
        prop_assert_eq!(args.parse::<(u8,)>().ok(), naive(&list, 1));
        prop_assert_eq!(args.parse::<u8>().ok(), naive::<(u8,)>(&list, 1).map(|(first,)| first));
    }
}

#[test]
fn captured_arguments_are_made_again_from_what_they_tell() {
    let attachments = vec![Bytes::from_static(b"abc")];
    let json = r#" [1,{"_placeholder":true,"num":0}]"#;
    let args = Args::from_json(json, attachments.clone()).unwrap();
    assert_eq!((args.json(), args.attachments()), (json, &*attachments));
    let (one, data): (u8, Binary) = args.parse().unwrap();
    assert_eq!((one, &*data), (1, &b"abc"[..]));
    for bad in [
        "",
        "{}",
        "1",
        "[",
        "[1] 2",
        r#"[{"_placeholder":true,"num":1}]"#,
    ] {
        assert!(Args::from_json(bad, attachments.clone()).is_err(), "{bad}");
    }
}
