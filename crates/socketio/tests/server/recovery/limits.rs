//! How long and how much is remembered.

use std::time::Duration;

use serde_json::{Value, json};
use socketio::Recovery;
use tokio::time::sleep;

use super::visitor::{Visitor, server, server_with};
use crate::client::{Client, notes, until};

#[tokio::test(start_paused = true)]
async fn for_ever_is_not_too_long() {
    let io = server_with(Recovery {
        max_disconnection_duration: Duration::MAX,
        ..Recovery::default()
    });
    io.of_matching(|_| true);
    let memory = Visitor::new(&io).await.cut(&io).await;
    let mut tenant = Client::open(&io).await;
    tenant.send("40/tenant,").await;
    tenant.text().await;
    tenant.vanish();
    io.emit("n", 1).unwrap();
    sleep(Duration::from_secs(1_000_000)).await;
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    one.expect(json!(["n", 1])).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_clients_brought_about_stays_until_nobody_may_come_back() {
    let io = server();
    let (note, mut notes) = notes();
    io.of_matching(|name| name.starts_with("/tenant-"));
    io.on_new_namespace(move |namespace| note.add(namespace.name()));
    let connect = async |payload: &str| {
        let mut client = Client::open(&io).await;
        client.send(&format!("40/tenant-1,{payload}")).await;
        let reply = client.text().await;
        let reply = reply.strip_prefix("40/tenant-1,").unwrap();
        let reply: Value = serde_json::from_str(reply).unwrap();
        (client, reply["sid"].clone(), reply["pid"].clone())
    };
    let (client, sid, pid) = connect("{}").await;
    let tenant = io.of("/tenant-1");
    client.vanish();
    until(|| tenant.sockets().is_empty()).await;
    sleep(Duration::from_secs(100)).await;
    for wait in [100, 121] {
        let (client, again, same) = connect(&json!({ "pid": pid }).to_string()).await;
        assert_eq!((again == sid, same == pid), (true, true), "{wait}");
        client.vanish();
        until(|| tenant.sockets().is_empty()).await;
        sleep(Duration::from_secs(wait)).await;
    }
    notes.expect("/tenant-1").await;
    notes.none();
    let (_client, again, _) = connect(&json!({ "pid": pid }).to_string()).await;
    assert_ne!(again, sid);
    notes.expect("/tenant-1").await;
}

#[tokio::test(start_paused = true)]
async fn after_long_idle_a_client_is_recovered_if_nothing_was_for_it() {
    let io = server_with(Recovery {
        max_packets: 5,
        ..Recovery::default()
    });
    let mut one = Visitor::new(&io).await;
    let other = Visitor::new(&io).await;
    let only = |n: u64| io.to(other.id.as_str()).emit("n", n).unwrap();
    io.emit("n", 0).unwrap();
    one.expect(json!(["n", 0])).await;
    (1..=20).for_each(only);
    let memory = one.cut(&io).await;
    io.emit("n", 21).unwrap();
    let mut one = memory.come(&io).await;
    assert!(
        one.recovered,
        "its offset is gone, but it has missed nothing that is"
    );
    one.expect(json!(["n", 21])).await;
    // Now it misses something that is gone, though the last of it is there.
    let memory = one.memory.clone();
    io.emit("n", 22).unwrap();
    (23..=26).for_each(only);
    io.emit("n", 27).unwrap();
    one.cut(&io).await;
    assert!(!memory.come(&io).await.recovered);
}

#[tokio::test(start_paused = true)]
async fn more_than_fits_the_clients_queue_is_not_sent_again() {
    let io = server();
    let memory = Visitor::new(&io).await.cut(&io).await;
    for _ in 0..11 {
        io.emit("large", "x".repeat(100_000)).unwrap();
    }
    let mut one = memory.come(&io).await;
    assert!(!one.recovered);
    one.quiet().await;
    let memory = one.cut(&io).await;
    for _ in 0..9 {
        io.emit("large", "x".repeat(100_000)).unwrap();
    }
    let mut one = memory.come(&io).await;
    assert!(one.recovered);
    for _ in 0..9 {
        one.event().await;
    }
    one.quiet().await;
}
