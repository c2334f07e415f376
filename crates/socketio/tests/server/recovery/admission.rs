//! Who is let in as who it was, and who is not.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use socketio::{ConnectError, Event, Recovery, Socket};
use tokio::time::sleep;

use super::visitor::{Memory, Visitor, server, server_with};
use crate::client::{Client, notes, until};

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
async fn an_emit_in_the_last_handlers_is_kept_for_who_may_come_back_alone() {
    let (note, mut notes) = notes();
    let io = server();
    io.of("/").on_disconnecting(async move |socket: Socket, _| {
        note.add(socket.emit("late", ()).is_ok());
    });
    let one = Visitor::new(&io).await;
    let memory = one.cut(&io).await;
    notes.expect("true").await;
    let mut one = memory.come(&io).await;
    one.expect(json!(["late"])).await;
    io.of("/").socket(&one.id).unwrap().disconnect();
    notes.expect("false").await;
    assert!(!one.memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn a_middleware_can_refuse_a_session_of_somebody_else() {
    struct User(String);
    let io = server();
    io.of("/").middleware(async |socket: Socket, auth: Value| {
        let user = auth["user"].to_string();
        match socket.data::<User>() {
            Some(was) if was.0 != user => Err(ConnectError::new("not yours")),
            _ => {
                socket.set(User(user));
                Ok(())
            }
        }
    });
    let ada = json!({ "user": "ada" });
    let one = Memory::default().try_come(&io, ada.clone()).await.unwrap();
    let memory = one.cut(&io).await;
    io.emit("n", 1).unwrap();
    let thief = memory.try_come(&io, json!({ "user": "eve" })).await;
    assert_eq!(thief.err(), Some(json!({ "message": "not yours" })));
    let mut one = memory.try_come(&io, ada).await.unwrap();
    assert!(one.recovered);
    one.expect(json!(["n", 1])).await;
}
