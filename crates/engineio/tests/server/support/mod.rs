//! A server whose application tells the test what happens, and a raw client.

mod client;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use engineio::{
    CloseReason, Config, Frame, Message, Sid,
    server::{Engine, Handler, Hooks, Link},
};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::DuplexStream,
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

pub use client::{Http, Polling, Reply, WebSocket, websocket_on};

/// What a handler does with a session.
pub type OnMessage = Box<dyn Fn(&Arc<Link<App>>, Message) + Send + Sync>;
pub type OnClose = Box<dyn Fn(&Arc<Link<App>>, CloseReason) + Send + Sync>;

/// The application: tells the test everything, then does what the test wants.
pub struct App {
    told: mpsc::UnboundedSender<Told>,
    on_message: OnMessage,
    on_close: OnClose,
    has_panicked: Arc<AtomicBool>,
}

/// What the application was called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Open(Sid),
    Text(Sid, String),
    Binary(Sid, Vec<u8>),
    Close(Sid, CloseReason),
}

impl Handler for App {
    type Data = ();

    fn on_open(&self, sid: Sid, _request: &http::request::Parts) {
        self.tell(Told::Open(sid));
    }

    fn on_message(&self, link: &Arc<Link<Self>>, message: Message) {
        let _note = NotePanic(&self.has_panicked);
        self.tell(match &message {
            Message::Text(text) => Told::Text(link.sid(), String::from_utf8_lossy(text).into()),
            Message::Binary(data) => Told::Binary(link.sid(), data.to_vec()),
        });
        (self.on_message)(link, message);
    }

    fn on_close(&self, link: &Arc<Link<Self>>, reason: CloseReason) {
        let _note = NotePanic(&self.has_panicked);
        self.tell(Told::Close(link.sid(), reason));
        (self.on_close)(link, reason);
    }
}

impl App {
    fn tell(&self, told: Told) {
        // The test may have seen enough.
        let _gone = self.told.send(told);
    }
}

/// The engine survives a handler that panics, so the test would not learn of what is asserted there.
struct NotePanic<'a>(&'a AtomicBool);

impl Drop for NotePanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

/// A test that drops it fails if a handler has panicked.
pub struct Server {
    pub engine: Arc<Engine<App>>,
    told: mpsc::UnboundedReceiver<Told>,
    has_panicked: Arc<AtomicBool>,
    may_panic: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        let fails = self.has_panicked.load(Ordering::SeqCst) && !self.may_panic;
        assert!(!fails || thread::panicking(), "a handler has panicked");
    }
}

impl Server {
    /// A server that sends every message back.
    pub fn echo(config: Config) -> Self {
        Self::new(config, |link, message| {
            let _closed = link.push(&[match message {
                Message::Text(text) => Frame::message(std::str::from_utf8(&text).unwrap()),
                Message::Binary(data) => Frame::Binary(data),
            }]);
        })
    }

    /// A server that only listens.
    pub fn quiet(config: Config) -> Self {
        Self::new(config, |_, _| {})
    }

    pub fn new(
        config: Config,
        on_message: impl Fn(&Arc<Link<App>>, Message) + Send + Sync + 'static,
    ) -> Self {
        Self::with_close(config, on_message, |_, _| {})
    }

    /// A server that only listens, and asks the hooks.
    pub fn with_hooks(config: Config, hooks: Hooks) -> Self {
        Self::build(config, hooks, |_, _| {}, |_, _| {})
    }

    pub fn with_close(
        config: Config,
        on_message: impl Fn(&Arc<Link<App>>, Message) + Send + Sync + 'static,
        on_close: impl Fn(&Arc<Link<App>>, CloseReason) + Send + Sync + 'static,
    ) -> Self {
        Self::build(config, Hooks::default(), on_message, on_close)
    }

    fn build(
        config: Config,
        hooks: Hooks,
        on_message: impl Fn(&Arc<Link<App>>, Message) + Send + Sync + 'static,
        on_close: impl Fn(&Arc<Link<App>>, CloseReason) + Send + Sync + 'static,
    ) -> Self {
        let (told, receiver) = mpsc::unbounded_channel();
        let has_panicked = Arc::new(AtomicBool::new(false));
        let app = App {
            told,
            on_message: Box::new(on_message),
            on_close: Box::new(on_close),
            has_panicked: has_panicked.clone(),
        };
        Self {
            engine: Engine::with_hooks(config, hooks, app),
            told: receiver,
            has_panicked,
            may_panic: false,
        }
    }

    /// The same, with handlers that panic on purpose.
    pub fn that_may_panic(mut self) -> Self {
        self.may_panic = true;
        self
    }

    /// A connection within the process: no kernel, so that a held clock stays exact.
    pub fn connect(&self) -> Http {
        self.connect_with_capacity(64 * 1024)
    }

    /// A connection that takes so many bytes each way before its reader must read.
    pub fn connect_with_capacity(&self, bytes: usize) -> Http {
        Http::new(self.pipe(bytes))
    }

    pub fn pipe(&self, bytes: usize) -> DuplexStream {
        pipe_to(&self.engine, bytes)
    }

    /// A WebSocket whose open packet was read.
    pub async fn websocket(&self) -> WebSocket<DuplexStream> {
        let mut socket = self.websocket_through(64 * 1024).await;
        assert!(socket.receive().await.starts_with("0{"));
        socket
    }

    /// A WebSocket through a pipe that takes so many bytes each way before its reader must read.
    pub async fn websocket_through(&self, bytes: usize) -> WebSocket<DuplexStream> {
        let target = target("websocket", "");
        websocket_on(self.pipe(bytes), &target).await.unwrap()
    }

    /// Serves on a real port until the engine is closed.
    pub async fn listen(&self) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let engine = self.engine.clone();
        Listening {
            address,
            serve: tokio::spawn(async move { engine.serve(listener).await }),
        }
    }

    /// The next thing the application was told.
    pub async fn told(&mut self) -> Told {
        soon(self.told.recv()).await.unwrap()
    }

    /// The next message, as text.
    pub async fn message(&mut self) -> String {
        loop {
            match self.told().await {
                Told::Text(_, text) => return text,
                Told::Open(_) => {}
                other => panic!("not a text message: {other:?}"),
            }
        }
    }

    /// The reason of the next session that ends.
    pub async fn closed(&mut self) -> CloseReason {
        loop {
            if let Told::Close(_, reason) = self.told().await {
                return reason;
            }
        }
    }

    /// What the application was told and the test has not asked for yet.
    pub fn told_so_far(&mut self) -> Vec<Told> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    /// The one session there is.
    pub fn link(&mut self) -> Arc<Link<App>> {
        match self.told.try_recv() {
            Ok(Told::Open(sid)) => self.engine.session(&sid).unwrap(),
            other => panic!("no session was opened: {other:?}"),
        }
    }
}

/// A connection to an engine, within the process.
pub fn pipe_to<H: Handler>(engine: &Arc<Engine<H>>, bytes: usize) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(bytes);
    let connection = http1::Builder::new().serve_connection(TokioIo::new(theirs), engine.service());
    // Ends with its connection, or with the runtime of the test.
    tokio::spawn(async move {
        let _broken = connection.with_upgrades().await;
    });
    ours
}

/// A server on a real port.
pub struct Listening {
    address: std::net::SocketAddr,
    pub serve: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    pub async fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    pub async fn connect(&self) -> Http<TcpStream> {
        Http::new(self.stream().await)
    }

    pub async fn websocket(&self) -> WebSocket<TcpStream> {
        let target = "/engine.io/?EIO=4&transport=websocket";
        let mut socket = websocket_on(self.stream().await, target).await.unwrap();
        assert!(socket.receive().await.starts_with("0{"));
        socket
    }
}

/// Waits for what must happen; a test that waits in vain fails. On a held clock this costs no time.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(100), future)
        .await
        .expect("waited in vain")
}

/// The path of requests for a session, or for a new one.
pub fn target(transport: &str, sid: &str) -> String {
    match sid {
        "" => format!("/engine.io/?EIO=4&transport={transport}"),
        _ => format!("/engine.io/?EIO=4&transport={transport}&sid={sid}"),
    }
}
