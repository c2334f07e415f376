//! Parsers other than the default one.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, json};
use socketio::{
    Args, Binary, Config, ConnectError, DecodeError, Event, Server, Socket,
    encode::Frames,
    packet::{Limits, PacketType},
    parser::{Decoder, DefaultParser, Frame, Incoming, Message, Outgoing, Parser},
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
