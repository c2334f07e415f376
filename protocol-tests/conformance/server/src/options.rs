//! The options that a test gives, as JSON, and what they are in our configuration.

use std::time::Duration;

use serde::Deserialize;

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
}

impl Options {
    /// The Engine.IO half, for a server at this path.
    pub fn engine(&self, path: &str) -> engineio::Config {
        let default = engineio::Config::default();
        let offers = |name: &str| {
            self.transports
                .as_ref()
                .is_none_or(|names| names.iter().any(|one| one == name))
        };
        let max_payload = self.max_payload.unwrap_or(default.max_payload);
        engineio::Config {
            path: path.to_owned(),
            polling: offers("polling"),
            websocket: offers("websocket"),
            allow_upgrades: self.allow_upgrades.unwrap_or(default.allow_upgrades),
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
            ..default
        }
    }

    /// All of it.
    pub fn socket(&self) -> socketio::Config {
        let default = socketio::Config::default();
        socketio::Config {
            engine: self.engine(&default.engine.path),
            connect_timeout: self
                .connect_timeout
                .map_or(default.connect_timeout, Duration::from_millis),
            ..default
        }
    }
}
