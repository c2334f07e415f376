//! Binary data in both directions.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::{Args, Binary, Config, Event, Server};

use crate::client::{Client, notes};

#[derive(Serialize, Deserialize)]
struct Upload {
    name: String,
    parts: Vec<Binary>,
}

#[tokio::test(start_paused = true)]
async fn attachments_arrive_in_their_places() {
    let io = Server::new();
    io.of("/")
        .on("upload", async |ev: Event, (upload,): (Upload,)| {
            let sizes: Vec<usize> = upload.parts.iter().map(|part| part.len()).collect();
            ev.ack((upload.name, sizes))
        });
    let mut client = Client::connect(&io).await;
    let placeholders = r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    client
        .send(&format!(
            r#"452-7["upload",{{"name":"x","parts":{placeholders}}}]"#
        ))
        .await;
    client.send_binary(b"").await;
    client.send_binary(b"12345").await;
    client.expect(r#"437["x",[5,0,5]]"#).await;
}

#[tokio::test(start_paused = true)]
async fn any_arguments_are_echoed_unchanged() {
    let io = Server::new();
    io.of("/files").on("echo", async |ev: Event, args: Args| {
        ev.socket.emit("echo", &args)?;
        ev.ack(args)
    });
    let mut client = Client::open(&io).await;
    client.join("/files").await;
    let rest = r#"1.0,{"b":[{"_placeholder":true,"num":0}]}]"#;
    client.send(&format!(r#"451-/files,7["echo",{rest}"#)).await;
    client.send_binary(b"data").await;
    client
        .expect(&format!(r#"451-/files,["echo",{rest}"#))
        .await;
    assert_eq!(client.binary().await, "data");
    client.expect(&format!(r#"461-/files,7[{rest}"#)).await;
    assert_eq!(client.binary().await, "data");
    client
        .ask(r#"42/files,["echo"]"#, r#"42/files,["echo"]"#)
        .await;
}

#[tokio::test(start_paused = true)]
async fn attachments_stay_with_their_packet_in_a_broadcast() {
    let io = Server::new();
    let mut clients = [Client::connect(&io).await, Client::connect(&io).await];
    let part = Binary(Bytes::from("pixels"));
    let upload = Upload {
        name: "x".into(),
        parts: vec![part.clone(), Binary::default()],
    };
    io.emit("image", &upload).unwrap();
    io.emit("after", (part,)).unwrap();
    for client in &mut clients {
        client
            .expect(
                r#"452-["image",{"name":"x","parts":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]}]"#,
            )
            .await;
        assert_eq!(client.binary().await, "pixels");
        assert_eq!(client.binary().await, "");
        client
            .expect(r#"451-["after",{"_placeholder":true,"num":0}]"#)
            .await;
        assert_eq!(client.binary().await, "pixels");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_may_be_binary_in_both_directions() {
    let io = Server::new();
    io.of("/").on("swap", async |ev: Event, data: Binary| {
        let (back,): (Binary,) = ev.socket.emit_with_ack("swap", (data,)).await?;
        ev.ack((back, 1)).map_err(socketio::AckError::from)
    });
    let mut client = Client::connect(&io).await;
    client
        .send(r#"451-3["swap",{"_placeholder":true,"num":0}]"#)
        .await;
    client.send_binary(b"one").await;
    client
        .expect(r#"451-0["swap",{"_placeholder":true,"num":0}]"#)
        .await;
    assert_eq!(client.binary().await, "one");
    client.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"two").await;
    client
        .expect(r#"461-3[{"_placeholder":true,"num":0},1]"#)
        .await;
    assert_eq!(client.binary().await, "two");
}

#[tokio::test(start_paused = true)]
async fn broken_binary_packets_close_the_session() {
    let placeholder = |num: &str| format!(r#"451-["x",{{"_placeholder":true,"num":{num}}}]"#);
    let texts = [
        placeholder("1"),
        placeholder("-1"),
        placeholder(r#""0""#),
        placeholder("null"),
        r#"4511-["x"]"#.to_owned(),
        r#"451-["x""#.to_owned(),
        r#"451-/not/joined,["x"]"#.to_owned(),
    ];
    for text in &texts {
        let io = Server::new();
        let mut client = Client::connect(&io).await;
        client.send(text).await;
        client.closed().await;
    }
    let io = Server::new();
    let mut client = Client::connect(&io).await;
    client.send_binary(b"of nothing").await;
    client.closed().await;
    let mut client = Client::connect(&io).await;
    client.send(r#"451-["x"]"#).await;
    client.send(r#"42["y"]"#).await;
    client.closed().await;
}

#[tokio::test(start_paused = true)]
async fn attachments_are_bounded_in_bytes_and_time() {
    let config = || Config {
        max_pending_attachment_bytes: 10,
        attachment_timeout: Duration::from_secs(3),
        ..Config::default()
    };
    let (note, mut notes) = notes();
    let io = Server::with_config(config());
    io.of("/")
        .on("x", async move |_: Event, ()| note.add("arrived"));
    let mut client = Client::connect(&io).await;
    client.send(r#"452-["x"]"#).await;
    client.send_binary(b"12345").await;
    client.send_binary(b"12345").await;
    notes.expect("arrived").await;
    client.send(r#"452-["x"]"#).await;
    client.send_binary(b"12345").await;
    client.send_binary(b"123456").await;
    client.closed().await;
    let mut client = Client::connect(&io).await;
    client.send(r#"451-["x"]"#).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    client.send_binary(b"late").await;
    client.closed().await;
    notes.none();
}
