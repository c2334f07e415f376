//! The checks that hold for every parser, and the default parser against what a server does without one.

use super::*;
use crate::{
    encode::Draft,
    error::ConnectError,
    {Binary, encode},
};

fn incoming(packet_type: PacketType, data: &str) -> Incoming {
    Incoming {
        packet_type,
        namespace: "/".to_owned(),
        id: None,
        data: data.to_owned(),
        attachments: Vec::new(),
    }
}

fn check(incoming: &Incoming) -> Result<Packet<'_>, DecodeError> {
    let limits = Limits {
        max_name_len: 10,
        max_event_name: 10,
        max_auth_bytes: 10,
        max_attachments: 2,
        max_pending_attachment_bytes: 10,
        ..Limits::default()
    };
    Packet::check(incoming, &limits)
}

#[test]
fn what_a_parser_reads_is_checked() {
    use PacketType::{Ack, Connect, ConnectError, Disconnect, Event};
    let deep = |depth| format!(r#"["e",{}{}]"#, "[".repeat(depth), "]".repeat(depth));
    let table = [
        (Event, r#"["e",1]"#, None),
        (Event, "", None),
        (Event, r#"[7]"#, None),
        (Event, r#"["disconnect"]"#, Some(DecodeError::ReservedEvent)),
        (
            Event,
            r#"["eleven char"]"#,
            Some(DecodeError::EventNameTooLong),
        ),
        (Event, "[]", Some(DecodeError::InvalidEventName)),
        (Event, "{}", Some(DecodeError::InvalidPayload)),
        (Event, &deep(126), None),
        (Event, &deep(127), Some(DecodeError::TooDeep)),
        (Ack, "[]", None),
        (Ack, "{}", Some(DecodeError::InvalidPayload)),
        (Connect, "", None),
        (Connect, r#"{"a":1}"#, None),
        (Connect, "null", Some(DecodeError::InvalidPayload)),
        (Connect, r#"{"a":1"#, Some(DecodeError::InvalidPayload)),
        (Connect, r#"{"a":12345}"#, Some(DecodeError::AuthTooLarge)),
        (Disconnect, "", None),
        (Disconnect, "{}", Some(DecodeError::InvalidPayload)),
        (ConnectError, "{}", None),
    ];
    for (packet_type, data, error) in table {
        let incoming = incoming(packet_type, data);
        assert_eq!(check(&incoming).err(), error, "{packet_type:?} {data}");
    }
}

#[test]
fn its_namespace_and_ack_id_are_checked() {
    let event = || incoming(PacketType::Event, r#"["e"]"#);
    let named = |namespace: &str| Incoming {
        namespace: namespace.to_owned(),
        ..event()
    };
    for (namespace, error) in [
        ("/", None),
        ("/123456789", None),
        ("/1234567890", Some(DecodeError::NamespaceTooLong)),
        ("chat", Some(DecodeError::InvalidNamespace)),
        ("", Some(DecodeError::InvalidNamespace)),
    ] {
        assert_eq!(check(&named(namespace)).err(), error, "{namespace}");
    }
    let numbered = |id| Incoming {
        id: Some(id),
        ..event()
    };
    let max = (1 << 53) - 1;
    assert_eq!(check(&numbered(max)).unwrap().id, Some(max));
    let above = numbered(max + 1);
    assert_eq!(check(&above), Err(DecodeError::AckIdOutOfRange));
}

#[test]
fn its_attachments_are_checked() {
    let with = |packet_type, data: &str, sizes: &[usize]| Incoming {
        attachments: sizes.iter().map(|size| vec![0; *size].into()).collect(),
        ..incoming(packet_type, data)
    };
    use PacketType::{Ack, Connect, Event};
    let one = r#"["e",{"_placeholder":true,"num":0}]"#;
    let second = r#"["e",{"_placeholder":true,"num":1}]"#;
    let auth = r#"{"a":1}"#;
    for (packet_type, data, sizes, error) in [
        (Event, one, &[10][..], None),
        (Event, one, &[5, 5], None),
        (Ack, one, &[1], None),
        (Event, one, &[], None),
        (Event, second, &[1], Some(DecodeError::InvalidPlaceholder)),
        (Event, one, &[11], Some(DecodeError::AttachmentsTooLarge)),
        (Event, one, &[5, 6], Some(DecodeError::AttachmentsTooLarge)),
        (
            Event,
            one,
            &[1, 1, 1],
            Some(DecodeError::TooManyAttachments),
        ),
        (Event, r#"["e""#, &[1], Some(DecodeError::InvalidPayload)),
        (Connect, auth, &[1], Some(DecodeError::InvalidPayload)),
    ] {
        let incoming = with(packet_type, data, sizes);
        assert_eq!(check(&incoming).err(), error, "{data} {sizes:?}");
    }
}

#[test]
fn the_default_parser_writes_what_is_written_without_one() {
    let parser: &dyn Parser = &DefaultParser;
    let attachment = Binary(Bytes::from("x"));
    for draft in [
        Draft::event("e", &(1, "two")),
        Draft::event("e", &(&attachment, "two")),
        Draft::ack(&()),
        Draft::ack(&[&attachment]),
    ] {
        let draft = draft.unwrap();
        for (namespace, id) in [("/", None), ("/", Some(1)), ("/ns", None), ("/ns", Some(2))] {
            let written = draft.write(Some(parser), namespace, id);
            assert_eq!(written, draft.frames(namespace, id));
        }
    }
    let error = ConnectError::new("no").with_data([1]);
    for parser in [None, Some(parser)] {
        let text = |frames: Frames| frames.as_slice()[0].bytes().clone();
        assert_eq!(text(encode::connect(parser, "/", "i")), r#"40{"sid":"i"}"#);
        assert_eq!(
            text(encode::connect_error(parser, "/ns", &error)),
            r#"44/ns,{"message":"no","data":[1]}"#
        );
        assert_eq!(text(encode::disconnect(parser, "/ns")), "41/ns,");
    }
}

#[test]
fn numbers_of_types_are_those_of_the_wire() {
    for number in 0..7 {
        assert_eq!(PacketType::try_from(number).map(u8::from), Ok(number));
    }
    assert_eq!(PacketType::try_from(7), Err(DecodeError::UnknownType));
}
