//! Unix sockets.

use std::{fs, io, sync::Arc};

use engineio::{
    Config,
    server::{Hooks, RemoteAddr, UnixSocket},
};
use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::{
    net::{self, UnixListener, UnixStream},
    sync::mpsc,
};

use crate::support::{Http, Server, soon, target, websocket_on};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_path_is_served_and_its_file_goes_when_serving_ends() {
    let (folder, server) = (folder(), Server::echo(Config::default()));
    let path = folder.path().join("engine.sock");
    let socket = UnixSocket::bind(&path).unwrap();
    assert_eq!(socket.path(), path);
    let engine = server.engine.clone();
    let serving = tokio::spawn(async move { engine.serve(socket).await });

    let stream = UnixStream::connect(&path).await.unwrap();
    let mut websocket = websocket_on(stream, &target("websocket", ""))
        .await
        .unwrap();
    assert!(websocket.receive().await.starts_with("0{"));
    websocket.send("4over a file").await;
    assert_eq!(websocket.receive().await, "4over a file");

    let mut http = Http::new(UnixStream::connect(&path).await.unwrap());
    http.get("/other").await.assert(501, NOT_HERE);

    tokio::join!(soon(server.engine.close()), websocket.ended());
    soon(serving).await.unwrap().unwrap();
    assert!(!path.exists());
}

const NOT_HERE: &str = "the path of this server is /engine.io/\n";

#[tokio::test]
async fn a_request_by_a_unix_socket_has_no_address() {
    let (told, mut addresses) = mpsc::unbounded_channel();
    let hooks = Hooks::default().headers(move |_headers, request| {
        let address = request.extensions.get::<RemoteAddr>().copied();
        told.send(address).unwrap();
    });
    let (folder, server) = (folder(), Server::with_hooks(Config::default(), hooks));
    let path = folder.path().join("bound.sock");
    // One that somebody else has bound is served as well.
    let listener = UnixListener::bind(&path).unwrap();
    let engine = server.engine.clone();
    tokio::spawn(async move { engine.serve(listener).await });
    let mut http = Http::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(http.get(&target("polling", "")).await.status, 200);
    assert_eq!(addresses.recv().await, Some(None));
}

#[tokio::test]
async fn a_file_that_was_left_behind_is_replaced() {
    let folder = folder();
    let path = folder.path().join("engine.sock");
    // The standard library leaves the file.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let socket = UnixSocket::bind(&path).unwrap();
    UnixStream::connect(&path).await.unwrap();
    drop(socket);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_in_use_and_what_is_no_socket_are_left_alone() {
    let folder = folder();
    let (used, text) = (folder.path().join("used.sock"), folder.path().join("text"));
    let _other = UnixSocket::bind(&used).unwrap();
    fs::write(&text, "dear to somebody").unwrap();
    for path in [&used, &text] {
        let error = UnixSocket::bind(path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{path:?}");
    }
    UnixStream::connect(&used).await.unwrap();
    assert_eq!(fs::read(&text).unwrap(), b"dear to somebody");
}

#[tokio::test]
async fn a_socket_whose_process_is_too_busy_to_accept_is_left_alone_at_once() {
    let folder = folder();
    let path = folder.path().join("busy.sock");
    let busy = net::UnixSocket::new_stream().unwrap();
    busy.bind(&path).unwrap();
    let _busy = busy.listen(1).unwrap();
    while !matches!(UnixStream::connect(&path).now_or_never(), Some(Err(_))) {}
    let binding = tokio::task::spawn_blocking(move || UnixSocket::bind(path).map(drop));
    let error = soon(binding).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_file_that_has_taken_the_place_of_ours_stays() {
    let folder = folder();
    let path = folder.path().join("engine.sock");
    let old = UnixSocket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let new = Arc::new(UnixSocket::bind(&path).unwrap());
    drop(old);
    UnixStream::connect(&path).await.unwrap();
    drop(new);
    assert!(!path.exists());
}
