//! Unix sockets to serve on: one that is bound already, or a path that is taken over from a process that is gone.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use futures_util::FutureExt;
use tokio::net::{UnixListener, UnixStream};

use super::listener::{Accepted, Listener, Move, Peer};

/// A Unix socket with its file: it takes the place of one that nobody listens on any more, and is removed at the end.
///
/// Who may connect is up to the permissions of the folder and the process's umask.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    file: SocketFile,
}

impl UnixSocket {
    /// Listens on a path. A socket file that a process has left behind is replaced.
    ///
    /// # Errors
    ///
    /// `AddrInUse` if a process listens there, or if the file is no socket: then it is not touched. Otherwise what the
    /// system says.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let listener = match UnixListener::bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_behind(path) => {
                fs::remove_file(path)?;
                UnixListener::bind(path)?
            }
            bound => bound?,
        };
        let id = FileId::of(path)?;
        let path = path.to_owned();
        Ok(Self {
            listener,
            file: SocketFile { path, id },
        })
    }

    /// The path, as it was given.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl Listener for UnixSocket {
    type Stream = UnixStream;
    type Handshake = Accepted<UnixStream>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        Listener::accept(&mut self.listener).await
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Handshake = Accepted<UnixStream>;

    async fn accept(&mut self) -> io::Result<Self::Handshake> {
        let (stream, _unnamed) = UnixListener::accept(self).await?;
        Ok(Accepted::new(stream, Peer::default()))
    }
}

impl Move for UnixStream {
    fn move_here(self) -> io::Result<Self> {
        Self::from_std(self.into_std()?)
    }
}

/// Whether the file is a socket that nobody listens on.
fn is_left_behind(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    // The kernel refuses at once. A process that is too busy to accept is one that listens, and is not waited for.
    is_socket
        && matches!(
            UnixStream::connect(path).now_or_never(),
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused
        )
}

/// Removes the file when serving ends, unless another one has taken its place.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: FileId,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if FileId::of(&self.path).is_ok_and(|id| id == self.id)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket's file");
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self {
            device: file.dev(),
            inode: file.ino(),
        })
    }
}
