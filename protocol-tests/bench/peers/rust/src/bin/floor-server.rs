//! The floor: tokio-tungstenite with one task per connection and one flush per wake-up. It cuts the packets of the
//! scenarios at the bytes where they have to be cut, and knows no JSON and no sessions. Its heartbeat goes to all at once,
//! and who does not answer it may stay.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECTED: &str = r#"40{"sid":"floor"}"#;

/// Who is there, by room and by the number of the connection; all are in the room without a name.
#[derive(Clone, Default)]
struct Rooms(Arc<Mutex<HashMap<String, Members>>>);

type Members = BTreeMap<u64, UnboundedSender<Message>>;

/// A connection as rooms know it, which leaves them when it is dropped.
struct Guest {
    number: u64,
    queue: UnboundedSender<Message>,
    rooms: Rooms,
    joined: Vec<String>,
}

fn main() -> io::Result<()> {
    bench_peers::run(serve)
}

async fn serve(port: u16, ping_interval: Duration) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let rooms = Rooms::default();
    // Ends with the program.
    tokio::spawn(heartbeat(rooms.clone(), ping_interval));
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rooms = rooms.clone();
        // Ends with its client, whose going away is none of our business.
        tokio::spawn(async move { connection(stream, number, rooms).await.ok() });
    }
    Ok(())
}

async fn heartbeat(rooms: Rooms, interval: Duration) {
    loop {
        sleep(interval).await;
        rooms.send("", &Utf8Bytes::from_static("2"));
    }
}

async fn connection(stream: TcpStream, number: u64, rooms: Rooms) -> Result<(), Error> {
    // A connection would have 128 KiB of its own otherwise.
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let (queue, mut queued) = unbounded_channel();
    let mut guest = Guest {
        number,
        queue,
        rooms,
        joined: Vec::new(),
    };
    guest.join("");
    socket.send(Message::text(OPEN)).await?;
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut message = message;
                loop {
                    let Some(received) = message else { return Ok(()) };
                    answer(&mut socket, received?, &mut guest).await?;
                    // All that has arrived, before anything is written.
                    match socket.next().now_or_never() {
                        Some(next) => message = next,
                        None => break,
                    }
                }
            }
            Some(message) = queued.recv() => socket.feed(message).await?,
        }
        while let Ok(message) = queued.try_recv() {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
}

/// Queues the answer to a packet.
async fn answer(
    socket: &mut WebSocketStream<TcpStream>,
    message: Message,
    guest: &mut Guest,
) -> Result<(), Error> {
    let packet = match message {
        Message::Text(packet) => packet,
        Message::Binary(data) => return socket.feed(Message::Binary(data)).await,
        _ => return Ok(()),
    };
    let (head, args) = cut(&packet);
    if packet.as_str() == "40" {
        socket.feed(Message::text(CONNECTED)).await
    } else if packet.starts_with(r#"42["broadcast""#) {
        guest.rooms.send("", &packet);
        Ok(())
    } else if packet.starts_with(r#"42["room""#) {
        if let Some((room, args)) = args.split_once(',') {
            guest
                .rooms
                .send(room, &Utf8Bytes::from(format!(r#"42["room",{args}"#)));
        }
        Ok(())
    } else if let Some(id) = head.strip_prefix("451-") {
        socket.feed(Message::text(format!("461-{id}[{args}"))).await
    } else if let Some(id) = head.strip_prefix("42") {
        if packet[head.len()..].starts_with(r#"["join""#) {
            guest.join(args.trim_end_matches(']'));
        }
        socket.feed(Message::text(format!("43{id}[{args}"))).await
    } else {
        Ok(())
    }
}

/// What is before the array of an event, and what follows its name.
fn cut(packet: &str) -> (&str, &str) {
    let Some((head, array)) = packet.split_once('[') else {
        return (packet, "");
    };
    (head, array.split_once(',').map_or("", |(_, args)| args))
}

impl Guest {
    fn join(&mut self, room: &str) {
        let mut rooms = self.rooms.lock();
        let members = rooms.entry(room.to_owned()).or_default();
        if members.insert(self.number, self.queue.clone()).is_none() {
            self.joined.push(room.to_owned());
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        for room in &self.joined {
            if let Some(members) = rooms.get_mut(room) {
                members.remove(&self.number);
                if members.is_empty() {
                    rooms.remove(room);
                }
            }
        }
    }
}

impl Rooms {
    fn send(&self, room: &str, packet: &Utf8Bytes) {
        if let Some(members) = self.lock().get(room) {
            for member in members.values() {
                // One that is just leaving has nobody to read it.
                member.send(Message::Text(packet.clone())).ok();
            }
        }
    }

    /// Guards the lists alone, for as long as a packet is put into queues.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Members>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much as socketioxide has.
const READ_BUFFER: usize = 4 * 1024;
