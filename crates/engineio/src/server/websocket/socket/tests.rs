//! Sockets on a wire that cuts what it carries anywhere, and what the library makes of the same bytes.

use std::{collections::VecDeque, task::Waker};

use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{Role, WebSocketConfig, WebSocketContext, frame::coding::Control},
};

use super::*;

/// The peer's end of a stream: what it sends comes in pieces, and it takes so many bytes.
#[derive(Default)]
struct Wire {
    sent: VecDeque<Vec<u8>>,
    taken: Vec<u8>,
    room: usize,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.sent.pop_front() else {
            return Poll::Pending;
        };
        let rest = piece.split_off(piece.len().min(buffer.remaining()));
        buffer.put_slice(&piece);
        if !rest.is_empty() {
            self.sent.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = data.len().min(self.room);
        if count == 0 {
            return Poll::Pending;
        }
        self.room -= count;
        self.taken.extend_from_slice(&data[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const TEXT: OpCode = OpCode::Data(Data::Text);
const BINARY: OpCode = OpCode::Data(Data::Binary);
const CONTINUE: OpCode = OpCode::Data(Data::Continue);
const PING: OpCode = OpCode::Control(Control::Ping);

const LIMITS: Limits = Limits {
    read: 1_000,
    write: 100,
    message: 100_000,
};

fn socket() -> Socket<Wire> {
    Socket::new(Wire::default(), LIMITS)
}

/// A frame as a client sends it.
fn frame(payload: &[u8], opcode: OpCode, is_final: bool) -> Vec<u8> {
    let header = FrameHeader {
        is_final,
        opcode,
        mask: Some([1, 2, 3, 250]),
        ..FrameHeader::default()
    };
    let frame = WsFrame::from_payload(header, Bytes::copy_from_slice(payload));
    let mut bytes = Vec::new();
    frame.format(&mut bytes).unwrap();
    bytes
}

/// All that arrives, from as many polls as it takes.
fn receive(socket: &mut Socket<Wire>) -> Vec<Received> {
    let mut all = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    let mut input = socket.begin_reading();
    while let Poll::Ready(Some(received)) = socket.poll_next(&mut context, &mut input) {
        let received = received.unwrap();
        if received != Received::Fragment {
            all.push(received);
        }
        // As when other connections of the thread are read in between.
        socket.end_reading(input);
        input = socket.begin_reading();
    }
    socket.end_reading(input);
    all
}

/// Writes these frames, and says whether the stream took them all.
fn write(socket: &mut Socket<Wire>, frames: &[Frame]) -> bool {
    let mut frames = frames.iter().cloned();
    let mut context = Context::from_waker(Waker::noop());
    let written = socket.poll_write(&mut context, |_| frames.next());
    if written.is_pending() {
        return false;
    }
    socket.poll_flush(&mut context).is_ready()
}

fn text(payload: &str) -> Received {
    Received::Text(Bytes::copy_from_slice(payload.as_bytes()))
}

#[test]
fn messages_come_however_the_stream_cuts_them() {
    let long = "é".repeat(40_000);
    let mut bytes = frame(b"4a", TEXT, true);
    bytes.extend(frame(&[0, 255], BINARY, true));
    bytes.extend(frame(b"", TEXT, true));
    bytes.extend(frame("x".repeat(300).as_bytes(), TEXT, true));
    bytes.extend(frame(long.as_bytes(), TEXT, true));
    bytes.extend(frame(b"last", TEXT, true));
    for size in [1, 2, 3, 7, 999, 1_000, 1_001, 70_000, bytes.len()] {
        let mut socket = socket();
        socket.stream.sent = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let expected = [
            text("4a"),
            Received::Binary(Bytes::from_static(&[0, 255])),
            text(""),
            text(&"x".repeat(300)),
            text(&long),
            text("last"),
        ];
        assert!(receive(&mut socket) == expected, "in pieces of {size}");
        assert_eq!(socket.unread.capacity(), 0);
    }
}

#[test]
fn fragments_and_pings_between_them_come_however_the_stream_cuts_them() {
    let mut bytes = frame(b"one", TEXT, false);
    bytes.extend(frame(b"there?", PING, true));
    bytes.extend(frame(b"", CONTINUE, false));
    bytes.extend(frame(b" two", CONTINUE, true));
    bytes.extend(frame(b"three", TEXT, true));
    for size in [1, 2, 5, bytes.len()] {
        let mut socket = socket();
        socket.stream.sent = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        let expected = [Received::Heartbeat, text("one two"), text("three")];
        assert_eq!(receive(&mut socket), expected, "in pieces of {size}");
        socket.stream.room = 100;
        assert!(write(&mut socket, &[]));
        assert_eq!(socket.stream.taken, b"\x8a\x06there?");
        assert!(socket.other.is_none(), "what is over takes no memory");
    }
}

#[test]
fn of_many_pings_the_first_ones_and_the_last_are_answered() {
    let mut socket = socket();
    let pings = (0..100).flat_map(|number| frame(&[number], PING, true));
    socket.stream.sent.push_back(pings.collect());
    assert_eq!(receive(&mut socket).len(), 100);
    assert!(socket.unwritten.is_empty());
    socket.stream.room = 1_000;
    assert!(write(&mut socket, &[]));
    let answered = (0..63).chain([99]).flat_map(|number| [0x8a, 1, number]);
    assert!(socket.stream.taken.iter().copied().eq(answered));
}

#[test]
fn what_the_stream_does_not_take_keeps_its_place() {
    let mut socket = socket();
    let frames = ["4first", "4second"].map(|text| Frame::Text(text.into()));
    socket.stream.room = 3;
    assert!(!write(&mut socket, &frames));
    socket.stream.room = 4;
    assert!(!write(&mut socket, &[]));
    assert_eq!(socket.written(), 7);
    socket.stream.room = 1_000;
    let binary = Frame::Binary(vec![7; 200].into());
    assert!(write(&mut socket, &[binary]));
    let mut expected = b"\x81\x064first\x81\x074second\x82\x7e\x00\xc8".to_vec();
    expected.extend([7; 200]);
    assert_eq!(socket.stream.taken, expected);
    assert_eq!(socket.unwritten.capacity(), 0);
}

#[test]
fn what_waits_for_the_stream_is_not_copied_each_time_it_takes_a_little() {
    let mut socket = socket();
    let binary = Frame::Binary(vec![7; 10_000].into());
    assert!(!write(&mut socket, &[binary]));
    let place = socket.unwritten.as_ptr();
    for taken in 1..=100 {
        socket.stream.room = 1;
        assert!(!write(&mut socket, &[]));
        assert_eq!(socket.unwritten.as_ptr(), place.wrapping_add(taken));
    }
}

#[test]
fn frames_are_taken_only_as_fast_as_the_stream_takes_them() {
    let mut socket = socket();
    socket.stream.room = 150;
    let mut asked = 0;
    let mut context = Context::from_waker(Waker::noop());
    let written = socket.poll_write(&mut context, |_| {
        asked += 1;
        Some(Frame::Text("x".repeat(58).into()))
    });
    assert!(written.is_pending());
    // Two at a time make 120 bytes, and four more than there is room for.
    assert_eq!(asked, 4);
}

#[test]
fn a_head_that_announces_much_gets_no_memory_for_it() {
    let mut socket = socket();
    let mut bytes = frame(&[0; 90_000], BINARY, true);
    bytes.truncate(1_500);
    socket.stream.sent.push_back(bytes);
    assert_eq!(receive(&mut socket), []);
    assert_eq!(socket.unread.len(), 1_500);
    assert!(socket.unread.capacity() <= 2_000);
}

#[test]
fn a_head_that_announces_more_than_there_can_be_does_no_harm() {
    let config = Config {
        max_payload: usize::MAX,
        ..Config::default()
    };
    for first in [0x82, 0x02, 0x89] {
        for payload_len in [u64::MAX, u64::MAX >> 1, 1 << 62] {
            let mut socket = Socket::new(Wire::default(), Limits::new(&config));
            let mut bytes = vec![first, 0xff];
            bytes.extend(payload_len.to_be_bytes());
            bytes.extend(b"maskpayload");
            socket.stream.sent.push_back(bytes);
            let mut input = socket.begin_reading();
            let mut context = Context::from_waker(Waker::noop());
            let polled = socket.poll_next(&mut context, &mut input);
            socket.end_reading(input);
            assert!(
                matches!(polled, Poll::Ready(Some(Err(Error::Capacity(_))))),
                "{first:x} {payload_len:x}: {polled:?}"
            );
        }
    }
}

#[test]
fn what_is_kept_of_a_message_stays_as_it_was() {
    let mut socket = socket();
    let mut kept = Vec::new();
    for number in 0..100_u8 {
        socket
            .stream
            .sent
            .push_back(frame(&[number; 90], BINARY, true));
        kept.extend(receive(&mut socket));
    }
    for (number, message) in (0..100_u8).zip(kept) {
        assert_eq!(message, Received::Binary(vec![number; 90].into()));
    }
}

#[test]
fn what_breaks_the_rules_is_an_error() {
    let unmasked = b"\x81\x01x".to_vec();
    let reserved_bits = b"\xc1\x81\0\0\0\0x".to_vec();
    let reserved_opcode = b"\x83\x81\0\0\0\0x".to_vec();
    let lone_continuation = frame(b"x", CONTINUE, true);
    let no_text = frame(b"\xff", TEXT, true);
    let mut unfinished = frame(b"x", TEXT, false);
    unfinished.extend(frame(b"x", TEXT, true));
    let long_ping = frame(&[0; 126], PING, true);
    for bytes in [
        unmasked,
        reserved_bits,
        reserved_opcode,
        lone_continuation,
        no_text,
        unfinished,
        long_ping,
    ] {
        let mut socket = socket();
        socket.stream.sent.push_back(bytes.clone());
        let mut context = Context::from_waker(Waker::noop());
        let mut input = socket.begin_reading();
        let mut polled = socket.poll_next(&mut context, &mut input);
        while matches!(polled, Poll::Ready(Some(Ok(Received::Fragment)))) {
            polled = socket.poll_next(&mut context, &mut input);
        }
        assert!(
            matches!(polled, Poll::Ready(Some(Err(_)))),
            "{bytes:?}: {polled:?}"
        );
        socket.end_reading(input);
    }
}

#[test]
fn a_ping_is_answered_before_the_end() {
    let mut socket = socket();
    let mut bytes = frame(b"there?", PING, true);
    bytes.extend(frame(b"still?", PING, true));
    socket.stream.sent = [bytes].into();
    assert_eq!(
        receive(&mut socket),
        [Received::Heartbeat, Received::Heartbeat]
    );
    socket.close(None);
    socket.stream.room = 100;
    assert!(write(&mut socket, &[]));
    assert_eq!(socket.stream.taken, b"\x8a\x06there?\x8a\x06still?\x88\x00");
}

#[test]
fn each_fragment_is_told_of_so_that_others_get_their_turn() {
    let mut socket = socket();
    let mut bytes = frame(b"one", TEXT, false);
    bytes.extend(frame(b"", CONTINUE, false).repeat(3));
    bytes.extend(frame(b" two", CONTINUE, true));
    socket.stream.sent = [bytes].into();
    let mut context = Context::from_waker(Waker::noop());
    let mut input = socket.begin_reading();
    for _ in 0..4 {
        let polled = socket.poll_next(&mut context, &mut input);
        assert!(matches!(polled, Poll::Ready(Some(Ok(Received::Fragment)))));
    }
    let polled = socket.poll_next(&mut context, &mut input);
    assert!(matches!(polled, Poll::Ready(Some(Ok(message))) if message == text("one two")));
    socket.end_reading(input);
}

/// All that the library alone makes of the same bytes: the messages, and whether they end with an error.
fn naive(bytes: &[u8]) -> (Vec<Received>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMITS.message))
        .max_frame_size(Some(LIMITS.message));
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut stream = Whole(bytes);
    let mut all = Vec::new();
    loop {
        all.push(match context.read(&mut stream) {
            Ok(Message::Text(text)) => Received::Text(text.into()),
            Ok(Message::Binary(data)) => Received::Binary(data),
            Ok(Message::Close(_)) => {
                all.push(Received::Close);
                return (all, false);
            }
            Ok(_) => Received::Heartbeat,
            Err(Error::Io(_)) => return (all, false),
            Err(_) => return (all, true),
        });
    }
}

struct Whole<'a>(&'a [u8]);

impl io::Read for Whole<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match io::Read::read(&mut self.0, buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl io::Write for Whole<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same seed each time.
#[test]
fn any_frames_mean_what_they_mean_to_the_library() {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        bits = bits.rotate_left(23).wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5bd1_e995;
        (bits >> 33) as usize % below
    };
    let (mut messages, mut errors) = (0, 0);
    for round in 0..3_000 {
        let mut bytes = Vec::new();
        let mut is_fragmented = false;
        for _ in 0..random(12) {
            let size = [0, 3, 125, 126, 999, 3_000, 66_000][random(7).min(random(7))];
            let payload = "é!".repeat(size / 3);
            // Mostly what is allowed.
            let (opcode, is_final) = match (random(40), is_fragmented) {
                (0, _) => (CONTINUE, true),
                (1, _) => (TEXT, false),
                (2, _) => (OpCode::Control(Control::Close), true),
                (3..10, _) => (PING, true),
                (10..14, _) => (OpCode::Control(Control::Pong), true),
                (kind, true) => (CONTINUE, kind < 27),
                (kind, false) => (if kind < 27 { TEXT } else { BINARY }, kind % 3 > 0),
            };
            let is_control = matches!(opcode, OpCode::Control(_));
            if !is_control {
                is_fragmented = !is_final;
            }
            let most = if is_control && random(20) > 0 {
                125
            } else {
                payload.len()
            };
            let most = if opcode == OpCode::Control(Control::Close) {
                0
            } else {
                most
            };
            let mut one = frame(
                &payload.as_bytes()[..payload.len().min(most)],
                opcode,
                is_final,
            );
            match random(400) {
                0 => one[0] ^= 1 << random(8),
                1 => one[1] ^= 0x80,
                2 => *one.last_mut().unwrap() ^= 0xff,
                _ => {}
            }
            bytes.extend(one);
        }
        bytes.truncate(bytes.len() - random(20).saturating_sub(10).min(bytes.len()));
        let mut socket = socket();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = [1, 5, 300, 1_500, 70_000][random(5)].max(rest.len() / 1_000);
            let (piece, after) = rest.split_at((1 + random(most)).min(rest.len()));
            socket.stream.sent.push_back(piece.to_vec());
            rest = after;
        }
        let mut arrived = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let has_failed = loop {
            let mut input = socket.begin_reading();
            let next = socket.poll_next(&mut context, &mut input);
            socket.end_reading(input);
            match next {
                Poll::Ready(Some(Ok(Received::Fragment))) => {}
                Poll::Ready(Some(Ok(received))) => {
                    let is_last = received == Received::Close;
                    arrived.push(received);
                    if is_last {
                        break false;
                    }
                }
                Poll::Ready(Some(Err(_))) => break true,
                Poll::Ready(None) | Poll::Pending => break false,
            }
            if random(3) == 0 {
                socket.stream.room = 16 * 1024;
                assert!(write(&mut socket, &[]));
            }
        };
        messages += arrived.len();
        errors += usize::from(has_failed);
        assert!((arrived, has_failed) == naive(&bytes), "round {round}");
    }
    assert!(
        messages > 5_000 && errors > 200,
        "{messages} messages, {errors} errors"
    );
}
