//! Files below the server's path.

use std::io::Read;

use engineio::{
    Config, Cors, CorsOptions, Origins,
    server::{Hooks, StaticFiles},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;

use crate::support::{Server, soon};

const SCRIPT: &str = "hello(); hello(); hello(); hello(); hello(); hello();";

fn server(config: Config) -> Server {
    let script = HeaderValue::from_static("application/javascript; charset=utf-8");
    let files = StaticFiles::new().file("client.js", script, SCRIPT).file(
        "empty.txt",
        HeaderValue::from_static("text/plain"),
        "",
    );
    Server::with_hooks(config, Hooks::default().static_files(files))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn get(server: &Server, target: &str, headers: &[(&str, &str)]) -> Answer {
    ask(server, Method::GET, target, headers).await
}

async fn ask(server: &Server, method: Method, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = hyper::service::Service::call(&server.engine.service(), request);
    let (parts, body) = soon(answer).await.unwrap().into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

#[tokio::test]
async fn a_file_has_its_type_a_tag_and_is_asked_for_again_each_time() {
    let server = server(Config::default());
    for target in ["/engine.io/client.js", "/engine.io/client.js?v=4&EIO=4"] {
        let answer = get(&server, target, &[]).await;
        assert_eq!(
            (answer.status, &answer.body[..]),
            (StatusCode::OK, SCRIPT.as_bytes())
        );
        let expected = [
            (
                "content-type",
                Some("application/javascript; charset=utf-8"),
            ),
            ("cache-control", Some("public, max-age=0")),
            ("vary", Some("Accept-Encoding")),
            ("content-encoding", None),
            ("access-control-allow-origin", None),
        ];
        for (name, value) in expected {
            assert_eq!(answer.header(name), value, "{name}");
        }
        assert!(answer.header("etag").unwrap().starts_with('"'));
    }
}

#[tokio::test]
async fn a_file_that_the_client_has_is_not_sent_again() {
    let server = server(Config::default());
    let etag = get(&server, "/engine.io/client.js", &[])
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    for known in [
        &etag,
        &format!("W/{etag}"),
        &format!("\"old\", {etag}"),
        "*",
    ] {
        let headers = [("if-none-match", known), ("accept-encoding", "gzip")];
        let answer = get(&server, "/engine.io/client.js", &headers).await;
        assert_eq!(
            (answer.status, answer.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{known}"
        );
        assert_eq!(answer.header("etag"), Some(&*etag));
        assert_eq!(answer.header("content-type"), None);
    }
    for other in ["\"old\"", "", "W/", &etag[1..]] {
        let answer = get(&server, "/engine.io/client.js", &[("if-none-match", other)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{other}");
    }
    let empty = get(&server, "/engine.io/empty.txt", &[("if-none-match", &etag)]).await;
    assert_eq!(empty.status, StatusCode::OK);
}

#[tokio::test]
async fn a_file_is_compressed_as_the_client_accepts_it_and_its_tag_still_counts() {
    let server = server(Config {
        http_compression: None,
        ..Config::default()
    });
    for _from_the_first_time_on in 0..2 {
        let gzip = get(
            &server,
            "/engine.io/client.js",
            &[("accept-encoding", "gzip, br")],
        )
        .await;
        let deflate = get(
            &server,
            "/engine.io/client.js",
            &[("accept-encoding", "deflate")],
        )
        .await;
        assert_eq!(gzip.header("content-encoding"), Some("gzip"));
        assert_eq!(deflate.header("content-encoding"), Some("deflate"));
        let mut out = [String::new(), String::new()];
        flate2::read::GzDecoder::new(&gzip.body[..])
            .read_to_string(&mut out[0])
            .unwrap();
        flate2::read::ZlibDecoder::new(&deflate.body[..])
            .read_to_string(&mut out[1])
            .unwrap();
        assert_eq!(out, [SCRIPT, SCRIPT]);
        let etag = gzip.header("etag").unwrap();
        assert!(etag.starts_with("W/\""), "{etag}");
        let again = get(&server, "/engine.io/client.js", &[("if-none-match", etag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
    let plain = get(
        &server,
        "/engine.io/client.js",
        &[("accept-encoding", "br, gzip;q=0")],
    )
    .await;
    assert_eq!(plain.body, SCRIPT);
}

#[tokio::test]
async fn other_names_and_methods_are_what_they_were() {
    let server = server(Config::default());
    for target in [
        "/engine.io/",
        "/engine.io/other.js",
        "/engine.io//client.js",
        "/engine.io/x/client.js",
        "/engine.io/client.js/",
        "/engine.io/%63lient.js",
    ] {
        let answer = get(&server, target, &[]).await;
        assert_eq!(
            answer.body, r#"{"code":0,"message":"Transport unknown"}"#,
            "{target}"
        );
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        get(&server, "/client.js", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&server, "/engine.ioclient.js", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    let post = ask(&server, Method::POST, "/engine.io/client.js", &[]).await;
    assert_eq!(post.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn head_is_answered_without_a_body_and_with_its_length() {
    let server = server(Config::default());
    let mut http = server.connect();
    http.begin("HEAD", "/engine.io/client.js", "").await;
    http.begin("GET", "/engine.io/empty.txt", "").await;
    let head = http.head().await;
    assert!(
        head.contains(&format!("content-length: {}\r\n", SCRIPT.len())),
        "{head}"
    );
    // What comes next is the next answer, and no body.
    assert!(http.head().await.contains("content-type: text/plain\r\n"));
}

#[tokio::test]
async fn another_origin_gets_what_cors_grants() {
    let cors = Cors::new(CorsOptions {
        origin: Origins::List(vec!["https://there.example".to_owned()]),
        ..CorsOptions::default()
    })
    .unwrap();
    let server = server(Config {
        cors: Some(cors),
        ..Config::default()
    });
    let origin = ("origin", "https://there.example");
    let answer = get(&server, "/engine.io/client.js", &[origin]).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://there.example")
    );
    assert_eq!(answer.header("vary"), Some("Origin, Accept-Encoding"));
    let other = get(
        &server,
        "/engine.io/client.js",
        &[("origin", "https://other.example")],
    )
    .await;
    assert_eq!(other.header("access-control-allow-origin"), None);
    assert_eq!(other.status, StatusCode::OK);
}
