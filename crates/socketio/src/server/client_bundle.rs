//! `ClientBundle`: the scripts of the client that a server hands out to pages.

use std::{fs, io, path::Path};

use bytes::Bytes;
use engineio::server::StaticFiles;
use http::HeaderValue;

/// The scripts of the client, served below the server's path, where pages look for them:
/// `<script src="/socket.io/socket.io.js"></script>`.
///
/// There is none in this crate. They come with the npm package `socket.io-client`, in its folder `dist`:
///
/// ```no_run
/// use socketio::{ClientBundle, Config, Server};
///
/// # fn main() -> std::io::Result<()> {
/// let io = Server::with_config(Config {
///     serve_client: Some(ClientBundle::read("node_modules/socket.io-client/dist")?),
///     ..Config::default()
/// });
/// # drop(io);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientBundle(StaticFiles);

impl ClientBundle {
    /// The official names: three builds, one of them also without its comments taken out, each with its source map.
    pub const OFFICIAL_NAMES: [&str; 8] = [
        "socket.io.js",
        "socket.io.js.map",
        "socket.io.min.js",
        "socket.io.min.js.map",
        "socket.io.esm.min.js",
        "socket.io.esm.min.js.map",
        "socket.io.msgpack.min.js",
        "socket.io.msgpack.min.js.map",
    ];

    /// A bundle without files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, such as one that `include_bytes!` has put into the program. Its type is that of a source map if the
    /// name ends in `.map`, and otherwise that of a script.
    #[must_use]
    pub fn file(self, name: impl Into<String>, content: impl Into<Bytes>) -> Self {
        let name = name.into();
        let content_type = if name.ends_with(".map") {
            "application/json; charset=utf-8"
        } else {
            "application/javascript; charset=utf-8"
        };
        self.file_of_type(name, HeaderValue::from_static(content_type), content)
    }

    /// Adds a file of any type.
    #[must_use]
    pub fn file_of_type(
        self,
        name: impl Into<String>,
        content_type: HeaderValue,
        content: impl Into<Bytes>,
    ) -> Self {
        Self(self.0.file(name, content_type, content))
    }

    /// Reads the files of a folder that have one of the [official names](Self::OFFICIAL_NAMES).
    ///
    /// # Errors
    ///
    /// `NotFound` if there is none of them; otherwise what the system says.
    pub fn read(folder: impl AsRef<Path>) -> io::Result<Self> {
        let mut bundle = Self::new();
        for name in Self::OFFICIAL_NAMES {
            match fs::read(folder.as_ref().join(name)) {
                Ok(content) => bundle = bundle.file(name, content),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if bundle.names().next().is_none() {
            let folder = folder.as_ref().display();
            let message = format!("no script of the client in {folder}");
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        Ok(bundle)
    }

    /// The names of the files, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.names()
    }

    pub(crate) fn into_files(self) -> StaticFiles {
        self.0
    }
}
