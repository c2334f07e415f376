//! Why a database was not opened. Each refusal is one sentence, and has changed nothing on the disk.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a database was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The folder it would be in is not there.
    #[error("the folder {folder} does not exist")]
    MissingFolder {
        /// That folder.
        folder: PathBuf,
    },
    /// The file or its folder is protected.
    #[error("{path} cannot be written")]
    NotWritable {
        /// The file or folder.
        path: PathBuf,
    },
    /// One process at a time.
    #[error("the database {path} is in use by another process")]
    Held {
        /// The database.
        path: PathBuf,
    },
    /// The file is something else altogether.
    #[error("{path} is not a database")]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Its application id is not `Options::application_id`.
    #[error("{path} is the database of another application")]
    OtherApplication {
        /// The database.
        path: PathBuf,
    },
    /// A newer version of this software has changed it.
    #[error(
        "the database {path} has schema version {found}, and this version knows only up to {known}"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version known here.
        known: u32,
    },
    /// What it holds is not what was written.
    #[error("the database {path} is damaged: {what}")]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// Where the damage shows.
        what: String,
    },
    /// The disk is full or failing.
    #[error("the database {path} cannot be used: {reason}")]
    Unavailable {
        /// The database.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl OpenError {
    /// What an error of the file system means for a path.
    pub(super) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path }
            }
            ErrorKind::IsADirectory => Self::NotADatabase { path },
            _ => Self::Unavailable {
                path,
                reason: error.to_string(),
            },
        }
    }
}
