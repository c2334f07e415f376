//! Clients that were cut off, and come back as who they were. The client here answers as the official one does.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketio::{Config, ConnectError, Event, Recovery, Server, Socket};
use tokio::time::sleep;

use crate::client::{Client, notes, until};

/// What a client remembers over its connections, as the official one does.
#[derive(Default, Clone)]
pub struct Memory {
    pub pid: Option<String>,
    pub offset: Option<String>,
}

/// A client in the main namespace.
pub struct Visitor {
    pub client: Client,
    pub id: String,
    pub memory: Memory,
    pub recovered: bool,
}

impl Memory {
    pub async fn come(&self, io: &Server) -> Visitor {
        self.try_come(io, json!({})).await.unwrap()
    }

    /// Connects with an auth payload. The error is what the server says.
    async fn try_come(&self, io: &Server, auth: Value) -> Result<Visitor, Value> {
        let mut client = Client::open(io).await;
        client.send(&self.connect_packet(auth)).await;
        self.admitted(client).await
    }

    fn connect_packet(&self, auth: Value) -> String {
        let mut payload = json!({});
        if let Some(pid) = &self.pid {
            payload["pid"] = json!(pid);
            if let Some(offset) = &self.offset {
                payload["offset"] = json!(offset);
            }
        }
        for (key, value) in auth.as_object().unwrap() {
            payload[key] = value.clone();
        }
        format!("40{payload}")
    }

    async fn admitted(&self, mut client: Client) -> Result<Visitor, Value> {
        let reply = client.text().await;
        if let Some(error) = reply.strip_prefix("44") {
            return Err(serde_json::from_str(error).unwrap());
        }
        #[derive(Deserialize)]
        struct Reply {
            sid: String,
            pid: String,
        }
        let reply: Reply = serde_json::from_str(reply.strip_prefix("40").unwrap()).unwrap();
        let mut memory = self.clone();
        let recovered = memory.pid.as_ref() == Some(&reply.pid);
        memory.pid = Some(reply.pid);
        Ok(Visitor {
            client,
            id: reply.sid,
            memory,
            recovered,
        })
    }
}

impl Visitor {
    pub async fn new(io: &Server) -> Self {
        Memory::default().come(io).await
    }

    /// The next event without its offset.
    pub async fn event(&mut self) -> Value {
        let text = self.client.text().await;
        let mut event: Value = serde_json::from_str(text.strip_prefix("42").unwrap()).unwrap();
        let items = event.as_array_mut().unwrap();
        if let Some(Value::String(offset)) = items.last() {
            self.memory.offset = Some(offset.clone());
            // A number, so that it is told from one of the events' own strings.
            if offset.len() > 9 && offset.as_bytes()[8] == b'.' {
                items.pop();
            }
        }
        event
    }

    pub async fn expect(&mut self, event: Value) {
        assert_eq!(self.event().await, event);
    }

    /// Everything that was sent has come.
    pub async fn quiet(&mut self) {
        self.client.quiet().await;
    }

    /// Goes away without a word, and the server has noticed.
    pub async fn cut(self, io: &Server) -> Memory {
        let Self {
            client, id, memory, ..
        } = self;
        client.vanish();
        let main = io.of("/");
        until(|| main.socket(&id).is_none()).await;
        memory
    }
}

fn server() -> Server {
    server_with(Recovery::default())
}

fn server_with(recovery: Recovery) -> Server {
    Server::with_config(Config {
        recovery: Some(recovery),
        ..Config::default()
    })
}

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
async fn for_ever_is_not_too_long() {
    let io = server_with(Recovery {
        max_disconnection_duration: Duration::MAX,
        ..Recovery::default()
    });
    io.of_matching(|_| true);
    let memory = Visitor::new(&io).await.cut(&io).await;
    let mut tenant = Client::open(&io).await;
    tenant.send("40/tenant,").await;
    tenant.text().await;
    tenant.vanish();
    io.emit("n", 1).unwrap();
    sleep(Duration::from_secs(1_000_000)).await;
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 1])).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_left_or_was_sent_away_is_not_recovered() {
    let io = server();
    io.of("/")
        .on("kick me", async |ev: Event, (close,): (bool,)| {
            if close {
                ev.socket.close();
            } else {
                ev.socket.disconnect();
            }
        });
    for packet in ["41", r#"42["kick me",false]"#, r#"42["kick me",true]"#] {
        let mut one = Visitor::new(&io).await;
        let id = one.id.clone();
        one.client.send(packet).await;
        until(|| io.of("/").socket(&id).is_none()).await;
        io.emit("missed", 1).unwrap();
        let socket = one.memory.come(&io).await;
        assert!(!socket.recovered, "{packet}");
        assert_ne!(socket.id, id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dead_unnoticed_is_taken_over() {
    let (note, mut notes) = notes();
    let io = server();
    let (on_disconnecting, on_disconnect) = (note.clone(), note.clone());
    io.of("/")
        .on_connect(async move |socket: Socket| note.add(format!("here {}", socket.recovered())))
        .on_disconnecting(async move |socket: Socket, reason| {
            on_disconnecting.add(format!("leaving {} {reason}", socket.rooms().len()));
        })
        .on_disconnect(async move |_: Socket, reason| on_disconnect.add(reason));
    let mut one = Visitor::new(&io).await;
    notes.expect("here false").await;
    let old = io.of("/").socket(&one.id).unwrap();
    old.join("room").unwrap();
    io.emit("n", 1).unwrap();
    one.expect(json!(["n", 1])).await;
    io.to("room").emit("n", 2).unwrap();

    let mut two = one.memory.come(&io).await;
    assert!(two.recovered);
    two.expect(json!(["n", 2])).await;
    notes.expect("leaving 2 transport close").await;
    notes.expect("transport close").await;
    notes.expect("here true").await;
    assert!(!old.is_connected());
    assert_eq!(io.of("/").sockets().len(), 1);
    io.to("room").emit("n", 3).unwrap();
    two.expect(json!(["n", 3])).await;
    one.expect(json!(["n", 2])).await;
    one.client.closed().await;
    two.quiet().await;
    notes.none();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_recovered_before_the_middlewares_have_agreed() {
    #[derive(Deserialize)]
    struct Login {
        token: String,
    }
    let io = server();
    io.of("/").middleware(async |socket: Socket, login: Login| {
        sleep(Duration::from_secs(5)).await;
        if login.token == "secret" {
            socket.join("by the middleware").unwrap();
            Ok(())
        } else {
            Err(ConnectError::new("unauthorized"))
        }
    });
    let right = json!({ "token": "secret" });
    let one = Memory::default()
        .try_come(&io, right.clone())
        .await
        .unwrap();
    let id = one.id.clone();
    let memory = one.memory.clone();
    let wrong = memory.try_come(&io, json!({ "token": "guess" })).await;
    assert_eq!(wrong.err(), Some(json!({ "message": "unauthorized" })));
    assert!(io.of("/").socket(&id).unwrap().is_connected(), "untouched");
    let memory = one.cut(&io).await;
    io.emit("n", 1).unwrap();
    let coming = memory.try_come(&io, right);
    // Events while the middleware runs are no less missed.
    let emitting = async {
        sleep(Duration::from_secs(2)).await;
        io.emit("n", 2).unwrap();
    };
    let (one, ()) = tokio::join!(coming, emitting);
    let mut one = one.unwrap();
    assert!(one.recovered);
    assert_eq!(one.id, id);
    io.emit("n", 3).unwrap();
    for n in 1..=3 {
        one.expect(json!(["n", n])).await;
    }
    let rooms = io.of("/").socket(&id).unwrap().rooms();
    assert!(rooms.contains(&"by the middleware".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_middleware_slower_than_the_window_loses_nothing() {
    let io = server_with(Recovery {
        max_disconnection_duration: Duration::from_secs(3),
        ..Recovery::default()
    });
    io.of("/").middleware(async |socket: Socket, ()| {
        let known = socket.data::<String>().map(|name| name.to_string());
        assert_eq!(known.is_some(), socket.recovered());
        sleep(Duration::from_secs(9)).await;
        Ok(())
    });
    let one = Visitor::new(&io).await;
    let id = one.id.clone();
    io.of("/").socket(&id).unwrap().set("name".to_owned());
    let memory = one.cut(&io).await;
    sleep(Duration::from_secs(2)).await;
    let (one, ()) = tokio::join!(memory.come(&io), async {
        for n in 0..8 {
            io.emit("n", n).unwrap();
            sleep(Duration::from_secs(1)).await;
        }
    });
    let mut one = one;
    assert!(one.recovered);
    assert_eq!(one.id, id);
    for n in 0..8 {
        one.expect(json!(["n", n])).await;
    }
    one.quiet().await;
    // But who comes too late comes too late.
    let memory = one.cut(&io).await;
    sleep(Duration::from_secs(3)).await;
    assert!(!memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn middlewares_are_skipped_only_for_who_is_recovered() {
    let (note, mut notes) = notes();
    let io = server_with(Recovery {
        skip_middlewares: true,
        ..Recovery::default()
    });
    io.of("/").middleware(async move |_: Socket, ()| {
        note.add("asked");
        Ok(())
    });
    let one = Visitor::new(&io).await;
    notes.expect("asked").await;
    let memory = one.cut(&io).await;
    let one = memory.come(&io).await;
    assert!(one.recovered);
    notes.none();
    let mut memory = one.cut(&io).await;
    memory.offset = Some("garbage".to_owned());
    assert!(!memory.come(&io).await.recovered);
    notes.expect("asked").await;
}

#[tokio::test(start_paused = true)]
async fn of_two_that_come_back_as_one_the_later_counts() {
    let io = server();
    io.of("/").middleware(async |_: Socket, auth: Value| {
        sleep(Duration::from_secs(auth["wait"].as_u64().unwrap())).await;
        Ok(())
    });
    let first = Memory::default();
    let one = first.try_come(&io, json!({ "wait": 0 })).await.unwrap();
    let id = one.id.clone();
    let memory = one.cut(&io).await;
    let slow = async {
        let mut client = Client::open(&io).await;
        client
            .send(&memory.connect_packet(json!({"wait": 6})))
            .await;
        memory.admitted(client).await.err()
    };
    let quick = async {
        sleep(Duration::from_secs(1)).await;
        memory.try_come(&io, json!({ "wait": 1 })).await.unwrap()
    };
    let (slow, quick) = tokio::join!(slow, quick);
    assert_eq!(slow, Some(json!({ "message": "session was taken over" })));
    assert!(quick.recovered);
    assert_eq!(quick.id, id);
    assert_eq!(io.of("/").sockets().len(), 1);
    assert!(io.of("/").socket(&id).unwrap().is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_sent_away_while_its_client_comes_back_is_not_recovered() {
    struct Old;
    struct New;
    let io = server();
    io.of("/").middleware(async |socket: Socket, ()| {
        if socket.recovered() {
            socket.set(New);
            sleep(Duration::from_secs(5)).await;
        }
        Ok(())
    });
    let one = Visitor::new(&io).await;
    let old = io.of("/").socket(&one.id).unwrap();
    old.join("room").unwrap();
    old.set(Old);
    io.emit("n", 1).unwrap();
    let (mut two, ()) = tokio::join!(one.memory.come(&io), async {
        sleep(Duration::from_secs(1)).await;
        old.disconnect();
        io.emit("n", 2).unwrap();
    });
    assert!(!two.recovered);
    let socket = io.of("/").socket(&two.id).unwrap();
    assert!(!socket.recovered());
    assert_eq!(socket.rooms(), [two.id.as_str()]);
    assert!(socket.data::<Old>().is_none() && socket.data::<New>().is_some());
    two.quiet().await;
    io.emit("n", 3).unwrap();
    two.expect(json!(["n", 3])).await;
}

#[tokio::test(start_paused = true)]
async fn a_pid_is_good_for_its_own_namespace() {
    let io = server();
    io.of("/other");
    let memory = Visitor::new(&io).await.cut(&io).await;
    let pid = memory.pid.clone().unwrap();
    assert_eq!(pid.len(), 20);
    let mut client = Client::open(&io).await;
    client.send(&format!(r#"40/other,{{"pid":"{pid}"}}"#)).await;
    let reply = client.text().await;
    assert!(
        reply.starts_with(r#"40/other,{"sid":""#) && !reply.contains(&pid),
        "{reply}"
    );
    for guess in [
        "aaaaaaaaaaaaaaaaaaaa".to_owned(),
        pid[..19].to_owned(),
        pid.repeat(100),
    ] {
        let memory = Memory {
            pid: Some(guess),
            offset: None,
        };
        assert!(!memory.come(&io).await.recovered);
    }
    assert!(memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_clients_brought_about_stays_until_nobody_may_come_back() {
    let io = server();
    let (note, mut notes) = notes();
    io.of_matching(|name| name.starts_with("/tenant-"));
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    let connect = async |payload: &str| {
        let mut client = Client::open(&io).await;
        client.send(&format!("40/tenant-1,{payload}")).await;
        let reply = client.text().await;
        let reply = reply.strip_prefix("40/tenant-1,").unwrap();
        let reply: Value = serde_json::from_str(reply).unwrap();
        (client, reply["sid"].clone(), reply["pid"].clone())
    };
    let (client, sid, pid) = connect("{}").await;
    let tenant = io.of("/tenant-1");
    client.vanish();
    until(|| tenant.sockets().is_empty()).await;
    sleep(Duration::from_secs(100)).await;
    for wait in [100, 121] {
        let (client, again, same) = connect(&json!({ "pid": pid }).to_string()).await;
        assert_eq!((again == sid, same == pid), (true, true), "{wait}");
        client.vanish();
        until(|| tenant.sockets().is_empty()).await;
        sleep(Duration::from_secs(wait)).await;
    }
    notes.expect("/tenant-1").await;
    notes.none();
    let (_client, again, _) = connect(&json!({ "pid": pid }).to_string()).await;
    assert_ne!(again, sid);
    notes.expect("/tenant-1").await;
}

#[tokio::test(start_paused = true)]
async fn after_long_idle_a_client_is_recovered_if_nothing_was_for_it() {
    let io = server_with(Recovery {
        max_packets: 5,
        ..Recovery::default()
    });
    let mut one = Visitor::new(&io).await;
    let other = Visitor::new(&io).await;
    let only = |n: u64| io.to(other.id.as_str()).emit("n", n).unwrap();
    io.emit("n", 0).unwrap();
    one.expect(json!(["n", 0])).await;
    (1..=20).for_each(only);
    let memory = one.cut(&io).await;
    io.emit("n", 21).unwrap();
    let mut one = memory.come(&io).await;
    assert!(
        one.recovered,
        "its offset is gone, but it has missed nothing that is"
    );
    one.expect(json!(["n", 21])).await;
    // Now it misses something that is gone, though the last of it is there.
    let memory = one.memory.clone();
    io.emit("n", 22).unwrap();
    (23..=26).for_each(only);
    io.emit("n", 27).unwrap();
    one.cut(&io).await;
    assert!(!memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_the_clients_queue_is_not_sent_again() {
    let io = server();
    let memory = Visitor::new(&io).await.cut(&io).await;
    for _ in 0..11 {
        io.emit("large", "x".repeat(100_000)).unwrap();
    }
    let mut one = memory.come(&io).await;
    assert!(!one.recovered);
    one.quiet().await;
    let memory = one.cut(&io).await;
    for _ in 0..9 {
        io.emit("large", "x".repeat(100_000)).unwrap();
    }
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    for _ in 0..9 {
        one.event().await;
    }
    one.quiet().await;
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
