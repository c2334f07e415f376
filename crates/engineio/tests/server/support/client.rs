//! The raw client: HTTP as text, and a WebSocket whose packets are text.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, protocol::CloseFrame},
};

use super::{Server, soon, target};

/// An HTTP/1.1 connection.
pub struct Http<S = DuplexStream> {
    stream: BufReader<S>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The header lines, in lower case.
    pub head: String,
    /// The body as text, and what it really was.
    pub body: String,
    pub bytes: Vec<u8>,
}

impl Reply {
    #[track_caller]
    pub fn assert(&self, status: u16, body: &str) {
        assert_eq!((self.status, &*self.body), (status, body));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        self.begin("GET", target, "").await;
        self.reply().await
    }

    pub async fn post(&mut self, target: &str, body: &str) -> Reply {
        let length = format!("content-length: {}\r\n", body.len());
        self.begin("POST", target, &length).await;
        self.write(body).await;
        self.reply().await
    }

    /// Sends a head; `headers` end in line breaks.
    pub async fn begin(&mut self, method: &str, target: &str, headers: &str) {
        let head = format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{headers}\r\n");
        self.write(&head).await;
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    pub async fn reply(&mut self) -> Reply {
        soon(self.read_reply()).await
    }

    /// Waits for the end of the connection.
    pub async fn ended(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end, too.
        let _ended = soon(self.stream.read_to_end(&mut rest)).await;
    }

    /// The head of the next answer, in lower case.
    pub async fn head(&mut self) -> String {
        soon(self.read_head()).await
    }

    async fn read_head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.stream.read_line(&mut head).await.unwrap();
            assert_ne!(read, 0, "the connection ended within {head:?}");
        }
        head.to_ascii_lowercase()
    }

    async fn read_reply(&mut self) -> Reply {
        let head = self.read_head().await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Reply {
            status,
            head,
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
        }
    }
}

/// A client on long-polling, with a connection for each direction.
pub struct Polling {
    pub sid: String,
    pub get: Http,
    pub post: Http,
}

impl Polling {
    pub async fn open(server: &Server) -> Self {
        let mut get = server.connect();
        let open = get.get(&target("polling", "")).await;
        assert_eq!(open.status, 200, "{open:?}");
        let sid = open.body.split('"').nth(3).unwrap().to_owned();
        Self {
            sid,
            get,
            post: server.connect(),
        }
    }

    pub fn target(&self) -> String {
        target("polling", &self.sid)
    }

    /// Sends a GET without waiting for its answer.
    pub async fn begin_poll(&mut self) {
        let target = self.target();
        self.get.begin("GET", &target, "").await;
    }

    /// Sends a GET, and waits until it has arrived and is parked.
    pub async fn park(&mut self, server: &Server) {
        self.begin_poll().await;
        let link = server.engine.session(&self.sid.parse().unwrap()).unwrap();
        // Nothing at all can be sent when there is a poll to send it by, and nothing else waits.
        while link.push_volatile(&[]) != Ok(true) {
            tokio::task::yield_now().await;
        }
    }

    /// A GET, and what it brings.
    pub async fn poll(&mut self) -> String {
        self.begin_poll().await;
        self.polled().await
    }

    /// The answer to the GET that was begun.
    pub async fn polled(&mut self) -> String {
        let reply = self.get.reply().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body
    }

    pub async fn send(&mut self, body: &str) {
        let target = self.target();
        self.post.post(&target, body).await.assert(200, "ok");
    }

    /// Sends the head of a POST with these headers; its body is for the test to write.
    pub async fn begin_post(&mut self, headers: &str) {
        let target = self.target();
        self.post.begin("POST", &target, headers).await;
    }

    /// Opens a WebSocket for this session and probes it.
    pub async fn probe(&self, server: &Server) -> WebSocket<DuplexStream> {
        let mut socket = self.open_probe(server).await;
        socket.send("2probe").await;
        assert_eq!(socket.receive().await, "3probe");
        socket
    }

    pub async fn open_probe(&self, server: &Server) -> WebSocket<DuplexStream> {
        let target = target("websocket", &self.sid);
        websocket_on(server.pipe(64 * 1024), &target).await.unwrap()
    }
}

/// A WebSocket.
pub struct WebSocket<S> {
    pub stream: WebSocketStream<S>,
}

/// Opens a WebSocket on a connection; a refusal is [`tungstenite::Error::Http`].
pub async fn websocket_on<S>(stream: S, target: &str) -> Result<WebSocket<S>, tungstenite::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (stream, _response) = soon(client_async(format!("ws://test{target}"), stream)).await?;
    Ok(WebSocket { stream })
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Sends a text packet.
    pub async fn send(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub async fn send_message(&mut self, message: Message) {
        soon(self.stream.send(message)).await.unwrap();
    }

    /// The next message, as text.
    pub async fn receive(&mut self) -> String {
        match soon(self.stream.next()).await {
            Some(Ok(Message::Text(text))) => text.to_string(),
            Some(Ok(Message::Binary(data))) => format!("binary {data:?}"),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Waits for the end, whatever comes before it; the answer is the server's close frame.
    pub async fn ended(&mut self) -> Option<CloseFrame> {
        let mut close = None;
        while let Some(Ok(message)) = soon(self.stream.next()).await {
            if let Message::Close(frame) = message {
                close = frame;
            }
        }
        close
    }
}
