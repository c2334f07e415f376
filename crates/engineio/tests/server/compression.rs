//! Compressed long-polling bodies.

use std::io::Read;

use engineio::{Config, Frame, HttpCompression, SendOptions};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;

use crate::support::{Polling, Server, soon, target};

/// The encoding and the body of a poll that brings `text`.
async fn poll(config: Config, accept: &str, text: &str) -> (Option<String>, Vec<u8>) {
    let server = Server::quiet(config);
    let client = Polling::open(&server).await;
    let link = server.engine.session(&client.sid.parse().unwrap()).unwrap();
    link.push(&[Frame::message(text)]).unwrap();
    let request = Request::get(client.target())
        .header("accept-encoding", accept)
        .body(Full::<Bytes>::default())
        .unwrap();
    let answer = hyper::service::Service::call(&server.engine.service(), request);
    let response: Response<_> = soon(answer).await.unwrap();
    assert_eq!(response.status(), 200);
    let encoding = response.headers().get("content-encoding");
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (encoding, body.to_vec())
}

/// A text whose packet is so many bytes long.
fn text(packet: usize) -> String {
    "x".repeat(packet - 1)
}

#[tokio::test]
async fn a_long_body_is_compressed_as_the_client_accepts_it() {
    let expected = format!("4{}", text(1024));
    let (encoding, body) = poll(Config::default(), "gzip, deflate", &text(1024)).await;
    let mut out = String::new();
    let mut gzip = flate2::read::GzDecoder::new(&body[..]);
    gzip.read_to_string(&mut out).unwrap();
    assert_eq!((encoding.as_deref(), &out), (Some("gzip"), &expected));

    let (encoding, body) = poll(Config::default(), "deflate", &text(1024)).await;
    let mut out = String::new();
    let mut deflate = flate2::read::ZlibDecoder::new(&body[..]);
    deflate.read_to_string(&mut out).unwrap();
    assert_eq!((encoding.as_deref(), &out), (Some("deflate"), &expected));
}

#[tokio::test]
async fn a_body_goes_as_it_is_below_the_threshold_or_if_nothing_is_accepted_or_switched_off() {
    let off = Config {
        http_compression: None,
        ..Config::default()
    };
    let high = Config {
        http_compression: Some(HttpCompression { threshold: 1025 }),
        ..Config::default()
    };
    for (config, accept, length) in [
        (Config::default(), "gzip", 1023),
        (Config::default(), "br, gzip;q=0", 1024),
        (high, "gzip", 1024),
        (off, "gzip", 1024),
    ] {
        let (encoding, body) = poll(config, accept, &text(length)).await;
        assert_eq!(encoding, None);
        assert_eq!(body, format!("4{}", text(length)).into_bytes());
    }
}

#[tokio::test]
async fn a_body_is_compressed_if_that_is_worth_it_for_one_of_its_packets() {
    for (flags, expected) in [
        (&[false, false][..], None),
        (&[false, true], Some("gzip")),
        (&[true, false], Some("gzip")),
    ] {
        let server = Server::quiet(Config::default());
        let client = Polling::open(&server).await;
        let link = server.engine.session(&client.sid.parse().unwrap()).unwrap();
        for compress in flags {
            let options = SendOptions {
                compress: *compress,
                ..SendOptions::default()
            };
            let sent = link.push_with(&[Frame::message(&text(1024))], options);
            assert_eq!(sent, Ok(true));
        }
        let request = Request::get(client.target())
            .header("accept-encoding", "gzip")
            .body(Full::<Bytes>::default())
            .unwrap();
        let answer = hyper::service::Service::call(&server.engine.service(), request);
        let response = soon(answer).await.unwrap();
        let encoding = response.headers().get("content-encoding");
        let encoding = encoding.map(|encoding| encoding.to_str().unwrap());
        assert_eq!(encoding, expected, "{flags:?}");
    }
}

#[tokio::test]
async fn a_handshake_is_compressed_too_if_it_is_long_enough() {
    let server = Server::quiet(Config {
        http_compression: Some(HttpCompression { threshold: 1 }),
        ..Config::default()
    });
    let request = Request::get(target("polling", ""))
        .header("accept-encoding", "gzip")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = hyper::service::Service::call(&server.engine.service(), request).await;
    let headers = response.unwrap().headers().clone();
    assert_eq!(headers["content-encoding"], "gzip");
    assert_eq!(headers["content-type"], "text/plain; charset=UTF-8");
}
