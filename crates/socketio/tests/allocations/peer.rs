//! A client on a pipe within the process that allocates nothing once it is connected, so that only the server is counted.

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketio::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A connection, and room for what comes.
pub struct Pipe {
    stream: DuplexStream,
    buffer: Vec<u8>,
    /// What is in the buffer.
    filled: usize,
}

impl Pipe {
    pub fn to(io: &Server) -> Self {
        Self::of_size(io, 64 * 1024)
    }

    /// One that holds so many bytes each way.
    pub fn of_size(io: &Server, size: usize) -> Self {
        let (ours, theirs) = tokio::io::duplex(size);
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(theirs), io.service())
            .with_upgrades();
        // Ends with its pipe.
        tokio::spawn(connection);
        Self {
            stream: ours,
            buffer: vec![0; size],
            filled: 0,
        }
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn read_more(&mut self) {
        let read = self.stream.read(&mut self.buffer[self.filled..]).await;
        let read = read.unwrap();
        assert_ne!(read, 0, "the server has closed the connection");
        self.filled += read;
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// A response of HTTP, whose body is looked at.
    pub async fn response(&mut self, look: impl FnOnce(&str)) {
        loop {
            if let Some((head, whole)) = self.head() {
                look(std::str::from_utf8(&self.buffer[head..whole]).unwrap());
                self.skip(whole);
                return;
            }
            self.read_more().await;
        }
    }

    /// Where the head of a response ends and where its body does, once all of it is there.
    fn head(&self) -> Option<(usize, usize)> {
        let filled = &self.buffer[..self.filled];
        let head = filled.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let mut lines = std::str::from_utf8(&filled[..head]).unwrap().lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length: "));
        let whole = head + length.map_or(0, |length| length.parse().unwrap());
        (whole <= self.filled).then_some((head, whole))
    }

    /// The payload of the next message by WebSocket.
    pub async fn message(&mut self, look: impl FnOnce(&[u8])) {
        loop {
            let buffer = &self.buffer[..self.filled];
            let frame = match *buffer {
                [_, 126, high, low, ..] => Some((4, usize::from(high) << 8 | usize::from(low))),
                [_, length @ ..=125, ..] => Some((2, usize::from(length))),
                _ => None,
            };
            if let Some((head, length)) = frame
                && head + length <= self.filled
            {
                look(&buffer[head..head + length]);
                self.skip(head + length);
                return;
            }
            self.read_more().await;
        }
    }
}

/// A WebSocket in the main namespace.
pub async fn websocket(io: &Server) -> Pipe {
    websocket_on(Pipe::to(io)).await
}

/// The same on a connection that there is.
pub async fn websocket_on(mut pipe: Pipe) -> Pipe {
    let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    pipe.write(request.as_bytes()).await;
    pipe.response(|_| {}).await;
    pipe.message(|open| assert!(open.starts_with(b"0{"))).await;
    pipe.write(&text("40")).await;
    pipe.message(|joined| assert!(joined.starts_with(b"40{")))
        .await;
    pipe
}

/// A text message as a client frames it.
pub fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A binary message as a client frames it.
pub fn binary(data: &[u8]) -> Vec<u8> {
    frame(0x82, data)
}

/// With the mask 0, which leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short @ ..=125) => frame.push(0x80 | short),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}
