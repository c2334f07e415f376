//! Answers in both directions.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use socketio::{AckError, Config, EmitError, Event, Server, Socket};

use crate::client::{Client, notes};

async fn socket(io: &Server) -> (Client, Socket) {
    let client = Client::connect(io).await;
    let socket = io.of("/").sockets().pop().unwrap();
    (client, socket)
}

#[tokio::test(start_paused = true)]
async fn a_client_gets_one_answer_if_it_asked_for_one() {
    let io = Server::new();
    io.of("/").on("ask", async |ev: Event, ()| {
        let wanted = ev.wants_ack();
        ev.ack((wanted,))?;
        assert!(!ev.wants_ack());
        ev.ack(("again",))
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"420["ask"]"#, "430[true]").await;
    client.send(r#"42["ask"]"#).await;
    client.quiet().await;
    assert_eq!(io.counters().handler_errors, 0);
}

#[tokio::test(start_paused = true)]
async fn several_handlers_share_the_right_to_answer() {
    let io = Server::new();
    io.of("/")
        .on("ask", async |ev: Event, ()| ev.ack(("first",)))
        .on("ask", async |ev: Event, ()| ev.ack(("second",)));
    let mut client = Client::connect(&io).await;
    client.ask(r#"420["ask"]"#, r#"430["first"]"#).await;
    client.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_later_and_from_elsewhere() {
    let io = Server::new();
    io.of("/").on("ask", async |ev: Event, ()| {
        tokio::spawn(async move { ev.ack(("late",)) });
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"42007["ask"]"#, r#"437["late"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_gets_the_clients_answer() {
    let io = Server::new();
    let (mut client, socket) = socket(&io).await;
    let answer = socket.emit_with_ack::<(String, u8)>("question", ("6 x 7",));
    client.expect(r#"420["question","6 x 7"]"#).await;
    client.send(r#"430["forty-two",42,"more"]"#).await;
    assert_eq!(answer.await, Ok(("forty-two".to_owned(), 42)));
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_awaited_for_ever() {
    let io = Server::with_config(Config {
        ack_timeout: Duration::MAX,
        ..Config::default()
    });
    let (mut client, socket) = socket(&io).await;
    let one = socket.emit_with_ack::<(u8,)>("one", ());
    let all = io.emit_with_ack::<(u8,)>("all", ());
    client.expect(r#"420["one"]"#).await;
    client.expect(r#"421["all"]"#).await;
    client.send("430[1]").await;
    client.send("431[2]").await;
    assert_eq!(one.await, Ok((1,)));
    assert_eq!(all.await, Ok(vec![Ok((2,))]));
}

#[tokio::test(start_paused = true)]
async fn the_event_is_emitted_before_the_answer_is_awaited() {
    let io = Server::new();
    let (mut client, socket) = socket(&io).await;
    let first = socket.emit_with_ack::<(u8,)>("a", ());
    socket.emit("b", ()).unwrap();
    let second = socket.emit_with_ack::<(u8,)>("c", ());
    for text in [r#"420["a"]"#, r#"42["b"]"#, r#"421["c"]"#] {
        client.expect(text).await;
    }
    client.send("431[1]").await;
    client.send("430[0]").await;
    assert_eq!((first.await, second.await), (Ok((0,)), Ok((1,))));
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_wait_ends_in_time() {
    let io = Server::new();
    let (mut client, socket) = socket(&io).await;
    let asked = tokio::time::Instant::now();
    let short = socket
        .timeout(Duration::from_secs(2))
        .emit_with_ack::<()>("q", ());
    let long = socket.emit_with_ack::<()>("q", ());
    assert_eq!(short.await, Err(AckError::Timeout));
    assert_eq!(asked.elapsed().as_secs(), 2);
    client.expect(r#"420["q"]"#).await;
    client.expect(r#"421["q"]"#).await;
    client.send("430[]").await;
    client.quiet().await;
    assert_eq!(io.counters().ignored_acks, 1, "it came too late");
    tokio::spawn(client.stay());
    assert_eq!(long.await, Err(AckError::Timeout));
    assert_eq!(asked.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn answers_to_nothing_are_ignored() {
    let io = Server::new();
    let (mut client, socket) = socket(&io).await;
    let answer = socket.emit_with_ack::<(u8,)>("q", ());
    client.expect(r#"420["q"]"#).await;
    for packet in ["437[]", "43[]", "43", "430[1]", "430[2]"] {
        client.send(packet).await;
    }
    client.quiet().await;
    assert_eq!(answer.await, Ok((1,)));
    assert_eq!(io.counters().ignored_acks, 4);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_type_is_an_error() {
    let io = Server::new();
    let (mut client, socket) = socket(&io).await;
    let answer = socket.emit_with_ack::<(u8,)>("q", ());
    client.ask(r#"430["text"]"#, r#"420["q"]"#).await;
    assert!(matches!(answer.await, Err(AckError::Answer(_))));
}

#[tokio::test(start_paused = true)]
async fn pending_answers_fail_when_the_socket_ends() {
    let io = Server::new();
    let (client, socket) = socket(&io).await;
    let answer = socket.emit_with_ack::<()>("q", ());
    client.vanish();
    assert_eq!(answer.await, Err(AckError::Disconnected));
    let error = socket.emit_with_ack::<()>("q", ()).await;
    assert_eq!(error, Err(AckError::Emit(EmitError::NotConnected)));
}

#[tokio::test(start_paused = true)]
async fn pending_answers_are_bounded_and_dropped_ones_do_not_count() {
    let io = Server::with_config(Config {
        max_pending_acks: 2,
        ..Config::default()
    });
    let (mut client, socket) = socket(&io).await;
    let kept = socket.emit_with_ack::<()>("q", ());
    let dropped = socket.emit_with_ack::<()>("q", ());
    let refused = socket.emit_with_ack::<()>("q", ());
    assert_eq!(refused.await, Err(AckError::TooManyPending));
    drop(dropped);
    let third = socket.emit_with_ack::<()>("q", ());
    for id in [0, 1, 3] {
        client.expect(&format!(r#"42{id}["q"]"#)).await;
    }
    client.send("430[]").await;
    client.send("433[]").await;
    assert_eq!((kept.await, third.await), (Ok(()), Ok(())));
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_wait_for_its_own_clients_answer() {
    let io = Server::with_config(Config {
        max_inflight_handlers: 1,
        ..Config::default()
    });
    io.of("/").on("ask me", async |ev: Event, ()| {
        let (answer,) = ev.socket.emit_with_ack::<(u8,)>("question", ()).await?;
        ev.ack((answer + 1,)).map_err(AckError::from)
    });
    let mut client = Client::connect(&io).await;
    client.ask(r#"425["ask me"]"#, r#"420["question"]"#).await;
    client.ask("430[41]", "435[42]").await;
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_gathers_the_answers_of_all() {
    let io = Server::new();
    let (mut a, _) = socket(&io).await;
    let (mut b, _) = socket(&io).await;
    let (mut c, third) = socket(&io).await;
    third.join("not asked").unwrap();
    let ask = io.of("/").except("not asked");
    let answers = ask.emit_with_ack::<(u8,)>("vote", ("now",));
    a.expect(r#"420["vote","now"]"#).await;
    b.ask("430[2]", r#"420["vote","now"]"#).await;
    a.send("430[1]").await;
    a.send("430[9]").await;
    assert_eq!(answers.await, Ok(vec![Ok((2,)), Ok((1,))]));
    c.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_broadcast_has_what_has_come() {
    let io = Server::new();
    let (mut a, _) = socket(&io).await;
    let (b, _) = socket(&io).await;
    let (_c, _) = socket(&io).await;
    let asked = tokio::time::Instant::now();
    let answers = io
        .timeout(Duration::from_secs(3))
        .emit_with_ack::<(u8,)>("vote", ());
    a.ask("430[1]", r#"420["vote"]"#).await;
    b.vanish();
    let answers = answers.await.unwrap();
    assert_eq!(
        answers,
        [
            Ok((1,)),
            Err(AckError::Disconnected),
            Err(AckError::Timeout)
        ]
    );
    assert_eq!(asked.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_answers_to_a_broadcast_come_one_by_one() {
    let io = Server::new();
    let (mut a, a_id) = Client::connect_as(&io).await;
    let (mut b, b_id) = Client::connect_as(&io).await;
    let (c, c_id) = Client::connect_as(&io).await;
    let asked = tokio::time::Instant::now();
    let ask = io.timeout(Duration::from_secs(3));
    let mut answers = ask
        .emit_with_ack::<(u8,)>("vote", ())
        .stream()
        .unwrap()
        .map(|from| (from.id.unwrap().to_string(), from.answer));
    b.ask("430[2]", r#"420["vote"]"#).await;
    assert_eq!(answers.next().await, Some((b_id, Ok((2,)))));
    c.vanish();
    let gone = (c_id, Err(AckError::Disconnected));
    assert_eq!(answers.next().await, Some(gone));
    assert_eq!(asked.elapsed().as_secs(), 0);
    let late = (a_id, Err(AckError::Timeout));
    assert_eq!(answers.next().await, Some(late));
    assert_eq!(asked.elapsed().as_secs(), 3);
    assert_eq!(answers.next().await, None);
    assert_eq!(answers.next().await, None, "it stays at its end");
    a.ask("430[1]", r#"420["vote"]"#).await;
    a.quiet().await;
    assert_eq!(io.counters().ignored_acks, 1, "it came too late");
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_answers_that_is_dropped_leaves_nothing_behind() {
    let io = Server::with_config(Config {
        max_pending_acks: 1,
        ..Config::default()
    });
    let (mut client, socket) = socket(&io).await;
    let mut answers = io.emit_with_ack::<(u8,)>("vote", ()).stream().unwrap();
    assert_eq!(answers.next().now_or_never(), None);
    let refused = socket.emit_with_ack::<(u8,)>("q", ()).await;
    assert_eq!(refused, Err(AckError::TooManyPending));
    drop(answers);
    let taken = socket.emit_with_ack::<(u8,)>("q", ());
    client.expect(r#"420["vote"]"#).await;
    client.ask("432[1]", r#"422["q"]"#).await;
    assert_eq!(taken.await, Ok((1,)));
    let failed = io.emit_with_ack::<()>("disconnect", ()).stream();
    assert!(matches!(failed, Err(EmitError::Encode(_))));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_to_nobody_is_answered_at_once() {
    let io = Server::new();
    let asked = tokio::time::Instant::now();
    let answers = io.to("nobody").emit_with_ack::<()>("vote", ()).await;
    assert_eq!(answers, Ok(vec![]));
    assert_eq!(asked.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_answers_are_gathered() {
    let io = Server::with_config(Config {
        max_ack_responses: 1,
        ..Config::default()
    });
    let (mut a, _) = socket(&io).await;
    let (mut b, _) = socket(&io).await;
    let answers = io.emit_with_ack::<(u8,)>("vote", ());
    b.ask("430[2]", r#"420["vote"]"#).await;
    a.ask("430[1]", r#"420["vote"]"#).await;
    assert_eq!(answers.await, Ok(vec![Ok((1,))]));
}

#[tokio::test(start_paused = true)]
async fn answers_outside_of_a_runtime_do_no_harm() {
    let io = Server::new();
    let (note, mut notes) = notes();
    io.of("/").on_disconnect(async move |_: Socket, why| {
        tokio::task::yield_now().await;
        note.add(why);
    });
    let (_client, socket) = socket(&io).await;
    std::thread::spawn(move || {
        let answer = socket.emit_with_ack::<()>("q", ());
        drop(answer);
        socket.disconnect();
    })
    .join()
    .unwrap();
    notes.expect("server namespace disconnect").await;
}
