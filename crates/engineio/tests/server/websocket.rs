//! WebSocket alone.

use std::time::Duration;

use engineio::{CloseReason, Config};
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{
        CloseFrame,
        frame::{Frame, coding::CloseCode},
    },
};

use crate::support::{Server, Told, soon};

#[tokio::test]
async fn messages_come_back_in_order() {
    let mut server = Server::echo(Config::default());
    let mut socket = server.websocket().await;
    socket.send("4héllo").await;
    let binary = Message::binary(vec![1, 2, 3]);
    soon(socket.stream.send(binary)).await.unwrap();
    socket.send("4").await;
    assert_eq!(socket.receive().await, "4héllo");
    assert_eq!(socket.receive().await, "binary b\"\\x01\\x02\\x03\"");
    assert_eq!(socket.receive().await, "4");
    let told = server.told_so_far();
    assert!(
        matches!(&told[2], Told::Binary(_, data) if data == &[1, 2, 3]),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_session_that_began_there_takes_no_requests() {
    let mut server = Server::quiet(Config::default());
    let _socket = server.websocket().await;
    let sid = server.link().sid();
    let target = crate::support::target("polling", sid.as_str());
    let reply = server.connect().get(&target).await;
    reply.assert(400, r#"{"code":3,"message":"Bad request"}"#);
    assert_eq!(server.engine.clients_count(), 1);
}

#[tokio::test]
async fn a_client_that_says_goodbye_ends_with_transport_close() {
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket().await;
    soon(socket.stream.close(None)).await.unwrap();
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    socket.ended().await;
}

#[tokio::test]
async fn a_lost_connection_ends_with_transport_close() {
    let mut server = Server::quiet(Config::default());
    drop(server.websocket().await);
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(server.engine.clients_count(), 0);
}

#[tokio::test]
async fn a_close_packet_ends_with_transport_close_and_a_close_frame() {
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket().await;
    socket.send("4last").await;
    socket.send("1").await;
    assert_eq!(server.message().await, "last");
    assert_eq!(server.closed().await, CloseReason::TransportClose);
    assert_eq!(socket.ended().await, None);
}

#[tokio::test]
async fn what_does_not_decode_ends_with_parse_error() {
    for packet in ["", "x", "9", "b*"] {
        let mut server = Server::quiet(Config::default());
        let mut socket = server.websocket().await;
        socket.send(packet).await;
        assert_eq!(server.closed().await, CloseReason::ParseError, "{packet:?}");
        socket.ended().await;
    }
}

#[tokio::test]
async fn a_message_above_max_payload_is_told_by_1009_and_not_delivered() {
    let config = Config {
        max_payload: 100,
        ..Config::default()
    };
    let mut server = Server::quiet(config);
    let mut socket = server.websocket().await;
    let limit = format!("4{}", "x".repeat(99));
    socket.send(&limit).await;
    assert_eq!(server.message().await.len(), 99);
    socket.send(&format!("{limit}x")).await;
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(code(socket.ended().await), Some(CloseCode::Size));
    assert_eq!(server.told_so_far(), []);
}

#[tokio::test]
async fn a_frame_that_announces_too_much_is_refused_before_it_comes() {
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket().await;
    // A masked binary frame of 2^40 bytes, none of which follow.
    let mut head = vec![0x82, 0x80 | 127];
    head.extend((1_u64 << 40).to_be_bytes());
    head.extend([0; 4]);
    let stream = socket.stream.get_mut();
    soon(stream.write_all(&head)).await.unwrap();
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(code(socket.ended().await), Some(CloseCode::Size));
}

#[tokio::test]
async fn fragments_add_up_to_max_payload_only() {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let mut server = Server::quiet(Config {
        max_payload: 100,
        ..Config::default()
    });
    let mut socket = server.websocket().await;
    let fragment = |kind| Message::Frame(Frame::message("4".repeat(60), OpCode::Data(kind), false));
    for kind in [Data::Text, Data::Continue] {
        soon(socket.stream.send(fragment(kind))).await.unwrap();
    }
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(code(socket.ended().await), Some(CloseCode::Size));
}

#[tokio::test]
async fn text_that_is_not_utf8_is_told_by_1007() {
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let mut server = Server::quiet(Config::default());
    let mut socket = server.websocket().await;
    let frame = Frame::message(vec![b'4', 0xff], OpCode::Data(Data::Text), true);
    soon(socket.stream.send(Message::Frame(frame)))
        .await
        .unwrap();
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(code(socket.ended().await), Some(CloseCode::Invalid));
}

#[tokio::test]
async fn pings_of_the_websocket_are_answered() {
    let server = Server::quiet(Config::default());
    let mut socket = server.websocket().await;
    let ping = Message::Ping("are you there".into());
    soon(socket.stream.send(ping)).await.unwrap();
    let answer = soon(futures_util::StreamExt::next(&mut socket.stream)).await;
    assert_eq!(
        answer.unwrap().unwrap(),
        Message::Pong("are you there".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_a_close_frame_is_left_after_a_while() {
    let mut server = Server::quiet(Config::default());
    let _socket = server.websocket().await;
    server.link().close(CloseReason::ForcedClose);
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    // It waits for the task of the WebSocket.
    let before = tokio::time::Instant::now();
    soon(server.engine.close()).await;
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}

fn code(frame: Option<CloseFrame>) -> Option<CloseCode> {
    frame.map(|frame| frame.code)
}
