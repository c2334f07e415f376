//! How the recorded program and the checks open the database.

use std::path::{Path, PathBuf};

use event_log::sqlite::{Options, Synchronous};

/// What an answered append survives, by the words of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Durability {
    Full,
    Normal,
}

/// What has to be there after a loss of power.
#[derive(Debug, Clone, Copy)]
pub struct Promise {
    pub durability: Durability,
    /// How many of the newest events of each stream; all of them if not given.
    pub keep: Option<u64>,
}

pub fn database(folder: &Path) -> PathBuf {
    folder.join("log.db")
}

pub fn store(durability: Durability) -> Options {
    Options {
        synchronous: match durability {
            Durability::Full => Synchronous::Full,
            Durability::Normal => Synchronous::Normal,
        },
        // So that the log is moved into the database often enough to be interrupted in it.
        wal_autocheckpoint: 25,
        max_wal_bytes: 160 << 10,
        // The folders are small and may be in memory.
        min_free_bytes: 0,
        ..Options::default()
    }
}
