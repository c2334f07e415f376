//! The options of the command line, each also by environment.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use event_log::{Retention, sqlite::Synchronous};
use tracing_subscriber::filter::LevelFilter;

/// A chat that loses nothing: what was acknowledged is on disk, and whoever comes back gets what was missed, once
/// and in order. Open the address in a browser to use it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Options {
    /// The address and port to serve on
    #[arg(
        long,
        env = "CHAT_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:3000"
    )]
    pub listen: String,

    /// The file that keeps the messages; it is made if it is not there
    #[arg(
        long,
        env = "CHAT_DATABASE",
        value_name = "FILE",
        default_value = "chat.db"
    )]
    pub database: PathBuf,

    /// How many of the last messages a visitor sees who has seen nothing yet; scrolling up loads more
    #[arg(
        long,
        env = "CHAT_HISTORY",
        value_name = "MESSAGES",
        default_value_t = 50
    )]
    pub history: u64,

    /// How many messages are kept; older ones are forgotten. All of them if not given
    #[arg(long, env = "CHAT_KEEP_MESSAGES", value_name = "MESSAGES", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_messages: Option<u64>,

    /// How many mebibytes of messages are kept. All of them if not given
    #[arg(long, env = "CHAT_KEEP_MEBIBYTES", value_name = "MEBIBYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_mebibytes: Option<u64>,

    /// For how many days messages are kept. For ever if not given. Browsers drop theirs while they are connected, or when
    /// they next are
    #[arg(long, env = "CHAT_KEEP_DAYS", value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
    pub keep_days: Option<u64>,

    /// What an acknowledged message survives. `power`: everything, also the loss of power, on a disk that keeps what it
    /// has flushed. `process`: the end of the chat, however it ends; storing is faster, but when the machine loses its
    /// power the newest messages may be gone, and all browsers are told to start anew (on Linux)
    #[arg(
        long,
        env = "CHAT_DURABILITY",
        value_name = "OF",
        default_value = "power"
    )]
    pub durability: Durability,

    /// The file that keeps who is connected, so that a visitor who was cut off comes back as the same one, also when the
    /// chat was stopped or killed meanwhile; it is made if it is not there. Not kept at all if not given
    #[arg(long, env = "CHAT_RECOVERY", value_name = "FILE")]
    pub recovery: Option<PathBuf>,

    /// What is logged: error, warn, info, debug or trace, or one per part, as in `info,socketio=debug`.
    /// What people write is never logged
    #[arg(long, env = "CHAT_LOG", value_name = "LEVEL", default_value = "info", value_parser = check_filter)]
    pub log: String,
}

/// What an acknowledged message survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    Power,
    Process,
}

impl Options {
    /// How the store flushes.
    pub fn synchronous(&self) -> Synchronous {
        match self.durability {
            Durability::Power => Synchronous::Full,
            Durability::Process => Synchronous::Normal,
        }
    }

    /// How much the log keeps.
    pub fn retention(&self) -> Retention {
        Retention {
            rows: self.keep_messages,
            bytes: self
                .keep_mebibytes
                .map(|mebibytes| mebibytes.saturating_mul(1 << 20)),
            age: self
                .keep_days
                .map(|days| Duration::from_secs(days.saturating_mul(24 * 60 * 60))),
        }
    }
}

/// A word alone would be taken for the name of a part, and a misspelt level would log nothing.
fn check_filter(filter: &str) -> Result<String, String> {
    // Nothing at all would be taken for a level too.
    let is_level = |level: &str| !level.is_empty() && level.parse::<LevelFilter>().is_ok();
    let is_sound = |directive: &str| match directive.split_once('=') {
        Some((part, level)) => !part.is_empty() && is_level(level),
        None => is_level(directive),
    };
    if filter.split(',').all(is_sound) {
        Ok(filter.to_owned())
    } else {
        Err("expected off, error, warn, info, debug or trace, or one per part, as in info,socketio=debug".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_is_kept_is_said_in_messages_mebibytes_and_days() {
        let parse = |words: &[&str]| Options::try_parse_from([&["chat-app"], words].concat());
        assert!(parse(&[]).is_ok_and(|options| options.retention().keeps_everything()));
        let options = parse(&["--keep-messages=9", "--keep-mebibytes=2", "--keep-days=1"]);
        let expected = Retention {
            rows: Some(9),
            bytes: Some(2 << 20),
            age: Some(Duration::from_secs(86_400)),
        };
        assert_eq!(
            options.map(|options| options.retention()).ok(),
            Some(expected)
        );
        assert!(parse(&["--keep-messages=0"]).is_err());
    }

    #[test]
    fn what_was_acknowledged_survives_the_loss_of_power_unless_less_is_asked_for() {
        let parse = |words: &[&str]| {
            let options = Options::try_parse_from([&["chat-app"], words].concat());
            options.map(|options| options.synchronous()).ok()
        };
        assert_eq!(parse(&[]), Some(Synchronous::Full));
        assert_eq!(parse(&["--durability=power"]), Some(Synchronous::Full));
        assert_eq!(parse(&["--durability=process"]), Some(Synchronous::Normal));
        assert_eq!(parse(&["--durability=none"]), None);
    }

    #[test]
    fn a_level_that_is_none_is_refused() {
        for filter in ["info", "off", "info,socketio=debug", "engineio=trace"] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["loud", "", "info,", "socketio=loud", "=info", "socketio"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn there_is_a_default_for_everything() {
        let options = Options::parse_from(["chat-app"]);
        assert_eq!(options.listen, "127.0.0.1:3000");
        assert_eq!(options.database, PathBuf::from("chat.db"));
    }
}
