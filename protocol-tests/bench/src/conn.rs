//! A connection without blocking, and what waits in both directions.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    Http,
    WebSocket,
}

pub struct Conn {
    stream: TcpStream,
    pub speech: Speech,
    /// What has arrived and was not understood yet.
    pub input: Vec<u8>,
    /// What is to be written.
    pub output: Vec<u8>,
    written: usize,
}

impl Conn {
    /// Begins to connect; what is queued is written when that has come about.
    pub fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            speech: Speech::Http,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
        })
    }

    /// Takes all that has arrived.
    pub fn fill(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.input.extend_from_slice(&scratch[..count]);
                    // A short read has emptied the socket; what comes later is another event.
                    if count < scratch.len() {
                        return Ok(());
                    }
                }
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as goes.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Turns off the waiting of small packets for others; can be done once it is connected.
    pub fn send_at_once(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::NotConnected
    )
}
