//! A connection on WebSocket, from the start or after an upgrade.

use std::io;
use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::wire::{Engine, sid};
use super::{Ends, broken};

pub type Stream = WebSocketStream<TcpStream>;

/// Opens a WebSocket: for a session of its own, whose handshake is waited for, or for one that polls.
pub async fn open(server: SocketAddr, session: Option<&str>) -> io::Result<Stream> {
    let tcp = TcpStream::connect(server).await?;
    tcp.set_nodelay(true)?;
    let session = session.map_or_else(String::new, |sid| format!("&sid={sid}"));
    let url = format!("ws://{server}/socket.io/?EIO=4&transport=websocket{session}");
    let opened = tokio_tungstenite::client_async(url, tcp).await;
    let (mut stream, _response) = opened.map_err(|error| broken(&error.to_string()))?;
    if session.is_empty() {
        let text = next(&mut stream).await?;
        match Engine::parse(&text) {
            Some(Engine::Open(open)) if sid(open).is_some() => {}
            _ => return Err(broken("the session does not begin with an open packet")),
        }
    }
    Ok(stream)
}

/// Carries messages until either side is over.
pub async fn run(mut stream: Stream, mut ends: Ends) {
    loop {
        let carried = tokio::select! {
            text = next(&mut stream) => match text {
                Ok(text) => receive(&mut stream, &ends, &text).await,
                Err(error) => Err(error),
            },
            message = ends.outgoing.recv() => match message {
                Some(message) => say(&mut stream, format!("4{message}")).await,
                None => return,
            },
        };
        if carried.is_err() {
            return;
        }
    }
}

async fn receive(stream: &mut Stream, ends: &Ends, text: &str) -> io::Result<()> {
    match Engine::parse(text) {
        Some(Engine::Ping) => say(stream, "3".to_owned()).await,
        Some(Engine::Message(message)) => {
            let taken = ends.incoming.send(message.to_owned()).await;
            taken.map_err(|_| broken("nobody listens"))
        }
        Some(Engine::Noop) => Ok(()),
        _ => Err(broken("an unexpected packet")),
    }
}

pub async fn say(stream: &mut Stream, text: String) -> io::Result<()> {
    let said = stream.send(Message::text(text)).await;
    said.map_err(|error| broken(&error.to_string()))
}

pub async fn next(stream: &mut Stream) -> io::Result<String> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(_)) => return Err(broken("the server closes, or sends what is no text")),
            Some(Err(error)) => return Err(broken(&error.to_string())),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
