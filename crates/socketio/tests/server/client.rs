//! A client that knows only the wire.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketio::Server;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// One WebSocket session, on a pipe in memory or on a real connection.
pub struct Client<S = DuplexStream> {
    socket: WebSocketStream<S>,
}

impl Client {
    /// Opens a session, and joins nothing.
    pub async fn open(io: &Server) -> Self {
        Self::open_with(io, PATH).await
    }

    /// Opens a session with this path and query.
    pub async fn open_with(io: &Server, path: &str) -> Self {
        Self::open_as(io, path).await.0
    }

    /// Opens a session with this path and query, and tells its id.
    pub async fn open_as(io: &Server, path: &str) -> (Self, String) {
        // Small, so that a client that reads nothing soon has an effect.
        let (ours, theirs) = tokio::io::duplex(4 * 1024);
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(theirs), io.service())
            .with_upgrades();
        tokio::spawn(connection);
        let request = format!("ws://test{path}");
        Self::handshake_as(&request, ours).await
    }

    /// Joins the main namespace.
    pub async fn connect(io: &Server) -> Self {
        let (client, _) = Self::connect_as(io).await;
        client
    }

    /// Joins the main namespace, and tells the socket's id.
    pub async fn connect_as(io: &Server) -> (Self, String) {
        let mut client = Self::open(io).await;
        let id = client.join("/").await;
        (client, id)
    }
}

impl Client<TcpStream> {
    /// Opens a session over a real connection.
    pub async fn dial(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::handshake(&format!("ws://{address}{PATH}"), stream).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Opens a session on a connection.
    pub async fn on(stream: S) -> Self {
        Self::handshake(&format!("ws://test{PATH}"), stream).await
    }

    async fn handshake(request: &str, stream: S) -> Self {
        Self::handshake_as(request, stream).await.0
    }

    async fn handshake_as(request: &str, stream: S) -> (Self, String) {
        let (socket, _) = client_async(request, stream).await.unwrap();
        let mut client = Self { socket };
        let open = client.text().await;
        let sid = open.strip_prefix(r#"0{"sid":""#).map(|rest| &rest[..20]);
        let sid = sid.unwrap_or_else(|| panic!("{open}")).to_owned();
        (client, sid)
    }

    /// Joins a namespace without auth, and tells the socket's id.
    pub async fn join(&mut self, namespace: &str) -> String {
        let name = if namespace == "/" {
            String::new()
        } else {
            format!("{namespace},")
        };
        self.send(&format!("40{name}")).await;
        let reply = self.text().await;
        let id = reply
            .strip_prefix(&format!(r#"40{name}{{"sid":""#))
            .and_then(|rest| {
                let (id, end) = rest.split_at_checked(20)?;
                (end == r#""}"#).then(|| id.to_owned())
            });
        id.unwrap_or_else(|| panic!("no reply to CONNECT but {reply}"))
    }

    pub async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn send_binary(&mut self, data: &[u8]) {
        self.socket
            .send(Message::binary(data.to_vec()))
            .await
            .unwrap();
    }

    /// The next text.
    pub async fn text(&mut self) -> String {
        match self.next().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("no text but {other:?}"),
        }
    }

    /// The next text, or none at the end.
    pub async fn text_or_end(&mut self) -> Option<String> {
        match self.next().await {
            Some(Message::Text(text)) => Some(text.to_string()),
            Some(other) => panic!("no text but {other:?}"),
            None => None,
        }
    }

    /// Sends a text, unless the session is over.
    pub async fn send_if_open(&mut self, text: &str) {
        let _ = self.socket.send(Message::text(text)).await;
    }

    /// The next binary message.
    pub async fn binary(&mut self) -> Bytes {
        match self.next().await {
            Some(Message::Binary(data)) => data,
            other => panic!("no binary message but {other:?}"),
        }
    }

    /// The next text must be this.
    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.text().await, text);
    }

    /// Sends a text and expects one.
    pub async fn ask(&mut self, text: &str, answer: &str) {
        self.send(text).await;
        self.expect(answer).await;
    }

    /// Everything that was sent before has been dealt with, and nothing has come back.
    pub async fn quiet(&mut self) {
        // A second CONNECT would end the session, but an unknown namespace only gets an answer.
        self.ask(
            "40/nowhere,",
            r#"44/nowhere,{"message":"Invalid namespace"}"#,
        )
        .await;
    }

    /// The server ends the session, with nothing more to read.
    pub async fn closed(&mut self) {
        let end = self.next().await;
        assert!(end.is_none(), "{end:?} before the end");
    }

    /// Answers pings and nothing else, until the end.
    pub async fn stay(mut self) {
        while let Some(Ok(message)) = self.socket.next().await {
            if message == Message::text("2") {
                self.send_if_open("3").await;
            }
        }
    }

    /// Goes away without a word.
    pub fn vanish(self) {
        drop(self);
    }

    /// The next message that is no heartbeat; none at the end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            // Shorter than the heartbeat, so that a test that waits in vain fails.
            let next = timeout(Duration::from_secs(20), self.socket.next()).await;
            match next.expect("nothing came") {
                Some(Ok(Message::Text(text))) if text == "2" => self.send("3").await,
                // Engine.IO's close packet announces the end.
                Some(Ok(Message::Text(text))) if text == "1" => {}
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    return Some(message);
                }
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Waits for what comes about by itself, and is told to nobody.
pub async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it never came about");
}

/// What handlers tell the test.
pub struct Notes(mpsc::UnboundedReceiver<String>);

/// Cheap to clone into handlers.
#[derive(Clone)]
pub struct Note(mpsc::UnboundedSender<String>);

pub fn notes() -> (Note, Notes) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Note(sender), Notes(receiver))
}

impl Note {
    pub fn add(&self, text: impl ToString) {
        // The test may be over.
        let _ = self.0.send(text.to_string());
    }
}

impl Notes {
    /// The next note must be this.
    pub async fn expect(&mut self, text: &str) {
        assert_eq!(self.next().await, text);
    }

    pub async fn next(&mut self) -> String {
        let note = timeout(Duration::from_secs(60), self.0.recv()).await;
        note.expect("no note came").expect("all handlers are gone")
    }

    /// There is no note that was not looked at.
    pub fn none(&mut self) {
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

pub const PATH: &str = "/socket.io/?EIO=4&transport=websocket";
