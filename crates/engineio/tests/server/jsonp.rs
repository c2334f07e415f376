//! JSONP polling, in both protocols.

use engineio::{CloseReason, Config, Cors, CorsOptions, Frame, HttpCompression, Origins};

use crate::support::{Http, Server, websocket_on};

fn config() -> Config {
    Config {
        allow_eio3: true,
        ..Config::default()
    }
}

/// A session whose polls are scripts.
struct Client {
    http: Http,
    target: String,
    sid: String,
}

impl Client {
    async fn open(server: &Server, version: u8) -> Self {
        let mut http = server.connect();
        let target = format!("/engine.io/?EIO={version}&transport=polling&j=2");
        let open = http.get(&target).await;
        assert_eq!(open.status, 200, "{open:?}");
        assert!(open.body.starts_with("___eio[2](\""), "{open:?}");
        assert!(open.body.ends_with("\");"), "{open:?}");
        let sid = open.body.split("\\\"").nth(3).unwrap().to_owned();
        let target = format!("{target}&sid={sid}");
        Self { http, target, sid }
    }

    async fn send(&mut self, form: &str) {
        let headers = format!(
            "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
            form.len()
        );
        self.http.begin("POST", &self.target, &headers).await;
        self.http.write(form).await;
        let reply = self.http.reply().await;
        reply.assert(200, "ok");
        assert!(reply.head.contains("content-type: text/html\r\n"));
    }

    async fn poll(&mut self) -> String {
        let reply = self.http.get(&self.target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let content_type = "content-type: text/plain; charset=utf-8\r\n";
        assert!(reply.head.contains(content_type), "{reply:?}");
        assert!(reply.head.contains("cache-control: no-store\r\n"));
        reply.body
    }
}

#[tokio::test]
async fn a_poll_is_a_script_and_a_post_is_a_form() {
    let server = Server::echo(config());
    let mut client = Client::open(&server, 4).await;
    client.send("d=4%22a%5Cnb%5C%5Cnc%22%1EbAQI%3D").await;
    assert_eq!(
        client.poll().await,
        r#"___eio[2]("4\"a\nb\\nc\"\u001ebAQI=");"#
    );
    let mut client = Client::open(&server, 3).await;
    client.send("d=4%3A4a%5Cnb6%3Ab4AQI%3D").await;
    assert_eq!(client.poll().await, r#"___eio[2]("4:4a\nb6:b4AQI=");"#);
}

#[tokio::test]
async fn lines_that_only_scripts_end_are_escaped() {
    let mut server = Server::quiet(config());
    let mut client = Client::open(&server, 4).await;
    server
        .link()
        .push(&[Frame::message("\u{2028}\u{2029}")])
        .unwrap();
    assert_eq!(client.poll().await, r#"___eio[2]("4\u2028\u2029");"#);
}

#[tokio::test]
async fn an_index_without_a_digit_is_refused_and_others_mean_their_digits() {
    let server = Server::quiet(config());
    let mut http = server.connect();
    for index in ["", "x", "18446744073709551616"] {
        let target = format!("/engine.io/?EIO=4&transport=polling&j={index}");
        let reply = http.get(&target).await;
        reply.assert(400, r#"{"code":3,"message":"Bad request"}"#);
    }
    let target = "/engine.io/?EIO=4&transport=polling&j=1];alert(2";
    let reply = http.get(target).await;
    assert!(reply.body.starts_with("___eio[12](\"0{"), "{reply:?}");
}

#[tokio::test]
async fn a_form_without_its_field_ends_the_session_with_parse_error() {
    for form in ["", "4a", "d=4a&d=4b"] {
        let mut server = Server::quiet(config());
        let mut client = Client::open(&server, 4).await;
        client.send(form).await;
        assert_eq!(server.closed().await, CloseReason::ParseError, "{form}");
        let gone = client.http.get(&client.target).await;
        gone.assert(400, r#"{"code":1,"message":"Session ID unknown"}"#);
    }
}

#[tokio::test]
async fn a_form_is_bounded_by_its_own_size() {
    let server = Server::quiet(Config {
        max_payload: 20,
        ..config()
    });
    let mut client = Client::open(&server, 4).await;
    client.send("d=4%41%41%41%41%41").await;
    let reply = client
        .http
        .post(&client.target, "d=4%41%41%41%41%41%41")
        .await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn the_session_can_move_on_to_a_websocket() {
    let mut server = Server::echo(config());
    let mut client = Client::open(&server, 4).await;
    let target = format!("/engine.io/?EIO=4&transport=websocket&sid={}", client.sid);
    let mut socket = websocket_on(server.pipe(4096), &target).await.unwrap();
    socket.send("2probe").await;
    assert_eq!(socket.receive().await, "3probe");
    assert_eq!(client.poll().await, r#"___eio[2]("6");"#);
    socket.send("5").await;
    socket.send("4a").await;
    assert_eq!(socket.receive().await, "4a");
    assert_eq!(server.message().await, "a");
}

#[tokio::test]
async fn a_long_script_is_compressed() {
    let mut server = Server::quiet(Config {
        http_compression: Some(HttpCompression { threshold: 100 }),
        ..config()
    });
    let mut client = Client::open(&server, 4).await;
    let text = "x".repeat(200);
    server.link().push(&[Frame::message(&text)]).unwrap();
    let accept = "accept-encoding: gzip\r\n";
    client.http.begin("GET", &client.target, accept).await;
    let reply = client.http.reply().await;
    assert!(reply.head.contains("content-encoding: gzip\r\n"));
    let mut script = String::new();
    let mut decoder = flate2::read::GzDecoder::new(&reply.bytes[..]);
    std::io::Read::read_to_string(&mut decoder, &mut script).unwrap();
    assert_eq!(script, format!("___eio[2](\"4{text}\");"));
}

/// Any page can load a script and read it: where the origins are a list, it counts who does.
#[tokio::test]
async fn a_script_is_for_pages_of_the_named_origins() {
    let options = CorsOptions {
        origin: Origins::List(vec!["http://a.test".to_owned()]),
        ..CorsOptions::default()
    };
    let server = Server::quiet(Config {
        cors: Some(Cors::new(options).unwrap()),
        ..config()
    });
    for (headers, status) in [
        ("referer: http://a.test/page?x\r\n", 200),
        ("referer: http://a.test\r\n", 200),
        ("referer: http://test/page\r\n", 200),
        ("origin: http://a.test\r\n", 200),
        ("referer: http://b.test/http://a.test\r\n", 403),
        ("referer: http://a.test/\r\norigin: http://b.test\r\n", 403),
        ("referer: a.test\r\n", 403),
        ("", 403),
    ] {
        let mut http = server.connect();
        let target = "/engine.io/?EIO=4&transport=polling&j=0";
        http.begin("GET", target, headers).await;
        assert_eq!(http.reply().await.status, status, "{headers}");
    }
}
