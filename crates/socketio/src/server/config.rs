//! `Config`: everything that can be set on a server, with the reference's defaults.

use std::{sync::Arc, time::Duration};

use engineio::server::Hooks;

use super::{
    adapter::AdapterFactory,
    client_bundle::ClientBundle,
    recovery::{Recovery, StoredData},
};
use crate::{packet::Limits, parser::Parser};

/// The options of a server. Those that the reference documents keep its defaults; the bounds are ours.
///
/// ```
/// use std::time::Duration;
///
/// use socketio::{Config, Server, engineio};
///
/// let io = Server::with_config(Config {
///     ack_timeout: Duration::from_secs(5),
///     engine: engineio::Config { max_payload: 100_000, ..Config::engine() },
///     ..Config::default()
/// });
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The options of the engine below: path, transports, heartbeat, sizes. Default: [`Config::engine`], whose path is
    /// `/socket.io`; with `engineio::Config::default()` the server would move to `/engine.io`. Its `admission_timeout` is
    /// set from `connect_timeout`.
    pub engine: engineio::Config,
    /// What the application decides about requests. Default: nothing.
    pub hooks: Hooks,
    /// The scripts of the client that are served below the path. Default: none, as there are none in this crate; the
    /// reference brings its own.
    pub serve_client: Option<ClientBundle>,
    /// How long a client may be in no namespace before its session is closed. Default: 45 s.
    pub connect_timeout: Duration,
    /// How long the middlewares of a namespace may take for one client. Default: 10 s.
    pub connect_handler_timeout: Duration,
    /// How long an emit with ack waits for an answer, unless it says otherwise. Default: 30 s.
    pub ack_timeout: Duration,
    /// Whether sockets keep the headers and the URL of the client's request. Default: `true`; without it an idle
    /// connection takes some hundred bytes less.
    pub keep_handshake: bool,
    /// The handlers of one connection that may be waiting for something at a time; with more, no further message of it is
    /// read until some have finished. With 1, handlers run strictly one after the other, except that one which waits for
    /// an answer of its own client lets the next one start. Default: 64.
    pub max_inflight_handlers: usize,
    /// The events that a client may send within a second; its session is closed above it. Default: 0, which is any number.
    pub inbound_events_per_s: u32,
    /// The answers that a socket may owe. Default: 1,000.
    pub max_pending_acks: usize,
    /// The answers to one broadcast that are waited for. Default: 10,000.
    pub max_ack_responses: usize,
    /// The namespaces a client may be in. Default: 32.
    pub max_namespaces_per_client: usize,
    /// The namespaces that clients have brought about (see [`Server::of_matching`](crate::Server::of_matching)) and that
    /// are there at a time; above it clients that want another one are refused. Default: 1,000.
    pub max_dynamic_namespaces: usize,
    /// Whether a namespace that a client has brought about goes when nobody is in it any more. Default: `true`, where the
    /// reference has `false`.
    pub cleanup_empty_child_namespaces: bool,
    /// The bytes of a namespace's name. Default: 255.
    pub max_name_len: usize,
    /// The bytes of the auth payload of a CONNECT. Default: 16 KiB.
    pub max_auth_bytes: usize,
    /// The bytes of an event's name. Default: 255.
    pub max_event_name: usize,
    /// The attachments of one packet. Default: 10.
    pub max_attachments: usize,
    /// The bytes of a packet whose attachments have not all arrived. Default: 4 MiB.
    pub max_pending_attachment_bytes: usize,
    /// How long the attachments of a packet may take to arrive; checked when the next one does. Default: 10 s.
    pub attachment_timeout: Duration,
    /// The rooms a socket may be in. Default: 1,024.
    pub max_rooms_per_socket: usize,
    /// The rooms a namespace may have. Default: 1,000,000.
    pub max_rooms: usize,
    /// How packets are written and read, for instance [`Msgpack`](crate::parser::Msgpack); the clients must have the
    /// same. Default: none, which is the format of [`packet`](crate::packet).
    pub parser: Option<Arc<dyn Parser>>,
    /// Who carries out broadcasts. Default: none, which is this process alone.
    pub adapter: Option<AdapterFactory>,
    /// What [`Socket::set`](crate::Socket::set) keeps and other nodes may ask a
    /// [`RemoteSocket`](crate::RemoteSocket::data) for. Default: nothing.
    pub shared_data: StoredData,
    /// Connection state recovery: clients that were cut off come back as the sockets that they were. Default: none, as
    /// with the reference.
    pub connection_state_recovery: Option<Recovery>,
}

impl Default for Config {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            engine: Self::engine(),
            hooks: Hooks::default(),
            serve_client: None,
            connect_timeout: Duration::from_secs(45),
            connect_handler_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(30),
            keep_handshake: true,
            max_inflight_handlers: 64,
            inbound_events_per_s: 0,
            max_pending_acks: 1_000,
            max_ack_responses: 10_000,
            max_namespaces_per_client: 32,
            max_dynamic_namespaces: 1_000,
            cleanup_empty_child_namespaces: true,
            max_name_len: limits.max_name_len,
            max_auth_bytes: limits.max_auth_bytes,
            max_event_name: limits.max_event_name,
            max_attachments: limits.max_attachments,
            max_pending_attachment_bytes: limits.max_pending_attachment_bytes,
            attachment_timeout: limits.attachment_timeout,
            max_rooms_per_socket: 1_024,
            max_rooms: 1_000_000,
            parser: None,
            adapter: None,
            shared_data: StoredData::default(),
            connection_state_recovery: None,
        }
    }
}

impl Config {
    /// The default options of the engine in a Socket.IO server: those of an engine alone, with the path `/socket.io`.
    pub fn engine() -> engineio::Config {
        engineio::Config {
            path: "/socket.io".to_owned(),
            ..engineio::Config::default()
        }
    }

    /// The bounds of what a client may send.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_attachments: self.max_attachments,
            max_pending_attachment_bytes: self.max_pending_attachment_bytes,
            attachment_timeout: self.attachment_timeout,
            max_event_name: self.max_event_name,
            max_name_len: self.max_name_len,
            max_auth_bytes: self.max_auth_bytes,
        }
    }
}
