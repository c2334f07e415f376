//! What was answered is there after the process died in the middle of it, once and in order.
//!
//! The test starts itself again as a child that appends and tells on its standard output what was answered, and
//! ends it with a kill, or lets it abort at a chosen place. Then it looks into the database.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test that is how a failure shows")]

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use event_log::sqlite::{Options, SqliteStore, Synchronous};
use event_log::{
    Append, Config, Epoch, Log, Offset, Outcome, PageLimit, Reader, Store, StoreError,
};
use support::{STREAM, append, frame};

const AUTHORS: u64 = 8;

/// A process that is just being started has a copy of every open file, for a moment: also of a lock that another
/// test has taken and given back.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the child aborts, if not killed from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeCommit,
    AfterCommit,
}

/// What the parent knows of an author: the answers it has seen.
#[derive(Default)]
struct Answered {
    /// By number.
    offsets: HashMap<u64, Offset>,
}

#[test]
fn nothing_answered_is_lost_by_a_kill_with_full_flushes() {
    for_rounds(10, Synchronous::Full, |round| Death::Kill(7 + round * 23));
}

#[test]
fn nothing_answered_is_lost_by_a_kill_with_normal_flushes() {
    for_rounds(10, Synchronous::Normal, |round| Death::Kill(5 + round * 31));
}

#[test]
fn nothing_answered_is_lost_by_an_abort_around_the_commit() {
    for place in [Place::BeforeCommit, Place::AfterCommit] {
        for_rounds(5, Synchronous::Full, |round| {
            Death::Abort(place, 1 + round * 3)
        });
    }
}

/// How a child ends.
enum Death {
    /// Killed when so many answers were seen.
    Kill(u64),
    /// By itself, in its nth transaction.
    Abort(Place, u64),
}

fn for_rounds(rounds: u64, synchronous: Synchronous, death: impl Fn(u64) -> Death) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut answered: HashMap<u64, Answered> = HashMap::new();
    let mut epoch = None;
    for round in 0..rounds {
        run_child(&path, synchronous, &death(round), &mut answered);
        let found = check(&path, &answered);
        assert_eq!(
            *epoch.get_or_insert(found),
            found,
            "a kill is no reason for a new history"
        );
    }
    let seen: usize = answered.values().map(|author| author.offsets.len()).sum();
    assert!(seen > 0, "no child ever answered");
}

fn run_child(
    path: &Path,
    synchronous: Synchronous,
    death: &Death,
    answered: &mut HashMap<u64, Answered>,
) {
    let next = (0..AUTHORS).map(|author| {
        let answered = answered.entry(author).or_default();
        let mut numbers = 0..;
        numbers
            .find(|number| !answered.offsets.contains_key(number))
            .unwrap_or(0)
    });
    let next: Vec<u64> = next.collect();
    let words: Vec<_> = next.iter().map(u64::to_string).collect();
    let (place, transaction) = match death {
        Death::Kill(_) => (String::new(), 0),
        Death::Abort(place, transaction) => (format!("{place:?}"), *transaction),
    };
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("CHILD_DATABASE", path)
        .env("CHILD_SYNCHRONOUS", format!("{synchronous:?}"))
        .env("CHILD_NEXT", words.join(" "))
        .env("CHILD_PLACE", place)
        .env("CHILD_TRANSACTION", transaction.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    let output = BufReader::new(child.stdout.take().unwrap());
    // After the kill there may be more in the pipe: what was told counts, down to the last whole line.
    for line in output.split(b'\n').map(Result::unwrap) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let Some(answer) = line
            .strip_prefix("answered ")
            .and_then(|line| line.strip_suffix(" end"))
        else {
            continue;
        };
        let numbers: Vec<u64> = answer
            .split(' ')
            .map(|word| word.parse().unwrap())
            .collect();
        let [author, number, offset, duplicate] = numbers[..] else {
            panic!("{line}");
        };
        let known = answered.entry(author).or_default();
        assert_eq!(
            known.offsets.insert(number, Offset(offset)),
            None,
            "answered twice"
        );
        // An author has one in flight, so only its first can have been stored by an earlier child.
        assert!(duplicate == 0 || number == next[author as usize], "{line}");
        seen += 1;
        if let Death::Kill(after) = death
            && seen == *after
        {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "the child was meant to die");
}

/// Answered is stored; stored is dense, once, unchanged, and in each author's order.
fn check(path: &Path, answered: &HashMap<u64, Answered>) -> Epoch {
    let store = SqliteStore::open(path, Options::default()).unwrap();
    let epoch = store.epoch();
    let all = PageLimit {
        rows: u64::MAX,
        bytes: usize::MAX,
    };
    let events = store
        .reader()
        .page_after(STREAM, Offset::ZERO, all)
        .unwrap();
    store.close().unwrap();
    let mut stored: HashMap<u64, Vec<Offset>> = HashMap::new();
    for (event, offset) in events.iter().zip(1..) {
        assert_eq!(event.offset, Offset(offset), "offsets are dense");
        let author: u64 = event.author.parse().unwrap();
        let number: u64 = event.key.parse().unwrap();
        assert_eq!(event.content, content(author, number));
        let of_author = stored.entry(author).or_default();
        assert_eq!(of_author.len() as u64, number, "each once, in order");
        of_author.push(event.offset);
    }
    for (author, answered) in answered {
        for (number, offset) in &answered.offsets {
            let stored = stored
                .get(author)
                .and_then(|stored| stored.get(*number as usize));
            assert_eq!(stored, Some(offset), "answered, and not stored");
        }
    }
    epoch
}

fn content(author: u64, number: u64) -> String {
    format!("number {number} of author {author}")
}

/// The child: every author appends one after the other, for ever.
#[tokio::test]
#[ignore = "the other tests start it as a process of its own"]
async fn child() {
    let var = |name: &str| std::env::var(name).unwrap();
    let synchronous = match var("CHILD_SYNCHRONOUS").as_str() {
        "Full" => Synchronous::Full,
        _ => Synchronous::Normal,
    };
    let options = Options {
        synchronous,
        ..Options::default()
    };
    let store = AbortingStore {
        inner: SqliteStore::open(PathBuf::from(var("CHILD_DATABASE")), options).unwrap(),
        place: match var("CHILD_PLACE").as_str() {
            "BeforeCommit" => Some(Place::BeforeCommit),
            "AfterCommit" => Some(Place::AfterCommit),
            _ => None,
        },
        transactions_left: var("CHILD_TRANSACTION").parse().unwrap(),
    };
    let log = Log::open(store, Config::default(), frame).unwrap();
    // Ends the line that the test harness has begun.
    println!();
    let next = var("CHILD_NEXT");
    let authors = next.split(' ').map(|number| number.parse::<u64>().unwrap());
    let tasks: Vec<_> = authors
        .zip(0..)
        .map(|(first, author)| {
            let log = log.clone();
            tokio::spawn(async move {
                for number in first.. {
                    let append = append(
                        &author.to_string(),
                        &number.to_string(),
                        &content(author, number),
                    );
                    let appended = log.append(append).await.unwrap();
                    let duplicate = u8::from(appended.duplicate);
                    let line = format!(
                        "answered {author} {number} {} {duplicate} end\n",
                        appended.offset
                    );
                    // One write, so that the kill cuts it at most at its end.
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// A store that takes the process with it.
struct AbortingStore {
    inner: SqliteStore,
    place: Option<Place>,
    transactions_left: u64,
}

impl Store for AbortingStore {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn append(&mut self, batch: &[Append]) -> Result<Vec<Outcome>, StoreError> {
        self.transactions_left = self.transactions_left.saturating_sub(1);
        let now = self.place.filter(|_| self.transactions_left == 0);
        if now == Some(Place::BeforeCommit) {
            std::process::abort();
        }
        let outcomes = self.inner.append(batch)?;
        if now == Some(Place::AfterCommit) {
            std::process::abort();
        }
        Ok(outcomes)
    }

    fn trim(&mut self, stream: &str, first: Offset) -> Result<(), StoreError> {
        self.inner.trim(stream, first)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }

    fn close(self) -> Result<(), StoreError> {
        self.inner.close()
    }
}
