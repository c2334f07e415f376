//! Measures how many events per second are stored and answered, and what a broadcast costs for each subscriber.
//!
//! `cargo run --release -p event-log --example throughput [folder]`; the folder's disk is what is measured.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use event_log::memory::MemoryStore;
use event_log::sqlite::{Options, SqliteStore, Synchronous};
use event_log::{Append, Config, Epoch, Log, Offered, Offset, Room, Sink};

const SECONDS: u64 = 3;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!("| flushes | appenders | delay | events/s | events/commit | median | 99 % |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        for appenders in [1, 50, 1_000] {
            for batch_delay in [Duration::ZERO, Config::default().batch_delay] {
                let config = Config {
                    batch_delay,
                    ..Config::default()
                };
                appends(&folder, synchronous, appenders, config).await?;
            }
        }
    }
    println!();
    for subscribers in [100, 1_000, 10_000] {
        broadcast(subscribers).await?;
    }
    Ok(())
}

/// Appenders with one event in flight each.
async fn appends(
    folder: &Path,
    synchronous: Synchronous,
    appenders: u64,
    config: Config,
) -> Result<(), Box<dyn std::error::Error>> {
    let path = folder.join(format!("throughput-{}.db", std::process::id()));
    let options = Options {
        synchronous,
        ..Options::default()
    };
    let delay = config.batch_delay;
    let log = Log::open(SqliteStore::open(&path, options)?, config, |event| {
        event.content.clone()
    })?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|author| {
            let log = log.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for number in 0_u64.. {
                    let sent = Instant::now();
                    if sent - begun > Duration::from_secs(SECONDS) {
                        break;
                    }
                    if log.append(message(author, number)).await.is_ok() {
                        times.push(sent.elapsed());
                    }
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await?);
    }
    let took = begun.elapsed().as_secs_f64();
    let stats = log.stats();
    log.close().await?;
    for suffix in ["", "-lock"] {
        std::fs::remove_file(format!("{}{suffix}", path.display()))?;
    }
    times.sort_unstable();
    println!(
        "| {synchronous:?} | {appenders} | {delay:?} | {:.0} | {:.1} | {:.2?} | {:.2?} |",
        stats.rows as f64 / took,
        stats.rows as f64 / stats.commits as f64,
        times[times.len() / 2],
        times[times.len() * 99 / 100],
    );
    Ok(())
}

/// A subscriber that always has room, and only counts.
struct Counting(Arc<AtomicU64>);

impl Sink<Bytes> for Counting {
    fn offer(&self, _: Offset, frame: &Bytes) -> Offered {
        std::hint::black_box(frame.clone());
        self.0.fetch_add(1, Ordering::Relaxed);
        Offered::Taken
    }

    fn room(&self) -> Room<'_> {
        Box::pin(std::future::ready(()))
    }
}

/// One walk over so many live subscribers, and one step of as many that catch up with a page from the ring.
async fn broadcast(subscribers: u64) -> Result<(), Box<dyn std::error::Error>> {
    const EVENTS: u64 = 100;
    let store = MemoryStore::new(Epoch::from_random([0; 15]));
    let (log, mut driver) = Log::driven(store, Config::default(), |event| event.content.clone())?;
    let count = Arc::new(AtomicU64::new(0));
    let sinks = (0..subscribers).map(|_| Counting(Arc::clone(&count)));
    let subscriptions: Result<Vec<_>, _> = sinks
        .map(|sink| log.subscribe("chat", Offset::ZERO, sink))
        .collect();
    let subscriptions = subscriptions?;
    let mut walking = Duration::ZERO;
    for number in 0..EVENTS {
        let receipt = log.submit(message(0, number))?;
        driver.write(1);
        driver.answer();
        receipt.await?;
        let begun = Instant::now();
        driver.walk();
        walking += begun.elapsed();
    }
    assert_eq!(count.load(Ordering::Relaxed), subscribers * EVENTS);
    drop(subscriptions);
    let each = walking.as_nanos() as f64 / (subscribers * EVENTS) as f64;
    println!("a walk over {subscribers} live subscribers: {each:.0} ns each");
    Ok(())
}

fn message(author: u64, number: u64) -> Append {
    Append {
        stream: "chat".to_owned(),
        author: format!("author-{author}"),
        key: format!("key-{author}-{number}"),
        content: Bytes::from_static(&[b'x'; 100]),
        at: 0,
    }
}
