//! A server with a fault, by which the tests see that a run with it is red. It knows `echo`, `broadcast` and
//! `chat message`, by WebSocket, of the bench's own client; and its chat's database is whatever file it is given.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use clap::{Parser, ValueEnum};

#[derive(Debug, Parser)]
struct Options {
    /// The port to serve on, at 127.0.0.1
    #[arg(long)]
    port: u16,

    /// What is done wrong to every fifth packet for a client
    #[arg(long, value_enum, default_value_t = Fault::None)]
    fault: Fault,

    /// Taken as chats have it, and left empty
    #[arg(long)]
    database: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    None,
    /// Left out.
    Drop,
    /// Sent twice.
    Repeat,
    /// Sent after the one that follows.
    Swap,
    /// Sent with another letter in its text.
    Change,
}

/// What all connections share.
#[derive(Default)]
struct Hall {
    guests: Vec<Guest>,
    stored: u64,
}

/// A client, as those write to it that have something for it.
struct Guest {
    stream: TcpStream,
    fault: Fault,
    sent: u64,
    held_back: Option<String>,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
    let hall: Arc<Mutex<Hall>> = Arc::default();
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        let (hall, fault) = (hall.clone(), options.fault);
        // Ends with its client, whose going away is none of our business.
        thread::spawn(move || serve(stream, fault, &hall).ok());
    }
}

fn serve(mut stream: TcpStream, fault: Fault, hall: &Mutex<Hall>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(byte(&mut stream)?);
    }
    let switch = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.write_all(switch.as_bytes())?;
    write(&mut stream, r#"0{"sid":"faulty"}"#)?;
    let number = {
        let mut hall = lock(hall);
        hall.guests.push(Guest {
            stream: stream.try_clone()?,
            fault,
            sent: 0,
            held_back: None,
        });
        hall.guests.len() - 1
    };
    loop {
        let packet = read(&mut stream)?;
        let mut hall = lock(hall);
        if packet == "40" {
            write(&mut hall.guests[number].stream, r#"40{"sid":"faulty"}"#)?;
        } else if packet.starts_with(r#"42["broadcast","#) {
            hall.broadcast(&packet);
        } else if let Some((head, args)) = packet.split_once(r#"["echo","#) {
            let id = head.trim_start_matches("42");
            hall.guests[number].send(format!("43{id}[{args}"))?;
        } else if let Some((head, args)) = packet.split_once(r#"["chat message","#) {
            let (text, _key) = args.split_once(',').unwrap_or_default();
            hall.stored += 1;
            let offset = hall.stored;
            hall.broadcast(&format!(r#"42["chat message",{text},{offset}]"#));
            let id = head.trim_start_matches("42");
            write(&mut hall.guests[number].stream, &format!("43{id}[]"))?;
        }
    }
}

impl Hall {
    fn broadcast(&mut self, packet: &str) {
        for guest in &mut self.guests {
            // One that is just leaving has nobody to read it.
            guest.send(packet.to_owned()).ok();
        }
    }
}

impl Guest {
    fn send(&mut self, packet: String) -> io::Result<()> {
        self.sent += 1;
        if self.sent.is_multiple_of(5) {
            match self.fault {
                Fault::None => {}
                Fault::Drop => return Ok(()),
                Fault::Repeat => write(&mut self.stream, &packet)?,
                Fault::Swap => {
                    self.held_back = Some(packet);
                    return Ok(());
                }
                Fault::Change => return write(&mut self.stream, &packet.replacen("xx", "xy", 1)),
            }
        }
        write(&mut self.stream, &packet)?;
        match self.held_back.take() {
            Some(packet) => write(&mut self.stream, &packet),
            None => Ok(()),
        }
    }
}

/// A text of less than 64 KiB as a frame.
fn write(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    let mut frame = vec![0x81];
    match u8::try_from(text.len()) {
        Ok(short @ 0..=125) => frame.push(short),
        _ => {
            frame.push(126);
            let length = u16::try_from(text.len()).map_err(io::Error::other)?;
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(text.as_bytes());
    stream.write_all(&frame)
}

/// The text of a frame of a client, which has less than 64 KiB.
fn read(stream: &mut TcpStream) -> io::Result<String> {
    byte(stream)?;
    let length = match byte(stream)? & 0x7f {
        126 => u16::from_be_bytes([byte(stream)?, byte(stream)?]),
        short => short.into(),
    };
    let mut mask = [0; 4];
    stream.read_exact(&mut mask)?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text)?;
    for (byte, mask) in text.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    String::from_utf8(text).map_err(io::Error::other)
}

fn byte(stream: &mut TcpStream) -> io::Result<u8> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Guards who is there while something is written to them, so that all get it in one order.
fn lock(hall: &Mutex<Hall>) -> MutexGuard<'_, Hall> {
    hall.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What proves to the bench's client that its key, always that of the RFC, was read.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
