//! `Config`: everything that can be set on an Engine.IO server, with the reference's defaults.

use std::time::Duration;

use crate::{cookie::Cookie, cors::Cors, handshake::Transport, packet::Frame};

/// The options of a server. Those that the reference documents keep its defaults; the bounds are ours.
///
/// ```
/// use std::time::Duration;
///
/// let config = engineio::Config {
///     ping_interval: Duration::from_secs(10),
///     ..engineio::Config::default()
/// };
/// assert_eq!(config.max_payload, 1_000_000);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The path that is served, without a trailing slash. Default: `/engine.io`.
    pub path: String,
    /// Whether requests come with a trailing slash behind `path`, as the official clients' do. Default: `true`.
    pub add_trailing_slash: bool,
    /// The transports that are offered, in any order. Default: both.
    pub transports: Vec<Transport>,
    /// Whether a session may change from long-polling to WebSocket. Default: `true`.
    pub allow_upgrades: bool,
    /// Whether clients of protocol 3 are served too, those of Socket.IO 2 (`allowEIO3`). They make the ids of their sockets
    /// of the session's, which then is no secret to whom an application tells the id of a socket. Default: `false`.
    pub allow_eio3: bool,
    /// How long after the handshake, or the last pong, a ping is sent. Default: 25 s.
    pub ping_interval: Duration,
    /// How long a pong may take before the session is closed. Clients of protocol 3 ping by themselves, and are closed
    /// when both times have passed without a ping. Default: 20 s.
    pub ping_timeout: Duration,
    /// How long an upgrade may take before its WebSocket is dropped and long-polling goes on. Default: 10 s.
    pub upgrade_timeout: Duration,
    /// The largest message, or long-polling body, in bytes (`maxHttpBufferSize`); by WebSocket 2 GiB is the most.
    /// Default: 1,000,000.
    pub max_payload: usize,
    /// Which pages of other origins may use the server. Default: none, no CORS header is sent; but browsers ask nobody
    /// about WebSockets and the scripts of JSONP polling, which any page may use unless the origins are named here.
    pub cors: Option<Cors>,
    /// A cookie with the session's id, for load balancers. Default: none.
    pub cookie: Option<Cookie>,
    /// Whether long-polling bodies are compressed, by gzip or deflate as the client accepts it. Default: from 1,024 bytes
    /// on; `None` is never.
    pub http_compression: Option<HttpCompression>,
    /// A packet that every client gets right after the handshake, such as a [`Frame::message`]. Default: none.
    pub initial_packet: Option<Frame>,
    /// The bytes a session may have waiting to be sent, each packet counted with 64 bytes on top. A client that is
    /// slower than that is closed with `slow consumer`. A single larger message is taken when nothing waits.
    /// Default: 2,000,000.
    pub max_buffered_bytes: usize,
    /// The packets in one long-polling body. Default: 10,000.
    pub max_packets_per_payload: usize,
    /// The sessions at a time; above it a handshake is refused with status 503. Default: 100,000.
    pub max_sessions: usize,
    /// The sessions that were not yet admitted by the application. Default: 10,000; without `admission_timeout`
    /// there is no such state and no such bound.
    pub max_unconnected_sessions: usize,
    /// After how long a session is closed that the application has not admitted. Default: never.
    pub admission_timeout: Option<Duration>,
    /// How long a long-polling session may live without any request after its handshake. Default: 15 s.
    pub first_poll_timeout: Duration,
    /// How long a closing session may take to send what it has queued. Default: 30 s.
    pub close_timeout: Duration,
    /// How long the sessions may take to send what they have queued when the whole server closes. Default: 10 s.
    pub shutdown_grace: Duration,
    /// How long a TLS handshake may take, on connections accepted by `serve`. Default: 10 s.
    pub tls_handshake_timeout: Duration,
    /// How long a request's head may take to arrive, on connections accepted by `serve`. Default: 5 s.
    pub header_read_timeout: Duration,
    /// The bytes of a request's head, on connections accepted by `serve`; at least 8 KiB. Default: 16 KiB.
    pub max_header_bytes: usize,
    /// How long a request's body may take to arrive. Default: 10 s.
    pub body_read_timeout: Duration,
    /// How long a WebSocket may take no byte at all while there is something to write; half as long again for other
    /// connections accepted by `serve`. Default: 10 s.
    pub write_deadline: Duration,
    /// How many bytes are read from a WebSocket at once, into a buffer that the connections of a thread share. A connection
    /// keeps up to so many while its reading is paused, and otherwise only those of a message that has not all come.
    /// Default: 16 KiB.
    pub ws_read_buffer: usize,
    /// The frames that the largest WebSocket message may come in. What is bounded is the bytes on the wire between two
    /// messages: `max_payload` and 14 for the head of each frame. Default: 1,024.
    pub ws_max_fragments: usize,
    /// How many bytes a WebSocket gathers before it writes. Default: 16 KiB.
    pub ws_write_buffer: usize,
    /// The threads over which `serve` spreads its connections, each with a current-thread runtime of its own; 0 stands
    /// for one for each core, and 256 is the most. Default: `None`, connections are on the runtime that `serve` is called
    /// on.
    ///
    /// A connection goes to the worker that has the fewest, and stays there. The application is called on that thread,
    /// and what it spawns is there, too: a handler that blocks holds up all connections of its worker, and no others.
    /// Sessions that come by several connections may be on several workers, and are told by the clock, by `drain` and by
    /// `close` from the outer runtime; for the application the calls for one session are in order as ever.
    ///
    /// What that gains depends on the program. On the two cores where it was measured, the multi-thread runtime had the
    /// lower cost in most scenarios; with workers new connections and long-polling cost noticeably more.
    /// `protocol-tests/bench` has a row for each form.
    ///
    /// Workers end when serving does. Tasks that the application has spawned there go on for at most `shutdown_grace`; what
    /// is to live longer belongs on the runtime that `Engine::runtime` names.
    pub workers: Option<usize>,
    /// The connections that may wait until their worker has time for them; when all workers have so many, no more are
    /// accepted until one has. Default: 128.
    pub worker_backlog: usize,
}

/// Which long-polling bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpCompression {
    /// The bytes from which on a body is worth it. Default: 1,024.
    pub threshold: usize,
}

impl Default for HttpCompression {
    fn default() -> Self {
        Self { threshold: 1_024 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/engine.io".to_owned(),
            add_trailing_slash: true,
            transports: vec![Transport::Polling, Transport::WebSocket],
            allow_upgrades: true,
            allow_eio3: false,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_payload: 1_000_000,
            cors: None,
            cookie: None,
            http_compression: Some(HttpCompression::default()),
            initial_packet: None,
            max_buffered_bytes: 2_000_000,
            max_packets_per_payload: 10_000,
            max_sessions: 100_000,
            max_unconnected_sessions: 10_000,
            admission_timeout: None,
            first_poll_timeout: Duration::from_secs(15),
            close_timeout: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(10),
            tls_handshake_timeout: Duration::from_secs(10),
            header_read_timeout: Duration::from_secs(5),
            max_header_bytes: 16 * 1024,
            body_read_timeout: Duration::from_secs(10),
            write_deadline: Duration::from_secs(10),
            ws_read_buffer: 16 * 1024,
            ws_max_fragments: 1_024,
            ws_write_buffer: 16 * 1024,
            workers: None,
            worker_backlog: 128,
        }
    }
}
