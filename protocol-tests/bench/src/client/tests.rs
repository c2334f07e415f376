//! A client against a server that is the test.

use std::net::TcpListener;

use super::*;
use crate::player::Nobody;

/// A client whose server is the test; nothing that it writes is read.
fn with_client(transport: Transport, test: impl FnOnce(&mut dyn FnMut(usize, &[u8]) -> State)) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let poll = mio::Poll::new().expect("a poll");
    let dock = Dock {
        address: listener.local_addr().expect("an address"),
        registry: poll.registry(),
    };
    let mut client = Client::open(0, transport, &dock).expect("opened");
    test(&mut |slot, bytes| {
        let used = client.understand(slot, bytes, &dock, &mut Nobody);
        assert_eq!(used.expect("understood"), bytes.len());
        let payload = String::from_utf8_lossy(&client.payload).into_owned();
        client.flush().expect("written");
        (client.phase, payload)
    });
}

/// The phase, and what was to be posted.
type State = (Phase, String);

fn response(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

fn switched() -> Vec<u8> {
    let accept = websocket::ACCEPT;
    format!("HTTP/1.1 101 S\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes()
}

fn state(phase: Phase, payload: &str) -> State {
    (phase, payload.to_owned())
}

#[test]
fn an_upgrade_waits_for_the_answer_to_a_ping_by_polling() {
    with_client(Transport::Upgrade, |receive| {
        let opened = receive(POLL, &response(r#"0{"sid":"s"}"#));
        assert_eq!(opened, state(Phase::Joining, "40"));
        receive(POST, &response("ok"));
        receive(POLL, &response(r#"40{"sid":"t"}"#));
        receive(SOCKET, &switched());
        let pinged = receive(POLL, &response("2"));
        assert_eq!(pinged, state(Phase::Probing, "3"));
        let probed = receive(SOCKET, b"\x81\x063probe");
        assert_eq!(probed.0, Phase::Probing);
        let posted = receive(POST, &response("ok"));
        assert_eq!(posted.0, Phase::Confirming);
        let echoed = receive(SOCKET, b"\x81\x08430[\"x\"]");
        assert_eq!(echoed.0, Phase::Ready);
    });
}

#[test]
fn a_websocket_is_ready_once_it_is_in_the_namespace() {
    with_client(Transport::WebSocket, |receive| {
        receive(SOCKET, &switched());
        let opened = receive(SOCKET, b"\x81\x0c0{\"sid\":\"s\"}");
        assert_eq!(opened, state(Phase::Joining, ""));
        assert_eq!(
            receive(SOCKET, b"\x81\x0d40{\"sid\":\"t\"}").0,
            Phase::Ready
        );
    });
}
