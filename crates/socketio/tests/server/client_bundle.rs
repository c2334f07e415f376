//! The scripts that the server hands out.

use std::{fs, io};

use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, service::Service};
use socketio::{ClientBundle, Config, Server};

fn server(bundle: Option<ClientBundle>) -> Server {
    Server::with_config(Config {
        serve_client: bundle,
        ..Config::default()
    })
}

/// Status, type and body.
async fn get(io: &Server, target: &str) -> (u16, String, Bytes) {
    let request = Request::get(target).body(Full::<Bytes>::default()).unwrap();
    let response = io.service().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let kind = parts
        .headers
        .get("content-type")
        .map_or("", |kind| kind.to_str().unwrap());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status.as_u16(), kind.to_owned(), body)
}

#[tokio::test]
async fn a_script_and_its_map_are_served_below_the_path() {
    let bundle = ClientBundle::new()
        .file("socket.io.js", "io();")
        .file("socket.io.js.map", "{}")
        .file_of_type("readme.txt", "text/plain".parse().unwrap(), "read me");
    let io = server(Some(bundle));
    for (target, kind, body) in [
        (
            "/socket.io/socket.io.js?v=1",
            "application/javascript; charset=utf-8",
            "io();",
        ),
        (
            "/socket.io/socket.io.js.map",
            "application/json; charset=utf-8",
            "{}",
        ),
        ("/socket.io/readme.txt", "text/plain", "read me"),
    ] {
        assert_eq!(
            get(&io, target).await,
            (200, kind.to_owned(), Bytes::from(body))
        );
    }
    assert_eq!(get(&io, "/socket.io/socket.io.min.js").await.0, 400);
    assert_eq!(get(&io, "/socket.io.js").await.0, 404);
}

#[tokio::test]
async fn without_a_bundle_nothing_is_served() {
    let (status, _, body) = get(&server(None), "/socket.io/socket.io.js").await;
    assert_eq!(
        (status, &body[..]),
        (400, &br#"{"code":0,"message":"Transport unknown"}"#[..])
    );
}

#[test]
fn the_official_names_of_a_folder_are_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = ClientBundle::read(folder.path()).unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::NotFound);
    for name in ["socket.io.min.js", "socket.io.min.js.map", "secret.txt"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let bundle = ClientBundle::read(folder.path()).unwrap();
    let mut names: Vec<_> = bundle.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["socket.io.min.js", "socket.io.min.js.map"]);
}
