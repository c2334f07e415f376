//! What a request may cost: its head, its body, and the time they take.

use std::time::Duration;

use engineio::{CloseReason, Config};

use crate::support::{Polling, Server, target};

fn small() -> Config {
    Config {
        max_payload: 100,
        ..Config::default()
    }
}

#[tokio::test]
async fn a_body_of_max_payload_is_taken() {
    let mut server = Server::quiet(small());
    let mut client = Polling::open(&server).await;
    client.send(&format!("4{}", "x".repeat(99))).await;
    assert_eq!(server.message().await.len(), 99);
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_before_it_comes() {
    let mut server = Server::quiet(small());
    let mut client = Polling::open(&server).await;
    client.begin_post("content-length: 101\r\n").await;
    assert_eq!(client.post.reply().await.status, 413);
    client.post.ended().await;
    assert_lives_on(&mut server, client).await;
}

#[tokio::test]
async fn a_chunked_body_is_refused_as_soon_as_it_is_too_large() {
    let mut server = Server::quiet(small());
    let mut client = Polling::open(&server).await;
    client.begin_post("transfer-encoding: chunked\r\n").await;
    let post = &mut client.post;
    for _ in 0..3 {
        post.write(format!("28\r\n{}\r\n", "4".repeat(40))).await;
    }
    assert_eq!(post.reply().await.status, 413);
    post.ended().await;
    assert_lives_on(&mut server, client).await;
}

#[tokio::test]
async fn a_body_that_comes_in_pieces_is_put_together() {
    let mut server = Server::quiet(small());
    let mut client = Polling::open(&server).await;
    client.begin_post("transfer-encoding: chunked\r\n").await;
    let post = &mut client.post;
    for piece in ["1\r\n4\r\n", "3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n"] {
        post.write(piece).await;
    }
    post.reply().await.assert(200, "ok");
    assert_eq!(server.message().await, "abcde");
}

/// Nothing of the body was delivered, and the next one is.
async fn assert_lives_on(server: &mut Server, mut client: Polling) {
    client.post = server.connect();
    client.send("4a").await;
    assert_eq!(server.message().await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_ends_the_session_with_408() {
    let mut server = Server::quiet(Config::default());
    let mut client = Polling::open(&server).await;
    let before = tokio::time::Instant::now();
    client.begin_post("content-length: 100\r\n").await;
    client.post.write("4a").await;
    assert_eq!(client.post.reply().await.status, 408);
    assert_eq!(server.closed().await, CloseReason::TransportError);
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    client.post.ended().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = Server::quiet(Config::default());
    let listening = server.listen().await;
    let mut http = listening.connect().await;
    let header = format!("x: {}\r\n", "x".repeat(17 * 1024));
    http.begin("GET", &target("polling", ""), &header).await;
    assert_eq!(http.reply().await.status, 431);
    http.ended().await;
}

#[tokio::test]
async fn a_head_with_too_many_headers_is_refused() {
    let server = Server::quiet(Config::default());
    let listening = server.listen().await;
    let mut http = listening.connect().await;
    let headers = "x: y\r\n".repeat(101);
    http.begin("GET", &target("polling", ""), &headers).await;
    assert_eq!(http.reply().await.status, 431);
    http.ended().await;
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_its_connection() {
    let server = Server::quiet(Config {
        header_read_timeout: Duration::from_millis(20),
        ..Config::default()
    });
    let listening = server.listen().await;
    let mut http = listening.connect().await;
    http.write("GET /engine.io/ HTTP/1.1\r\nhost:").await;
    http.ended().await;
}
