//! The options of the command line, each also by environment.

use std::path::PathBuf;

use clap::Parser;

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

    /// What is logged: error, warn, info, debug or trace, or one per part, as in `info,socketio=debug`.
    /// What people write is not logged at any level above trace
    #[arg(long, env = "CHAT_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: String,
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
    fn there_is_a_default_for_everything() {
        let options = Options::parse_from(["chat-app"]);
        assert_eq!(options.listen, "127.0.0.1:3000");
        assert_eq!(options.database, PathBuf::from("chat.db"));
    }
}
