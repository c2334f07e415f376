//! MessagePack as npm's `socket.io-msgpack-parser` (3.0) writes it, and odd inputs, each with what that made of it.
//!
//! An answer is `TYPE namespace id data`, with `-` for an absent id, then the binary values in hex; or `reject`. The data
//! is what `JSON.stringify` gives. `WRITTEN` is written and read alike, `SAME` is read alike, and in `DIFFERENT` this
//! crate answers otherwise on purpose.

use std::{fmt::Write, time::Instant};

use serde_json::Value;
use socketio::{
    DecodeError, Parser,
    packet::{Limits, Packet, PacketType},
    parser::{Frame, Incoming, Message, Msgpack, Outgoing},
};

#[test]
fn packets_are_written_as_the_reference_writes_them() {
    for (hex, packet) in rows(WRITTEN) {
        let (packet_type, namespace, id, data, attachments) = parse(packet);
        let attachments: Vec<_> = attachments.into_iter().map(Into::into).collect();
        let frames = Msgpack.encode(&Outgoing {
            packet_type,
            namespace,
            id,
            data,
            attachments: &attachments,
        });
        let [Frame::Binary(message)] = frames.as_slice() else {
            panic!("no single binary message: {frames:?}")
        };
        assert_eq!(to_hex(message), hex, "{packet}");
    }
}

#[test]
fn packets_are_read_as_the_reference_reads_them() {
    for (hex, expected) in rows(WRITTEN).chain(rows(SAME)) {
        assert_eq!(comparable(&decode(hex)), comparable(expected), "{hex}");
    }
}

#[test]
fn differences_from_the_reference_are_these() {
    for (hex, answers) in rows(DIFFERENT) {
        let (reference, expected) = answers.split_once(" => ").expect("two answers");
        assert_ne!(comparable(reference), comparable(expected), "{hex}");
        assert_eq!(comparable(&decode(hex)), comparable(expected), "{hex}");
    }
}

/// Every prefix of a packet is an error, and so is every packet with something after it.
#[test]
fn a_packet_ends_where_its_message_does() {
    for (hex, _) in rows(WRITTEN) {
        let message = from_hex(hex);
        for len in 0..message.len() {
            assert!(try_decode(&message[..len]).is_err(), "{hex} {len}");
        }
        let longer = [&message[..], b"\xc0"].concat();
        let result = try_decode(&longer);
        assert_eq!(result.err(), Some(DecodeError::InvalidPayload), "{hex}");
    }
}

/// The lines of a table, but for those that say why.
fn rows(table: &str) -> impl Iterator<Item = (&str, &str)> {
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    rows.filter_map(|line| line.split_once(' '))
}

fn decode(hex: &str) -> String {
    match try_decode(&from_hex(hex)) {
        Ok(packet) => describe(&packet),
        Err(_) => "reject".to_owned(),
    }
}

fn try_decode(message: &[u8]) -> Result<Incoming, DecodeError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "some instant, and there is no other way"
    )]
    let now = Instant::now();
    let limits = Limits::default();
    let message = Message::Binary(message.to_vec().into());
    let packet = Msgpack.decoder().add(&message, &limits, now)?;
    let packet = packet.expect("a message is a packet");
    Packet::check(&packet, &limits)?;
    Ok(packet)
}

fn describe(packet: &Incoming) -> String {
    let name = NAMES[usize::from(u8::from(packet.packet_type))];
    let id = packet.id.map_or("-".to_owned(), |id| id.to_string());
    let mut text = format!("{name} {} {id} {}", packet.namespace, packet.data);
    for attachment in &packet.attachments {
        text.push(' ');
        text.push_str(&to_hex(attachment));
    }
    text.trim_end().to_owned()
}

fn parse(text: &str) -> (PacketType, &str, Option<u64>, &str, Vec<Vec<u8>>) {
    let mut words = text.splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (name, namespace, id, rest) = (word(), word(), word(), word());
    let number = NAMES.iter().position(|known| *known == name);
    let packet_type = PacketType::try_from(number.map_or(9, |number| number as u8));
    // Attachments are the words behind the last bracket.
    let end = rest.rfind([']', '}', '"']).map_or(0, |at| at + 1);
    let attachments = rest[end..].split(' ').skip(1).map(from_hex).collect();
    let packet_type = packet_type.expect("a known name");
    (
        packet_type,
        namespace,
        id.parse().ok(),
        &rest[..end],
        attachments,
    )
}

/// The same whatever JSON may do differently: spellings of numbers, escapes, repeated members.
fn comparable(text: &str) -> String {
    if text == "reject" {
        return text.to_owned();
    }
    let (packet_type, namespace, id, data, attachments) = parse(text);
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    format!("{packet_type:?} {namespace} {id:?} {data} {attachments:?}")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(digit).collect()
}

const NAMES: [&str; 5] = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR"];

/// Each line is a message and its packet.
const WRITTEN: &str = r##"
82a47479706500a36e7370a12f CONNECT / -
83a47479706500a46461746180a36e7370a12f CONNECT / - {}
83a47479706500a46461746181a5746f6b656ea178a36e7370a62f61646d696e CONNECT /admin - {"token":"x"}
83a47479706500a46461746182a3706964a161a66f6666736574a162a36e7370a12f CONNECT / - {"pid":"a","offset":"b"}
82a47479706501a36e7370a12f DISCONNECT / -
82a47479706501a36e7370a52f63686174 DISCONNECT /chat -
83a47479706502a46461746191a165a36e7370a12f EVENT / - ["e"]
83a47479706502a46461746198a16501a374776f910381a4666f757204c0c3c2a36e7370a52f63686174 EVENT /chat - ["e",1,"two",[3],{"four":4},null,true,false]
84a47479706502a46461746191a165a26964cf001fffffffffffffa36e7370a12f EVENT / 9007199254740991 ["e"]
83a47479706502a4646174619205a178a36e7370a12f EVENT / - [5,"x"]
84a47479706503a46461746190a2696400a36e7370a12f ACK / 0 []
84a47479706503a46461746192a26f6b81a1619101a269640ca36e7370a22f61 ACK /a 12 ["ok",{"a":[1]}]
84a47479706503a46461746191c40178a2696401a36e7370a12f ACK / 1 [{"_placeholder":true,"num":0}] 78
83a47479706504a46461746181a76d657373616765a26e6fa36e7370a12f CONNECT_ERROR / - {"message":"no"}
83a47479706504a464617461a26e6fa36e7370a12f CONNECT_ERROR / - "no"
83a47479706502a4646174619ba165007fcc80ccffcd0100cdffffce00010000ceffffffffcf0000000100000000cf001fffffffffffffa36e7370a12f EVENT / - ["e",0,127,128,255,256,65535,65536,4294967295,4294967296,9007199254740991]
83a47479706502a4646174619ba165ffe0d0dfd080d1ff7fd18000d2ffff7fffd280000000d3ffffffff7fffffffd3ffe0000000000001a36e7370a12f EVENT / - ["e",-1,-32,-33,-128,-129,-32768,-32769,-2147483648,-2147483649,-9007199254740991]
83a47479706502a46461746197a165cb3ff8000000000000cbbfb999999999999acb3fb999999999999acb3e7ad7f29abcaf48cb0000000000000001cb81b2373498ed353fa36e7370a12f EVENT / - ["e",1.5,-0.1,0.1,1e-7,5e-324,-1.7e-300]
83a47479706502a46461746198a165a0a2c3a9a3e282aca4f09f9880a5001f225c2fbf78787878787878787878787878787878787878787878787878787878787878d9207878787878787878787878787878787878787878787878787878787878787878a36e7370a12f EVENT / - ["e","","é","€","😀","\u0000\u001f\"\\/","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]
83a47479706502a46461746194a165c40091c402010281a16281a163c403ffffffa36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}],{"b":{"c":{"_placeholder":true,"num":2}}}]  0102 ffffff
83a47479706502a46461746193a165dc0010000102030405060708090a0b0c0d0e0fde0010a26b3000a26b3101a26b3202a26b3303a26b3404a26b3505a26b3606a26b3707a26b3808a26b3909a36b31300aa36b31310ba36b31320ca36b31330da36b31340ea36b31350fa36e7370a12f EVENT / - ["e",[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"k10":10,"k11":11,"k12":12,"k13":13,"k14":14,"k15":15}]
83a47479706502a46461746192a16583a001a361206202a2c3a903a36e7370a12f EVENT / - ["e",{"":1,"a b":2,"é":3}]
83a47479706502a46461746192a16582ac5f706c616365686f6c646572c3a36e756d00a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}]
"##;

/// The same, but written otherwise or not at all.
const SAME: &str = r##"
83a47479706502a46461746195a165cb7ff8000000000000cb7ff0000000000000cbfff000000000000000a36e7370a12f EVENT / - ["e",null,null,null,0]
83a47479706500a464617461d40000a36e7370a12f CONNECT / -
83a47479706501a464617461d40000a36e7370a12f DISCONNECT / -
85a47479706502a46461746191a165a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a12f EVENT / 0 ["e"]
83a47479706502a46461746195a165d4000091d4000081a161d4000083a16101a162d40000a16302a36e7370a12f EVENT / - ["e",null,[null],{},{"a":1,"c":2}]
83a47479706502a46461746195a165d7000000000000000000d700000000e8d4a51000d700ffffffffffffffff81a26174d700001eb208c2dc0000a36e7370a12f EVENT / - ["e","1970-01-01T00:00:00.000Z","2001-09-09T01:46:40.000Z","1969-12-31T23:59:59.999Z",{"at":"+275760-09-13T00:00:00.000Z"}]
83a47479706502a46461746193a165c70300010203c702000908a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}] 010203 0908
 reject
c0 reject
93 reject
90 reject
80 reject
81 reject
02 reject
a474657874 reject
920102 reject
82a47479706502a36e7370a12f reject
82a47479706503a36e7370a12f reject
82a47479706502a46461746191a165 reject
82a46461746191a165a36e7370a12f reject
83a47479706502a46461746191a165a36e7370a12f00 reject
83a47479706502a46461746191a165a36e7370a1 reject
83a47479706505a46461746191a165a36e7370a12f reject
83a474797065ffa46461746191a165a36e7370a12f reject
83a474797065a132a46461746191a165a36e7370a12f reject
83a474797065c0a46461746191a165a36e7370a12f reject
83a474797065cb4000000000000000a46461746191a165a36e7370a12f EVENT / - ["e"]
83a474797065cb4004000000000000a46461746191a165a36e7370a12f reject
83a4747970659102a46461746191a165a36e7370a12f reject
83a474797065cc02a46461746191a165a36e7370a12f EVENT / - ["e"]
83a474797065d202000000a46461746191a165a36e7370a12f reject
83a474797065d200000002a46461746191a165a36e7370a12f EVENT / - ["e"]
83a474797065d40000a46461746191a165a36e7370a12f reject
83a47479706502a46461746191a165a36e7370c0 reject
83a47479706502a46461746191a165a36e737002 reject
83a47479706502a46461746191a165a36e7370a42f612c62 EVENT /a,b - ["e"]
83a47479706502a46461746191a165a36e7370a62f613f783d31 EVENT /a?x=1 - ["e"]
83a47479706502a46461746191a165a36e7370d9012f EVENT / - ["e"]
83a47479706502a46461746191a165a36e7370db000000012f EVENT / - ["e"]
83a47479706502a46461746191a165a36e7370c4012f reject
84a47479706502a46461746191a165a26964c0a36e7370a12f reject
84a47479706502a46461746191a165a26964d40000a36e7370a12f EVENT / - ["e"]
84a47479706502a46461746191a165a26964a131a36e7370a12f reject
84a47479706502a46461746191a165a26964cb4008000000000000a36e7370a12f EVENT / 3 ["e"]
84a47479706502a46461746191a165a26964cb400c000000000000a36e7370a12f reject
84a47479706502a46461746191a165a26964c3a36e7370a12f reject
84a47479706502a46461746191a165a26964d300000000000000ffa36e7370a12f EVENT / 255 ["e"]
83a47479706500a464617461c0a36e7370a12f reject
83a47479706500a46461746190a36e7370a12f reject
83a47479706500a464617461a178a36e7370a12f reject
83a47479706500a46461746103a36e7370a12f reject
83a47479706501a464617461c0a36e7370a12f reject
83a47479706501a46461746180a36e7370a12f reject
83a47479706501a46461746190a36e7370a12f reject
83a47479706502a46461746180a36e7370a12f reject
83a47479706502a464617461c0a36e7370a12f reject
83a47479706502a464617461d40000a36e7370a12f reject
83a47479706502a464617461a165a36e7370a12f reject
83a47479706502a46461746191fda36e7370a12f EVENT / - [-3]
83a47479706502a46461746191cb401c000000000000a36e7370a12f EVENT / - [7]
83a47479706503a46461746190a36e7370a12f ACK / - []
83a47479706503a46461746180a36e7370a12f reject
83a47479706503a464617461c0a36e7370a12f reject
83a47479706502a46461746192a165c1a36e7370a12f reject
83a47479706502a46461746192a165ca3fc00000a36e7370a12f EVENT / - ["e",1.5]
83a47479706502a46461746192a165ca3dcccccda36e7370a12f EVENT / - ["e",0.10000000149011612]
83a47479706502a46461746192a165cb3ff0000000000000a36e7370a12f EVENT / - ["e",1]
83a47479706502a46461746192a165cb430c6bf526340000a36e7370a12f EVENT / - ["e",1000000000000000]
83a47479706502a46461746192a165cb444b1ae4d6e2ef50a36e7370a12f EVENT / - ["e",1e+21]
83a47479706502a46461746192a165cb4340000000000000a36e7370a12f EVENT / - ["e",9007199254740992]
83a47479706502a46461746192a165cb8000000000000000a36e7370a12f EVENT / - ["e",0]
83a47479706502a46461746192a165cb7ff8000000000000a36e7370a12f EVENT / - ["e",null]
83a47479706502a46461746192a165d0ffa36e7370a12f EVENT / - ["e",-1]
83a47479706502a46461746192a165d10001a36e7370a12f EVENT / - ["e",1]
83a47479706502a46461746192a165cc01a36e7370a12f EVENT / - ["e",1]
83a47479706502a46461746192a165cd0001a36e7370a12f EVENT / - ["e",1]
83a47479706502a46461746192a165ce00000001a36e7370a12f EVENT / - ["e",1]
83a47479706502a46461746192a165d90161a36e7370a12f EVENT / - ["e","a"]
83a47479706502a46461746192a165da000161a36e7370a12f EVENT / - ["e","a"]
83a47479706502a46461746192a165db0000000161a36e7370a12f EVENT / - ["e","a"]
83a47479706502a46461746192a165c40101a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c5000101a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c60000000101a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c7010001a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c800010001a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c9000000010001a36e7370a12f EVENT / - ["e",{"_placeholder":true,"num":0}] 01
83a47479706502a46461746192a165c70105ffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ff
83a47479706502a46461746192a165d405ffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ff
83a47479706502a46461746192a165d500ffffa36e7370a12f EVENT / - ["e",[0,{"_placeholder":true,"num":0}]] ffff
83a47479706502a46461746192a165d505ffffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ffff
83a47479706502a46461746192a165d605ffffffffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ffffffff
83a47479706502a46461746192a165d600ffffffffa36e7370a12f EVENT / - ["e",[0,{"_placeholder":true,"num":0}]] ffffffff
83a47479706502a46461746192a165d705ffffffffffffffffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ffffffffffffffff
83a47479706502a46461746192a165d805ffffffffffffffffffffffffffffffffa36e7370a12f EVENT / - ["e",[5,{"_placeholder":true,"num":0}]] ffffffffffffffffffffffffffffffff
83a47479706502a46461746192a165d800ffffffffffffffffffffffffffffffffa36e7370a12f EVENT / - ["e",[0,{"_placeholder":true,"num":0}]] ffffffffffffffffffffffffffffffff
83a47479706502a46461746192a165d6ff00000001a36e7370a12f EVENT / - ["e",[-1,{"_placeholder":true,"num":0}]] 00000001
83a47479706502a46461746192a165d40007a36e7370a12f EVENT / - ["e",null]
83a47479706502a46461746192a165d7008000000000000000a36e7370a12f EVENT / - ["e",null]
83a47479706502a46461746192a165d7007fffffffffffffffa36e7370a12f EVENT / - ["e",null]
83a47479706502a46461746192a165dc000101a36e7370a12f EVENT / - ["e",[1]]
83a47479706502a46461746192a165dd0000000101a36e7370a12f EVENT / - ["e",[1]]
83a47479706502a46461746192a165de0001a16101a36e7370a12f EVENT / - ["e",{"a":1}]
83a47479706502a46461746192a165df00000001a16101a36e7370a12f EVENT / - ["e",{"a":1}]
83a47479706502a46461746192a165ddffffffff01a36e7370a12f reject
83a47479706502a46461746192a165dfffffffff01a36e7370a12f reject
83a47479706502a46461746192a165dbffffffff01a36e7370a12f reject
83a47479706502a46461746192a165c6ffffffff01a36e7370a12f reject
83a47479706502a46461746192a165c9ffffffff0001a36e7370a12f reject
83a47479706502a46461746192a165dcffffa36e7370a12f reject
83a47479706502a46461746192a165810102a36e7370a12f EVENT / - ["e",{"1":2}]
83a47479706502a46461746192a16581ff02a36e7370a12f EVENT / - ["e",{"-1":2}]
83a47479706502a46461746192a16582a16101a16102a36e7370a12f EVENT / - ["e",{"a":2}]
83a47479706502a46461746192a16582a161d40000a16102a36e7370a12f EVENT / - ["e",{"a":2}]
83a47479706502a46461746192a16581a161d40000a36e7370a12f EVENT / - ["e",{}]
83a47479706502a46461746192a165a2c3a36e7370a12f reject
83a47479706502a46461746192a16582ac5f706c616365686f6c646572c2a162c40178a36e7370a12f EVENT / - ["e",{"_placeholder":false,"b":{"_placeholder":true,"num":0}}] 78
83a47479706502a46461746192a16583ac5f706c616365686f6c64657201a36e756d00a162c40178a36e7370a12f EVENT / - ["e",{"_placeholder":1,"num":0,"b":{"_placeholder":true,"num":0}}] 78
83a47479706502a46461746192a1659ac40178c40178c40178c40178c40178c40178c40178c40178c40178c40178a36e7370a12f EVENT / - ["e",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},{"_placeholder":true,"num":3},{"_placeholder":true,"num":4},{"_placeholder":true,"num":5},{"_placeholder":true,"num":6},{"_placeholder":true,"num":7},{"_placeholder":true,"num":8},{"_placeholder":true,"num":9}]] 78 78 78 78 78 78 78 78 78 78
84a47479706502a47479706503a46461746190a36e7370a12f ACK / - []
84a47479706502a46461746191a165a46461746191a166a36e7370a12f EVENT / - ["f"]
84a36e7370a12fa46461746191a165a56f74686572919180a47479706502 EVENT / - ["e"]
84a36e7370a12fa46461746191a165a474797065020701 EVENT / - ["e"]
"##;

/// Each line is a message, the packet of the reference, and ours.
const DIFFERENT: &str = r##"
# Namespaces begin with a slash.
83a47479706502a46461746191a165a36e7370a0 EVENT  - ["e"] => reject
83a47479706502a46461746191a165a36e7370a463686174 EVENT chat - ["e"] => reject
# Ack ids are numbers that can be counted.
84a47479706502a46461746191a165a26964ffa36e7370a12f EVENT / -1 ["e"] => reject
84a47479706502a46461746191a165a26964cf0020000000000000a36e7370a12f EVENT / 9007199254740992 ["e"] => reject
84a47479706502a46461746191a165a26964cfffffffffffffffffa36e7370a12f EVENT / 18446744073709552000 ["e"] => reject
# The auth payload is JSON alone.
83a47479706500a46461746181a162c40201ffa36e7370a12f CONNECT / - {"b":{"_placeholder":true,"num":0}} 01ff => CONNECT / - {"b":[1,255]}
# An event begins with its name, which is not reserved.
83a47479706502a46461746190a36e7370a12f EVENT / - [] => reject
83a47479706502a46461746191c0a36e7370a12f EVENT / - [null] => reject
83a47479706502a4646174619180a36e7370a12f EVENT / - [{}] => reject
83a47479706502a46461746191aa646973636f6e6e656374a36e7370a12f EVENT / - ["disconnect"] => reject
83a47479706502a46461746192a7636f6e6e65637401a36e7370a12f EVENT / - ["connect",1] => reject
83a47479706502a46461746191cb3ff8000000000000a36e7370a12f EVENT / - [1.5] => reject
# Integers stay exact.
83a47479706502a46461746192a165cfffffffffffffffffa36e7370a12f EVENT / - ["e",18446744073709552000] => EVENT / - ["e",18446744073709551615]
83a47479706502a46461746192a165d38000000000000000a36e7370a12f EVENT / - ["e",-9223372036854776000] => EVENT / - ["e",-9223372036854775808]
83a47479706502a46461746192a165cf0020000000000001a36e7370a12f EVENT / - ["e",9007199254740992] => EVENT / - ["e",9007199254740993]
# Keys are text or integers.
83a47479706502a46461746192a16581c002a36e7370a12f EVENT / - ["e",{"null":2}] => reject
83a47479706502a46461746192a16581c302a36e7370a12f EVENT / - ["e",{"true":2}] => reject
83a47479706502a46461746192a165819002a36e7370a12f EVENT / - ["e",{"":2}] => reject
83a47479706502a46461746192a165818002a36e7370a12f EVENT / - ["e",{"[object Object]":2}] => reject
83a47479706502a46461746192a16581c4016102a36e7370a12f EVENT / - ["e",{"a":2}] => reject
83a47479706502a46461746192a16581cb3ff800000000000002a36e7370a12f EVENT / - ["e",{"1.5":2}] => reject
84a36e7370a12fa46461746191a165a47479706502c001 EVENT / - ["e"] => reject
84a36e7370a12fa46461746191a165a47479706502910101 EVENT / - ["e"] => reject
# A member that is undefined is none.
83a47479706502a46461746192a16582a16101a161d40000a36e7370a12f EVENT / - ["e",{}] => EVENT / - ["e",{"a":1}]
# Text is UTF-8.
83a47479706502a46461746192a165a1ffa36e7370a12f EVENT / - ["e","�"] => reject
83a47479706502a46461746192a165a3eda080a36e7370a12f EVENT / - ["e","���"] => reject
83a47479706502a46461746192a165a2c328a36e7370a12f EVENT / - ["e","�("] => reject
83a47479706502a46461746192a165a4f0288cbca36e7370a12f EVENT / - ["e","�(��"] => reject
# Placeholders beside binary data, and more of that than `max_attachments`.
83a47479706502a46461746192a1659282ac5f706c616365686f6c646572c3a36e756d00c40178a36e7370a12f EVENT / - ["e",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]] 78 => reject
83a47479706502a46461746192a1659bc40178c40178c40178c40178c40178c40178c40178c40178c40178c40178c40178a36e7370a12f EVENT / - ["e",[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1},{"_placeholder":true,"num":2},{"_placeholder":true,"num":3},{"_placeholder":true,"num":4},{"_placeholder":true,"num":5},{"_placeholder":true,"num":6},{"_placeholder":true,"num":7},{"_placeholder":true,"num":8},{"_placeholder":true,"num":9},{"_placeholder":true,"num":10}]] 78 78 78 78 78 78 78 78 78 78 78 => reject
"##;
