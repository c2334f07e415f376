//! Parsers other than the default one.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};
use socketio::{
    Args, Binary, Config, ConnectError, DecodeError, Event, Server, Socket,
    encode::Frames,
    packet::{Limits, PacketType},
    parser::{Decoder, DefaultParser, Frame, Incoming, Message, Msgpack, Outgoing, Parser},
};

use crate::client::{Client, notes};

/// A packet is a JSON array, and its attachments come before it.
#[derive(Debug)]
struct ToyParser;

impl Parser for ToyParser {
    fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        let data: Value = serde_json::from_str(packet.data).unwrap_or_default();
        let number = u8::from(packet.packet_type);
        let text = json!([number, packet.namespace, packet.id, data]).to_string();
        let attachments = packet.attachments.iter().cloned().map(Frame::Binary);
        attachments.chain([Frame::message(&text)]).collect()
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(ToyDecoder::default())
    }
}

#[derive(Default)]
struct ToyDecoder {
    attachments: Vec<bytes::Bytes>,
}

impl Decoder for ToyDecoder {
    fn add(
        &mut self,
        message: &Message,
        limits: &Limits,
        _now: Instant,
    ) -> Result<Option<Incoming>, DecodeError> {
        match message {
            Message::Binary(_) if self.attachments.len() == limits.max_attachments => {
                Err(DecodeError::TooManyAttachments)
            }
            Message::Binary(data) => {
                self.attachments.push(data.clone());
                Ok(None)
            }
            Message::Text(text) if text == "panic" => panic!("as a test wants"),
            Message::Text(text) => {
                let packet: (u8, String, Option<u64>, Value) =
                    serde_json::from_slice(text).map_err(|_| DecodeError::InvalidPayload)?;
                let (number, namespace, id, data) = packet;
                Ok(Some(Incoming {
                    packet_type: number.try_into()?,
                    namespace,
                    id,
                    data: match data {
                        Value::Null => String::new(),
                        data => data.to_string(),
                    },
                    attachments: std::mem::take(&mut self.attachments),
                }))
            }
        }
    }
}

fn server(parser: impl Parser + 'static) -> Server {
    let io = Server::with_config(Config {
        parser: Some(Arc::new(parser)),
        ..Config::default()
    });
    io.of("/").on("echo", async |ev: Event, args: Args| {
        if ev.wants_ack() {
            return ev.ack(args);
        }
        ev.socket.emit("echo", args)
    });
    io
}

/// Joins the main namespace, and tells the socket's id.
async fn join(client: &mut Client) -> String {
    client.send(r#"4[0,"/",null,null]"#).await;
    let reply: Value = serde_json::from_str(&client.text().await[1..]).unwrap();
    let id = reply[3]["sid"].as_str().unwrap().to_owned();
    assert_eq!(reply, json!([0, "/", null, {"sid": id}]));
    id
}

#[tokio::test(start_paused = true)]
async fn everything_is_written_and_read_by_the_parser_of_the_server() {
    let io = server(ToyParser);
    let (note, mut notes) = notes();
    io.of("/guarded")
        .middleware(async |_: Socket, token: Value| match token["t"].as_u64() {
            Some(1) => Ok(()),
            _ => Err(ConnectError::new("no").with_data([1])),
        });
    io.of("/").on_disconnect(async move |_, why| note.add(why));
    let mut client = Client::open(&io).await;
    let id = join(&mut client).await;
    client
        .ask(
            r#"4[2,"/",null,["echo",{"a":1}]]"#,
            r#"4[2,"/",null,["echo",{"a":1}]]"#,
        )
        .await;
    client
        .ask(r#"4[2,"/",5,["echo",1]]"#, r#"4[3,"/",5,[1]]"#)
        .await;
    client
        .ask(
            r#"4[0,"/guarded",null,{"t":0}]"#,
            r#"4[4,"/guarded",null,{"data":[1],"message":"no"}]"#,
        )
        .await;
    client
        .ask(
            r#"4[0,"/nowhere",null,null]"#,
            r#"4[4,"/nowhere",null,{"message":"Invalid namespace"}]"#,
        )
        .await;
    io.of("/").to(&*id).emit("broadcast", ()).unwrap();
    client.expect(r#"4[2,"/",null,["broadcast"]]"#).await;
    let packet = io.of("/").encode("encoded", ("x",)).unwrap();
    let socket = io.of("/").socket(&id).unwrap();
    socket.try_emit(&packet).unwrap();
    client.expect(r#"4[2,"/",null,["encoded","x"]]"#).await;
    let answer = socket.emit_with_ack::<(u8,)>("ask", ());
    client.expect(r#"4[2,"/",0,["ask"]]"#).await;
    client.send(r#"4[3,"/",0,[6]]"#).await;
    assert_eq!(answer.await, Ok((6,)));
    let answers = io.emit_with_ack::<(u8,)>("ask", ());
    client.expect(r#"4[2,"/",1,["ask"]]"#).await;
    client.send(r#"4[3,"/",1,[7]]"#).await;
    assert_eq!(answers.await, Ok(vec![Ok((7,))]));
    socket.disconnect();
    client.expect(r#"4[1,"/",null,null]"#).await;
    notes.expect("server namespace disconnect").await;
    join(&mut client).await;
    client.send(r#"4[1,"/",null,null]"#).await;
    notes.expect("client namespace disconnect").await;
}

#[tokio::test(start_paused = true)]
async fn binary_data_goes_through_any_parser() {
    let io = server(ToyParser);
    let (note, mut notes) = notes();
    io.of("/").on("up", async move |_: Event, data: Binary| {
        note.add(String::from_utf8_lossy(&data));
    });
    let mut client = Client::open(&io).await;
    join(&mut client).await;
    client.send_binary(b"one").await;
    let data = r#"{"_placeholder":true,"num":0}"#;
    client
        .send(&format!(r#"4[2,"/",null,["up",{data}]]"#))
        .await;
    notes.expect("one").await;
    client.send_binary(b"two").await;
    client
        .send(&format!(r#"4[2,"/",3,["echo",[{data}]]]"#))
        .await;
    assert_eq!(client.binary().await, "two");
    client.expect(&format!(r#"4[3,"/",3,[[{data}]]]"#)).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_parser_lets_through_is_checked_all_the_same() {
    for text in [
        "4no json",
        r#"4[2,"/",null,["disconnect"]]"#,
        r#"4[2,"/",null,[{}]]"#,
        r#"4[2,"/other",null,["echo"]]"#,
        r#"4[2,"echo",null,["echo"]]"#,
        r#"4[2,"/",9007199254740992,["echo"]]"#,
        r#"4[3,"/",0,{}]"#,
        r#"4[0,"/",null,null]"#,
        r#"4[4,"/",null,{"message":"no"}]"#,
        r#"4[7,"/",null,null]"#,
    ] {
        let io = server(ToyParser);
        let mut client = Client::open(&io).await;
        join(&mut client).await;
        client.send(text).await;
        client.closed().await;
    }
    let io = server(ToyParser);
    let mut client = Client::open(&io).await;
    join(&mut client).await;
    client.send_binary(b"x").await;
    let data = r#"{"_placeholder":true,"num":1}"#;
    client
        .send(&format!(r#"4[2,"/",null,["echo",{data}]]"#))
        .await;
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_decoder_that_panics_costs_its_own_session() {
    let io = server(ToyParser);
    let mut other = Client::open(&io).await;
    join(&mut other).await;
    let mut client = Client::open(&io).await;
    join(&mut client).await;
    client.send("4panic").await;
    client.send(r#"4[2,"/",null,["echo"]]"#).await;
    client.closed().await;
    other
        .ask(r#"4[2,"/",null,["echo"]]"#, r#"4[2,"/",null,["echo"]]"#)
        .await;
}

/// The default parser, but for the name of one event.
#[derive(Debug)]
struct Renaming;

impl Parser for Renaming {
    fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        let data = packet.data.replace(r#"["old""#, r#"["new""#);
        let is_hidden = packet.packet_type == PacketType::Event && data == r#"["hidden"]"#;
        if is_hidden {
            return Frames::from_iter([]);
        }
        DefaultParser.encode(&Outgoing {
            data: &data,
            ..*packet
        })
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        DefaultParser.decoder()
    }
}

#[tokio::test(start_paused = true)]
async fn the_default_parser_may_be_wrapped() {
    let io = server(Renaming);
    let (mut client, _) = Client::connect_as(&io).await;
    io.emit("hidden", ()).unwrap();
    io.emit("old", (1,)).unwrap();
    client.expect(r#"42["new",1]"#).await;
    client.ask(r#"421["echo",2]"#, "431[2]").await;
    client
        .send(r#"451-2["echo",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(b"x").await;
    client
        .expect(r#"461-2[{"_placeholder":true,"num":0}]"#)
        .await;
    assert_eq!(client.binary().await, "x");
    client.send(r#"451-2["echo"]"#).await;
    client.send(r#"42["echo"]"#).await;
    client.closed().await;
}

/// A packet whose data is a list, in MessagePack.
fn msgpack(packet_type: u8, data: &[u8]) -> Vec<u8> {
    [
        b"\x83\xa4type",
        &[packet_type][..],
        b"\xa4data",
        data,
        b"\xa3nsp\xa1/",
    ]
    .concat()
}

#[tokio::test(start_paused = true)]
async fn msgpack_has_binary_data_where_it_belongs() {
    let io = server(Msgpack);
    let (note, mut notes) = notes();
    io.of("/").on(
        "up",
        async move |_: Event, (name, data): (String, Binary)| {
            note.add(format!("{name} {}", data.len()));
        },
    );
    let mut client = Client::open(&io).await;
    client.send_binary(b"\x82\xa4type\x00\xa3nsp\xa1/").await;
    let reply = client.binary().await;
    let sid = reply
        .strip_prefix(b"\x83\xa4type\x00\xa4data\x81\xa3sid\xb4")
        .unwrap();
    assert_eq!(&sid[20..], b"\xa3nsp\xa1/");
    client
        .send_binary(&msgpack(2, b"\x93\xa2up\xa1x\xc4\x03123"))
        .await;
    notes.expect("x 3").await;
    let echo = msgpack(2, b"\x93\xa4echo\x81\xa1a\xc4\x01x\x01");
    client.send_binary(&echo).await;
    assert_eq!(client.binary().await, echo);
    io.emit("to all", (Binary(vec![7].into()), 1)).unwrap();
    let expected = msgpack(2, b"\x93\xa6to all\xc4\x01\x07\x01");
    assert_eq!(client.binary().await, expected);
    let answer = io.of("/").sockets()[0].emit_with_ack::<Binary>("ask", ());
    let expected = b"\x84\xa4type\x02\xa4data\x91\xa3ask\xa2id\x00\xa3nsp\xa1/";
    assert_eq!(client.binary().await, &expected[..]);
    client
        .send_binary(b"\x84\xa4type\x03\xa4data\x91\xc4\x01y\xa2id\x00\xa3nsp\xa1/")
        .await;
    assert_eq!(answer.await.unwrap().0, "y");
    // Passed over, with the rest of the packet intact.
    client
        .send_binary(&msgpack(2, b"\x92\xa4echo\xd4\x00\x00"))
        .await;
    assert_eq!(client.binary().await, msgpack(2, b"\x92\xa4echo\xc0"));
    client.send("42[\"echo\"]").await;
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn msgpack_keeps_the_bounds_of_the_server() {
    let limits = || Config {
        parser: Some(Arc::new(Msgpack)),
        max_attachments: 1,
        max_pending_attachment_bytes: 4,
        max_event_name: 5,
        max_auth_bytes: 8,
        ..Config::default()
    };
    for packet in [
        msgpack(2, b"\x91\xa6longer"),
        msgpack(2, b"\x93\xa1e\xc4\x01x\xc4\x01x"),
        msgpack(2, b"\x92\xa1e\xc4\x0512345"),
        msgpack(2, b"\x91\xaadisconnect"),
        msgpack(2, b"\x92\xa1e\x92"),
        msgpack(2, &[b"\x92\xa1e", &[0x91; 127][..], b"\xc0"].concat()),
        msgpack(4, b"\x81\xa7message\xa2no"),
        b"\x83\xa4type\x00\xa4data\x81\xa1a\xa3bcd\xa3nsp\xa6/other".to_vec(),
    ] {
        let io = Server::with_config(limits());
        let mut client = Client::open(&io).await;
        client.send_binary(b"\x82\xa4type\x00\xa3nsp\xa1/").await;
        client.binary().await;
        client
            .send_binary(&msgpack(2, b"\x92\xa1e\xc4\x041234"))
            .await;
        client.send_binary(b"\x82\xa4type\x00\xa3nsp\xa3/no").await;
        client.binary().await;
        client.send_binary(&packet).await;
        client.closed().await;
    }
}
