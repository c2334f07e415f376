//! The floor: tokio-tungstenite with one task per connection and one flush per wake-up. It cuts the packets of the
//! scenarios at the bytes where they have to be cut, and knows no JSON, no sessions and no heartbeat.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

const OPEN: &str = r#"0{"sid":"floor","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECTED: &str = r#"40{"sid":"floor"}"#;

/// Who is there, by room; all are in the one without a name.
#[derive(Clone, Default)]
struct Rooms(Arc<Mutex<HashMap<String, Vec<UnboundedSender<Message>>>>>);

fn main() -> io::Result<()> {
    bench_peers::run(serve)
}

async fn serve(port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let rooms = rooms.clone();
        // Ends with its client, whose going away is none of our business.
        tokio::spawn(async move { connection(stream, rooms).await.ok() });
    }
}

async fn connection(stream: TcpStream, rooms: Rooms) -> Result<(), Error> {
    // A connection would have 128 KiB of its own otherwise.
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
    let mut socket = accept_async_with_config(stream, Some(config)).await?;
    let (queue, mut queued) = unbounded_channel();
    rooms.join("", &queue);
    socket.send(Message::text(OPEN)).await?;
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut message = message;
                loop {
                    let Some(received) = message else { return Ok(()) };
                    answer(&mut socket, received?, &rooms, &queue).await?;
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
    rooms: &Rooms,
    queue: &UnboundedSender<Message>,
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
        rooms.send("", &packet);
        Ok(())
    } else if packet.starts_with(r#"42["room""#) {
        if let Some((room, args)) = args.split_once(',') {
            rooms.send(room, &Utf8Bytes::from(format!(r#"42["room",{args}"#)));
        }
        Ok(())
    } else if let Some(id) = head.strip_prefix("451-") {
        socket.feed(Message::text(format!("461-{id}[{args}"))).await
    } else if let Some(id) = head.strip_prefix("42") {
        if packet[head.len()..].starts_with(r#"["join""#) {
            rooms.join(args.trim_end_matches(']'), queue);
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

impl Rooms {
    fn join(&self, room: &str, queue: &UnboundedSender<Message>) {
        self.lock()
            .entry(room.to_owned())
            .or_default()
            .push(queue.clone());
    }

    fn send(&self, room: &str, packet: &Utf8Bytes) {
        if let Some(members) = self.lock().get_mut(room) {
            members.retain(|member| member.send(Message::Text(packet.clone())).is_ok());
        }
    }

    /// Guards the lists alone, for as long as a packet is put into queues.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<UnboundedSender<Message>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As much as socketioxide has.
const READ_BUFFER: usize = 4 * 1024;
