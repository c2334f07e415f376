//! The bounds: at the limit all is well, one over is answered, and far over too.

use socketio::{Config, Event, Server};

use crate::client::Client;

#[tokio::test(start_paused = true)]
async fn namespaces_of_a_client() {
    let io = Server::with_config(Config {
        max_namespaces_per_client: 2,
        ..Config::default()
    });
    for name in ["/a", "/b", "/c"] {
        io.of(name);
    }
    let mut client = Client::open(&io).await;
    client.join("/a").await;
    client.join("/b").await;
    for _ in 0..10 {
        client
            .ask("40/c,", r#"44/c,{"message":"too many namespaces"}"#)
            .await;
    }
    client.send("41/a,").await;
    client.join("/c").await;
    io.of("/c").disconnect_sockets();
    client.expect("41/c,").await;
    client.join("/a").await;
}

#[tokio::test(start_paused = true)]
async fn names_and_auth() {
    let io = Server::with_config(Config {
        max_name_len: 10,
        max_auth_bytes: 10,
        max_event_name: 10,
        ..Config::default()
    });
    let at_the_limit = [
        (
            r#"40/namespace,"#,
            r#"44/namespace,{"message":"Invalid namespace"}"#,
        ),
        (
            r#"40/x,{"a":"xx"}"#,
            r#"44/x,{"message":"Invalid namespace"}"#,
        ),
        (r#"420["0123456789"]"#, "430[]"),
    ];
    io.of("/")
        .on("0123456789", async |ev: Event, ()| ev.ack(()));
    let mut client = Client::connect(&io).await;
    for (packet, answer) in at_the_limit {
        client.ask(packet, answer).await;
    }
    for times in [1, 1_000] {
        let more = "x".repeat(times);
        for packet in [
            format!("40/namespace{more},"),
            format!(r#"40/x,{{"a":"xx{more}"}}"#),
            format!(r#"42["0123456789{more}"]"#),
        ] {
            let mut client = Client::connect(&io).await;
            client.send(&packet).await;
            client.closed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nesting() {
    let io = Server::new();
    io.of("/")
        .on("any", async |ev: Event, _: serde_json::Value| ev.ack(()))
        .on("none", async |ev: Event, ()| ev.ack(()));
    for event in ["any", "none", "unknown"] {
        let nested = |depth: usize| {
            format!(
                r#"420["{event}",{}{}]"#,
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        let mut client = Client::connect(&io).await;
        client.send(&nested(127)).await;
        if event != "unknown" {
            client.expect("430[]").await;
        }
        client.quiet().await;
        for depth in [128, 128_000] {
            let mut client = Client::connect(&io).await;
            client.send(&nested(depth)).await;
            client.closed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn events_per_second() {
    let io = Server::with_config(Config {
        inbound_events_per_s: 3,
        ..Config::default()
    });
    let mut client = Client::connect(&io).await;
    for _ in 0..3 {
        for _ in 0..3 {
            client.send(r#"42["x"]"#).await;
        }
        client.quiet().await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    for _ in 0..4 {
        client.send(r#"42["x"]"#).await;
    }
    client.closed().await;
}
