//! Clients that were cut off, and come back as who they were.

mod admission;
mod limits;
mod store;
mod visitor;

use serde::Serialize;
use serde_json::json;
use socketio::{Args, Event, Server};

use self::visitor::{Visitor, server};
use crate::client::Client;

#[tokio::test(start_paused = true)]
async fn without_the_option_nothing_is_added_to_packets() {
    let io = Server::new();
    let mut client = Client::open(&io).await;
    client.join("/").await;
    io.emit("news", ("text",)).unwrap();
    client.expect(r#"42["news","text"]"#).await;
    assert!(!io.of("/").sockets()[0].recovered());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_cut_off_is_the_same_socket_and_gets_what_it_has_missed() {
    struct Name(&'static str);
    let io = server();
    let mut one = Visitor::new(&io).await;
    let id = one.id.clone();
    let socket = io.of("/").socket(&id).unwrap();
    socket.join(["a", "b"]).unwrap();
    socket.set(Name("somebody"));
    assert!(!socket.recovered());
    io.emit("first", 1).unwrap();
    one.expect(json!(["first", 1])).await;

    let memory = one.cut(&io).await;
    io.emit("for all", 2).unwrap();
    io.to("a").emit("for a", 3).unwrap();
    io.to("c").emit("for c", 4).unwrap();
    io.to(["a", "b"]).emit("for a and b", 5).unwrap();
    io.except("b").emit("not for b", 6).unwrap();
    io.to(id.as_str()).emit("for it", "text").unwrap();
    socket.emit("by its old handle", ()).unwrap();
    io.volatile().emit("volatile", 7).unwrap();

    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    assert_eq!(one.id, id);
    for event in [
        json!(["for all", 2]),
        json!(["for a", 3]),
        json!(["for a and b", 5]),
        json!(["for it", "text"]),
        json!(["by its old handle"]),
    ] {
        one.expect(event).await;
    }
    let again = io.of("/").socket(&id).unwrap();
    assert!(again.recovered());
    assert_eq!(again.data::<Name>().unwrap().0, "somebody");
    let mut rooms = again.rooms();
    rooms.sort();
    assert_eq!(rooms.len(), 3);
    assert_eq!(rooms.iter().filter(|room| **room == id).count(), 1);
    io.to("b").emit("live", 8).unwrap();
    one.expect(json!(["live", 8])).await;
    socket.emit("by its old handle", 9).unwrap();
    one.expect(json!(["by its old handle", 9])).await;
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_received_nothing_yet_is_recovered() {
    let io = server();
    io.emit("before its time", ()).unwrap();
    let one = Visitor::new(&io).await;
    let memory = one.cut(&io).await;
    io.emit("missed", 1).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["missed", 1])).await;
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn twice_in_a_row_and_in_the_middle_of_it_each_event_comes_once() {
    let io = server();
    let mut one = Visitor::new(&io).await;
    io.emit("n", 0).unwrap();
    one.expect(json!(["n", 0])).await;
    let memory = one.cut(&io).await;
    for n in 1..=4 {
        io.emit("n", n).unwrap();
    }
    let mut one = memory.come(&io).await;
    one.expect(json!(["n", 1])).await;
    one.expect(json!(["n", 2])).await;
    let memory = one.cut(&io).await;
    io.emit("n", 5).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    for n in 3..=5 {
        one.expect(json!(["n", n])).await;
    }
    one.quiet().await;
    let mut one = one.cut(&io).await.come(&io).await;
    assert!(one.recovered);
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_offset_of_the_session_before_is_no_offset_of_this_one() {
    let io = server();
    let mut one = Visitor::new(&io).await;
    io.emit("n", 0).unwrap();
    one.expect(json!(["n", 0])).await;
    io.of("/").socket(&one.id).unwrap().disconnect();
    let mut memory = one.memory.clone();
    one.client.expect("41").await;
    io.emit("n", 1).unwrap();
    let mut one = memory.come(&io).await;
    assert!(!one.recovered);
    one.quiet().await;
    let offset = one.memory.offset.clone();
    assert!(offset.is_some(), "the client keeps it");
    memory = one.cut(&io).await;
    io.emit("n", 2).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 2])).await;
    one.quiet().await;
    // The same with an offset of a server that is no more.
    let mut memory = one.cut(&io).await;
    memory.offset = offset;
    let other = server();
    let memory = memory.come(&other).await.cut(&other).await;
    other.emit("n", 3).unwrap();
    let mut one = memory.come(&other).await;
    assert!(one.recovered);
    one.expect(json!(["n", 3])).await;
}

#[tokio::test(start_paused = true)]
async fn events_that_end_in_a_string_do_no_harm() {
    let io = server();
    let mut one = Visitor::new(&io).await;
    let socket = io.of("/").socket(&one.id).unwrap();
    io.emit("n", "a string").unwrap();
    one.expect(json!(["n", "a string"])).await;
    let packet = io.of("/").encode("prepared", ("a string",)).unwrap();
    // Each would be taken for an offset.
    io.volatile().emit("volatile", "a string").unwrap();
    one.expect(json!(["volatile", "a string"])).await;
    socket.volatile().emit("without arguments", ()).unwrap();
    one.expect(json!(["without arguments"])).await;
    socket.try_emit(&packet).unwrap();
    one.expect(json!(["prepared", "a string", null])).await;
    let memory = one.cut(&io).await;
    io.emit("n", 2).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 2])).await;
    one.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_cannot_forge_the_offset_of_another() {
    let io = server();
    io.on("say", async |ev: Event, args: Args| {
        ev.socket.broadcast().volatile().emit("said", args)
    });
    let mut one = Visitor::new(&io).await;
    let mut other = Visitor::new(&io).await;
    io.emit("n", 1).unwrap();
    one.expect(json!(["n", 1])).await;
    other.expect(json!(["n", 1])).await;
    let known = other.memory.offset.clone().unwrap();
    // With a blank behind it, which JSON allows.
    let later = known.replace(".1", ".2");
    let said = format!(r#"42["say","{later}" ]"#);
    other.client.send(&said).await;
    one.expect(json!(["said", later])).await;
    assert_eq!(one.memory.offset, Some(known));
    let memory = one.cut(&io).await;
    io.emit("n", 2).unwrap();
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 2])).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_offset_of_ours_is_not_guessed_at() {
    let io = server();
    for offset in ["garbage", "", "AAAAAAAA.", "-1"] {
        let one = Visitor::new(&io).await;
        let id = one.id.clone();
        let mut memory = one.cut(&io).await;
        memory.offset = Some(offset.to_owned());
        io.emit("missed", 1).unwrap();
        let mut one = memory.come(&io).await;
        assert!(!one.recovered, "{offset}");
        assert_ne!(one.id, id);
        one.quiet().await;
        // The session is used up.
        memory.offset = None;
        assert!(!memory.come(&io).await.recovered);
    }
}

#[tokio::test(start_paused = true)]
async fn binary_events_come_again_whole() {
    #[derive(Serialize)]
    struct File {
        data: socketio::Binary,
    }
    let io = server();
    let memory = Visitor::new(&io).await.cut(&io).await;
    let data = || socketio::Binary::from(vec![1, 2, 3]);
    io.emit("file", File { data: data() }).unwrap();
    io.emit("n", 1).unwrap();
    let mut one = memory.come(&io).await;
    let header = one.client.text().await;
    assert!(
        header.starts_with(r#"451-["file",{"data":{"_placeholder":true,"num":0}},""#),
        "{header}"
    );
    assert_eq!(one.client.binary().await, [1, 2, 3].as_slice());
    one.expect(json!(["n", 1])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_flaps_among_senders_gets_everything_once_and_in_order() {
    let io = server();
    let sender = tokio::spawn({
        let io = io.clone();
        async move {
            for n in 0..2_000 {
                io.emit("n", n).unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let mut one = Visitor::new(&io).await;
    let mut next = None;
    let mut seen = 0;
    loop {
        let event = one.event().await;
        let n = event[1].as_u64().unwrap();
        assert_eq!(n, next.unwrap_or(n), "in order, without a gap");
        next = Some(n + 1);
        if n == 1_999 {
            break;
        }
        seen += 1;
        if seen % 40 == 0 {
            // The server may or may not have noticed.
            one = one.memory.come(&io).await;
            assert!(one.recovered);
        }
    }
    sender.await.unwrap();
    one.quiet().await;
    assert_eq!(io.of("/").sockets().len(), 1);
}
