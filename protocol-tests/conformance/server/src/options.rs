//! The options that a test gives, as JSON, and what they are in our configuration.

use std::{sync::Arc, time::Duration};

use engineio::{
    Cookie, CookieOptions, Cors, CorsOptions, Frame, HttpCompression, Origins, SameSite,
    server::Hooks,
};
use http::HeaderValue;
use serde::Deserialize;
use socketio::{ClientBundle, Parser, Recovery, parser::Msgpack};

use crate::engine::Told;

/// The scripts that the reference serves.
const CLIENT_FOLDER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../node_modules/socket.io/client-dist"
);

/// See the table in `fixture.md`. An option that is not there is a mistake in a test, so it is refused.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    ping_interval: Option<u64>,
    ping_timeout: Option<u64>,
    upgrade_timeout: Option<u64>,
    connect_timeout: Option<u64>,
    max_payload: Option<usize>,
    transports: Option<Vec<String>>,
    allow_upgrades: Option<bool>,
    #[serde(rename = "allowEIO3", default)]
    allow_eio3: bool,
    cors: Option<CorsOption>,
    cookie: Option<CookieOption>,
    refuse: Option<String>,
    initial_packet: Option<String>,
    serve_client: Option<bool>,
    connection_state_recovery: Option<RecoveryOption>,
    add_trailing_slash: Option<bool>,
    http_compression: Option<CompressionOption>,
    cleanup: Option<bool>,
    parser: Option<ParserOption>,
    #[serde(default)]
    ask: bool,
    #[serde(default)]
    events: bool,
    #[serde(default)]
    generate_id: bool,
    #[serde(default)]
    headers: bool,
    #[serde(default)]
    layers: bool,
    #[serde(default)]
    alone: bool,
    #[serde(default)]
    port: u16,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RecoveryOption {
    max_disconnection_duration: Option<u64>,
    skip_middlewares: Option<bool>,
}

impl RecoveryOption {
    fn recovery(&self) -> Recovery {
        let default = Recovery::default();
        Recovery {
            max_disconnection_duration: self
                .max_disconnection_duration
                .map_or(default.max_disconnection_duration, Duration::from_millis),
            skip_middlewares: self.skip_middlewares.unwrap_or(default.skip_middlewares),
            ..default
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ParserOption {
    Msgpack,
}

impl ParserOption {
    fn parser(self) -> Arc<dyn Parser> {
        match self {
            Self::Msgpack => Arc::new(Msgpack),
        }
    }
}

/// `false`, or from which size on.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CompressionOption {
    Off(bool),
    From { threshold: usize },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CorsOption {
    /// Without it, any.
    origin: Option<Vec<String>>,
    /// A predicate instead: how origins end that are allowed.
    origin_suffix: Option<String>,
    #[serde(default)]
    credentials: bool,
    methods: Option<Vec<String>>,
    allowed_headers: Option<Vec<String>>,
    #[serde(default)]
    exposed_headers: Vec<String>,
    max_age: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CookieOption {
    name: Option<String>,
    path: Option<String>,
    http_only: Option<bool>,
    same_site: Option<String>,
}

impl CorsOption {
    fn cors(&self) -> Cors {
        let default = CorsOptions::default();
        Cors::new(CorsOptions {
            origin: match self.origin_suffix.clone() {
                Some(suffix) => Origins::matching(move |origin| origin.ends_with(&suffix)),
                None => self.origin.clone().map_or(default.origin, Origins::List),
            },
            credentials: self.credentials,
            methods: self.methods.clone().unwrap_or(default.methods),
            allowed_headers: self.allowed_headers.clone(),
            exposed_headers: self.exposed_headers.clone(),
            max_age: self.max_age.map(Duration::from_secs),
        })
        .expect("a test gives options that make sense")
    }
}

impl CookieOption {
    fn cookie(&self) -> Cookie {
        let default = CookieOptions::default();
        Cookie::new(CookieOptions {
            name: self.name.clone().unwrap_or(default.name),
            path: self.path.clone().or(default.path),
            http_only: self.http_only.unwrap_or(default.http_only),
            same_site: match self.same_site.as_deref() {
                Some("strict") => Some(SameSite::Strict),
                Some("none") => Some(SameSite::None),
                _ => default.same_site,
            },
            ..CookieOptions::default()
        })
        .expect("a test gives options that make sense")
    }
}

impl Options {
    /// The Engine.IO half, for a server at this path.
    pub fn engine(&self, path: &str) -> engineio::Config {
        let default = engineio::Config::default();
        let mut transports = default.transports.clone();
        if let Some(names) = &self.transports {
            transports.retain(|transport| names.iter().any(|name| name == transport.as_str()));
        }
        let max_payload = self.max_payload.unwrap_or(default.max_payload);
        engineio::Config {
            path: path.to_owned(),
            transports,
            allow_upgrades: self.allow_upgrades.unwrap_or(default.allow_upgrades),
            allow_eio3: self.allow_eio3,
            ping_interval: self
                .ping_interval
                .map_or(default.ping_interval, Duration::from_millis),
            ping_timeout: self
                .ping_timeout
                .map_or(default.ping_timeout, Duration::from_millis),
            upgrade_timeout: self
                .upgrade_timeout
                .map_or(default.upgrade_timeout, Duration::from_millis),
            max_payload,
            cors: self.cors.as_ref().map(CorsOption::cors),
            cookie: self.cookie.as_ref().map(CookieOption::cookie),
            initial_packet: self.initial_packet.as_deref().map(Frame::message),
            add_trailing_slash: self
                .add_trailing_slash
                .unwrap_or(default.add_trailing_slash),
            http_compression: match self.http_compression {
                None | Some(CompressionOption::Off(true)) => default.http_compression,
                Some(CompressionOption::Off(false)) => None,
                Some(CompressionOption::From { threshold }) => Some(HttpCompression { threshold }),
            },
            ..default
        }
    }

    /// The port to listen on; 0 is any that is free.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether Engine.IO has the port for itself.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether layers stand in front of the servers.
    pub fn has_layers(&self) -> bool {
        self.layers
    }

    /// What a test wants to decide about requests. Refused ones are noted.
    pub fn hooks(&self, told: &Told) -> Hooks {
        let (refusals, events) = (told.clone(), told.clone());
        let mut hooks = Hooks::default().connection_error(move |error| refusals.refused(error));
        if self.events {
            hooks = hooks.session_event(move |sid, event| events.happened(sid, event));
        }
        if self.generate_id {
            hooks = hooks.generate_id(async |request| {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let query = request.uri.query().unwrap_or_default();
                match query.split('&').find_map(|pair| pair.strip_prefix("x=")) {
                    Some(x) => Ok(format!("made-of-{x}")),
                    None => Err("there is nothing to make an id of".to_owned()),
                }
            });
        }
        if let Some(message) = self.refuse.clone() {
            hooks = hooks.allow_request(move |_request| std::future::ready(Err(message.clone())));
        }
        if self.ask {
            hooks = hooks.allow_request(async |request| {
                tokio::time::sleep(Duration::from_millis(10)).await;
                match request.uri.query() {
                    Some(query) if query.contains("pass=1") => Ok(()),
                    _ => Err("not you".to_owned()),
                }
            });
        }
        if self.headers {
            hooks = hooks
                .initial_headers(|headers, _request| {
                    headers.insert("x-initial", HeaderValue::from_static("1"));
                })
                .headers(|headers, _request| {
                    headers.insert("x-every", HeaderValue::from_static("1"));
                });
        }
        hooks
    }

    /// All of it.
    pub fn socket(&self, told: &Told) -> socketio::Config {
        let default = socketio::Config::default();
        socketio::Config {
            engine: self.engine(&default.engine.path),
            hooks: self.hooks(told),
            serve_client: self
                .serve_client
                .unwrap_or_default()
                .then(|| ClientBundle::read(CLIENT_FOLDER).expect("the packages are installed")),
            connect_timeout: self
                .connect_timeout
                .map_or(default.connect_timeout, Duration::from_millis),
            connection_state_recovery: self
                .connection_state_recovery
                .as_ref()
                .map(RecoveryOption::recovery),
            parser: self.parser.map(ParserOption::parser),
            cleanup_empty_child_namespaces: self
                .cleanup
                .unwrap_or(default.cleanup_empty_child_namespaces),
            ..default
        }
    }
}
