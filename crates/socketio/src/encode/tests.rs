//! The exact bytes of each packet, and that they decode to what was encoded.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    Args, Binary,
    args::ArgsRef,
    error::ConnectError,
    packet::{Limits, Packet},
};

fn text(frames: &Frames) -> &str {
    let [Frame::Text(bytes), ..] = frames.as_slice() else {
        panic!("no text in {frames:?}")
    };
    str::from_utf8(bytes).unwrap()
}

fn event<A: Serialize>(args: A) -> String {
    text(&Draft::event("e", &args).unwrap().frames("/", None)).to_owned()
}

#[derive(Serialize)]
struct Point {
    x: i32,
}

#[derive(Serialize)]
struct Unit;

#[test]
fn sequences_are_spread_and_the_rest_is_one_argument() {
    assert_eq!(event(()), r#"42["e"]"#);
    assert_eq!(event(Unit), r#"42["e"]"#);
    assert_eq!(event((1, "two")), r#"42["e",1,"two"]"#);
    assert_eq!(event([1, 2]), r#"42["e",1,2]"#);
    assert_eq!(event(Vec::<u8>::new()), r#"42["e"]"#);
    assert_eq!(event((vec![1, 2],)), r#"42["e",[1,2]]"#);
    assert_eq!(event(([0; 0],)), r#"42["e",[]]"#);
    assert_eq!(event(3), r#"42["e",3]"#);
    assert_eq!(event("text"), r#"42["e","text"]"#);
    assert_eq!(event("[]"), r#"42["e","[]"]"#);
    assert_eq!(event(Point { x: 1 }), r#"42["e",{"x":1}]"#);
    assert_eq!(event(json!([1, {"a": null}])), r#"42["e",1,{"a":null}]"#);
}

#[test]
fn arguments_are_passed_on_without_the_blanks_around_them() {
    for (came, leaves) in [
        ("3[ ]", r#"42["e"]"#),
        ("3[\n]", r#"42["e"]"#),
        (r#"2["x" ]"#, r#"42["e"]"#),
        (r#"2["x", 1 ,"a b" ]"#, r#"42["e",1 ,"a b"]"#),
    ] {
        let limits = Limits::default();
        let packet = Packet::decode(came, &limits).unwrap();
        let args: Args = ArgsRef::of(&packet, &[]).parse().unwrap();
        assert_eq!(event(args), leaves, "{came:?}");
    }
}

#[test]
fn what_a_blank_follows_ends_in_a_string_all_the_same() {
    let args = Args::from_json(r#"[1,"a" ]"#, Vec::new()).unwrap();
    assert!(Draft::event("e", &args).unwrap().ends_in_string());
}

#[test]
fn an_absent_value_is_an_argument() {
    assert_eq!(event(None::<u8>), r#"42["e",null]"#);
    assert_eq!(event((None::<u8>, ())), r#"42["e",null,null]"#);
}

#[test]
fn answers_are_lists_too() {
    let ack =
        |draft: Result<Draft, EncodeError>| text(&draft.unwrap().frames("/", Some(3))).to_owned();
    assert_eq!(ack(Draft::ack(&())), "433[]");
    assert_eq!(ack(Draft::ack(&[(); 0])), "433[]");
    assert_eq!(ack(Draft::ack(&("ok", 1))), r#"433["ok",1]"#);
    assert_eq!(ack(Draft::ack(&"ok")), r#"433["ok"]"#);
    assert_eq!(ack(Draft::ack(&None::<u8>)), "433[null]");
}

#[test]
fn the_head_names_namespace_and_id() {
    let draft = Draft::event("e", &(1,)).unwrap();
    assert_eq!(text(&draft.frames("/", Some(0))), r#"420["e",1]"#);
    assert_eq!(text(&draft.frames("/ns", None)), r#"42/ns,["e",1]"#);
    assert_eq!(
        text(&draft.frames("/ns", Some(u64::MAX))),
        r#"42/ns,18446744073709551615["e",1]"#
    );
}

#[test]
fn names_are_escaped() {
    let draft = Draft::event("a\"b\u{1}", &()).unwrap();
    assert_eq!(text(&draft.frames("/", None)), r#"42["a\"b\u0001"]"#);
}

#[test]
fn binary_values_become_attachments_in_order() {
    let args = (
        Binary(Bytes::from("one")),
        json!({"a": 1}),
        [Binary(Bytes::new())],
    );
    let draft = Draft::event("up", &args).unwrap();
    let frames = draft.frames("/ns", Some(4));
    assert_eq!(
        frames.as_slice(),
        [
            Frame::Text(
                r#"452-/ns,4["up",{"_placeholder":true,"num":0},{"a":1},[{"_placeholder":true,"num":1}]]"#
                    .into()
            ),
            Frame::Binary("one".into()),
            Frame::Binary("".into()),
        ]
    );
    assert_eq!(frames.byte_len(), frames.as_slice()[0].len() + 3);
    let ack = Draft::ack(&Binary(Bytes::from("x")))
        .unwrap()
        .frames("/", Some(1));
    assert_eq!(text(&ack), r#"461-1[{"_placeholder":true,"num":0}]"#);
}

#[test]
fn attachments_are_shared_with_the_caller() {
    let bytes = Bytes::from(vec![7; 100]);
    let frames = Draft::event("up", &(Binary(bytes.clone()),))
        .unwrap()
        .frames("/", None);
    let [_, Frame::Binary(sent)] = frames.as_slice() else {
        panic!("one attachment")
    };
    assert_eq!(sent.as_ptr(), bytes.as_ptr());
}

#[test]
fn reserved_names_are_the_callers_mistake() {
    for name in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        let error = Draft::event(name, &()).unwrap_err();
        assert_eq!(error, EncodeError::ReservedEvent(name.to_owned()));
    }
    assert!(Draft::event("connection", &()).is_ok());
}

#[test]
fn what_does_not_serialize_is_an_error() {
    let map = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(
        Draft::event("e", &map),
        Err(EncodeError::Serialize(_))
    ));
    assert_eq!(event(1), r#"42["e",1]"#, "and leaves nothing behind");
}

#[test]
fn captured_arguments_are_passed_on_unchanged() {
    let received = r#"51-["up", 1.50 ,{"b":{"_placeholder":true,"num":0}} ]"#;
    let packet = Packet::decode(received, &Limits::default()).unwrap();
    let attachments = [Bytes::from("data")];
    let args: Args = ArgsRef::of(&packet, &attachments).parse().unwrap();
    let frames = Draft::event("copy", &args).unwrap().frames("/", None);
    assert_eq!(
        text(&frames),
        r#"451-["copy",1.50 ,{"b":{"_placeholder":true,"num":0}}]"#
    );
    assert_eq!(frames.as_slice()[1], Frame::Binary("data".into()));
    let ack = Draft::ack(&args).unwrap().frames("/", Some(2));
    assert_eq!(
        text(&ack),
        r#"461-2[1.50 ,{"b":{"_placeholder":true,"num":0}}]"#
    );
    assert_eq!(
        text(&Draft::ack(&Args::default()).unwrap().frames("/", Some(2))),
        "432[]"
    );
}

#[test]
fn a_kept_packet_knows_its_namespace() {
    let names = ["/", "/a", "/ab", "/a["];
    for made in names {
        let text = EventPacket::new(None, made, "e", &(1,)).unwrap();
        let binary = EventPacket::new(None, made, "e", &(Binary::default(),)).unwrap();
        for asked in names {
            assert_eq!(text.is_for(asked), made == asked, "{made} {asked}");
            assert_eq!(binary.is_for(asked), made == asked, "{made} {asked}");
        }
    }
}

#[test]
fn captured_arguments_are_all_or_nothing() {
    let result = Draft::event("e", &(Args::default(), 1));
    assert_eq!(result.unwrap_err(), EncodeError::NestedArgs);
}

#[test]
fn emitting_while_serializing_disturbs_nothing() {
    struct Nosy;
    impl Serialize for Nosy {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = Draft::event("inner", &(Binary(Bytes::from("i")),)).unwrap();
            assert_eq!(inner.frames("/", None).as_slice().len(), 2);
            Binary(Bytes::from("o")).serialize(serializer)
        }
    }
    let draft = Draft::event("outer", &(Binary(Bytes::new()), Nosy)).unwrap();
    let frames = draft.frames("/", None);
    assert!(text(&frames).ends_with(r#"{"_placeholder":true,"num":1}]"#));
    assert_eq!(frames.as_slice()[2], Frame::Binary("o".into()));
}

#[test]
fn the_other_packets_name_their_namespace() {
    assert_eq!(text(&connect(None, "/", "abc")), r#"40{"sid":"abc"}"#);
    assert_eq!(text(&connect(None, "/ns", "abc")), r#"40/ns,{"sid":"abc"}"#);
    assert_eq!(text(&disconnect(None, "/")), "41");
    assert_eq!(text(&disconnect(None, "/ns")), "41/ns,");
    let error = ConnectError::new("no \"way\"").with_data(json!({"code": 7}));
    assert_eq!(
        text(&connect_error(None, "/", &error)),
        r#"44{"message":"no \"way\"","data":{"code":7}}"#
    );
    assert_eq!(
        text(&connect_error(None, "/ns", &ConnectError::new("no"))),
        r#"44/ns,{"message":"no"}"#
    );
}

/// The obvious encoder: a `Value` for everything.
fn naive(event: &str, namespace: &str, id: Option<u64>, args: &[Value]) -> String {
    let mut list = vec![Value::from(event)];
    list.extend_from_slice(args);
    let namespace = if namespace == "/" {
        String::new()
    } else {
        format!("{namespace},")
    };
    let id = id.map_or(String::new(), |id| id.to_string());
    format!("42{namespace}{id}{}", Value::Array(list))
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        event in "\\PC{0,12}",
        namespace in prop_oneof![Just("/".to_owned()), "/[a-z]{1,8}"],
        id in prop::option::of(0..1_u64 << 53),
        args in prop::collection::vec(any_json(), 0..4),
        attachments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..3),
    ) {
        prop_assume!(!crate::packet::is_reserved(&event));
        let binary: Vec<Binary> = attachments.iter().cloned().map(Into::into).collect();
        let draft = Draft::event(&event, &(&args, &binary)).unwrap();
        let frames = draft.frames(&namespace, id);
        prop_assert_eq!(frames.as_slice().len(), 1 + attachments.len());

        let packet = Packet::decode(&text(&frames)[1..], &Limits::default()).unwrap();
        prop_assert_eq!(packet.namespace, namespace);
        prop_assert_eq!(packet.id, id);
        prop_assert_eq!(packet.event.as_deref(), Some(&*event));
        prop_assert_eq!(packet.attachments, attachments.len());
        let received: Vec<Bytes> = attachments.into_iter().map(Into::into).collect();
        let read: (Vec<Value>, Vec<Binary>) = ArgsRef::of(&packet, &received).parse().unwrap();
        prop_assert_eq!(read, (args, binary));
    }

    #[test]
    fn writing_agrees_with_the_obvious_encoder(
        event in "[a-z\"\\\\ ]{0,9}",
        id in prop::option::of(any::<u64>()),
        args in prop::collection::vec(any_json(), 0..4),
    ) {
        let draft = Draft::event(&event, &args).unwrap();
        for namespace in ["/", "/ns"] {
            let frames = draft.frames(namespace, id);
            prop_assert_eq!(text(&frames), naive(&event, namespace, id, &args));
        }
    }
}

#[test]
fn a_draft_of_an_event_tells_what_it_is() {
    let data = crate::Binary(Bytes::from_static(b"x"));
    let draft = Draft::event("say \"hi\"", &(1, &data, "b")).unwrap();
    let (name, args) = draft.to_event().unwrap();
    assert_eq!(name, "say \"hi\"");
    assert_eq!(
        args.parse::<(u8, crate::Binary, String)>().unwrap(),
        (1, data, "b".to_owned())
    );
    let (_, args) = Draft::event("none", &()).unwrap().to_event().unwrap();
    assert_eq!(args.json(), "[]");
    let captured = args.clone();
    let (_, args) = Draft::event("again", &captured)
        .unwrap()
        .to_event()
        .unwrap();
    assert_eq!(args, captured);
    let answer = Draft::ack(&(1, "a")).unwrap();
    assert!(answer.to_event().is_none());
    assert_eq!(answer.to_args().json(), r#"[1,"a"]"#);
    assert_eq!(Draft::ack(&()).unwrap().to_args().json(), "[]");
}

#[test]
fn what_clients_2_are_told_of_a_connect() {
    let text = |frames: Frames| frames.as_slice()[0].bytes().clone();
    assert_eq!(text(connect_2(None, "/")), "40");
    assert_eq!(text(connect_2(None, "/chat")), "40/chat,");
    let error = ConnectError::new("no \"entry\"");
    assert_eq!(
        text(connect_error_2(None, "/", &error)),
        r#"44"no \"entry\"""#
    );
    for (data, expected) in [
        (json!({"reason": 1}), r#"44/chat,{"reason":1}"#),
        (json!([]), "44/chat,[]"),
        (json!("x"), r#"44/chat,"x""#),
        (json!(true), "44/chat,true"),
        (json!(-1), "44/chat,-1"),
        (json!(null), r#"44/chat,"no""#),
        (json!(false), r#"44/chat,"no""#),
        (json!(0), r#"44/chat,"no""#),
        (json!(""), r#"44/chat,"no""#),
    ] {
        let error = ConnectError::new("no").with_data(data);
        assert_eq!(text(connect_error_2(None, "/chat", &error)), expected);
    }
}
