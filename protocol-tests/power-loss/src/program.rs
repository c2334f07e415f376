//! The program that is recorded: a log in which several authors append, and an application that appends in its own
//! transactions. What is answered is noted in a file, and so stands in the record between the writes. Where not all is
//! kept, what is too old is forgotten at the start and now and then.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use event_log::sqlite::rusqlite::{self, Connection, TransactionBehavior};
use event_log::sqlite::{SqliteStore, append_in};
use event_log::{Append, Config, Log, Offset, Retention};
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::options::{self, Durability};
use crate::record::ANSWERS;

/// The author that is the application: its events stand beside rows of its own.
pub const APPLICATION: u64 = 0;

/// How a run of the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum End {
    /// The log is closed in order.
    Close,
    /// The process is gone in the middle of everything.
    Exit,
}

/// Who appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Cast {
    /// The application and some authors, who go on where they were.
    All,
    /// Some who have never said anything.
    Newcomers,
}

impl Cast {
    fn authors(self) -> Range<u64> {
        match self {
            Self::All => APPLICATION + 1..NEWCOMERS.start,
            Self::Newcomers => NEWCOMERS,
        }
    }
}

const NEWCOMERS: Range<u64> = 5..7;

/// After so many of its events an author has forgotten what need not be kept.
const FORGET_AFTER: u64 = 5;

/// How much is done, and how it ends.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub durability: Durability,
    pub cast: Cast,
    /// How many events of each stream have to be kept; all of them if not given.
    pub keep: Option<u64>,
    /// So many appends are answered, of all authors together.
    pub answers: u64,
    pub end: End,
}

/// Goes on with the log in a folder, or begins one.
#[tokio::main(worker_threads = 2)]
pub async fn run(folder: &Path, run: Run) -> Result<(), String> {
    let answers = Answers::open(&folder.join(ANSWERS))?;
    let store = SqliteStore::open(options::database(folder), options::store(run.durability));
    let store = store.map_err(|error| error.to_string())?;
    let connection = store.connect().map_err(|error| error.to_string())?;
    let retention = Retention {
        rows: run.keep,
        ..Retention::default()
    };
    let config = Config {
        retention,
        ..Config::default()
    };
    let log = Log::open(store, config, |event| event.content.clone());
    let log = log.map_err(|error| error.to_string())?;
    let answers = Arc::new(answers);
    let mut tasks = JoinSet::new();
    if run.cast == Cast::All {
        tasks.spawn(apply(log.clone(), connection, Arc::clone(&answers), run));
    }
    for author in run.cast.authors() {
        tasks.spawn(append(log.clone(), author, Arc::clone(&answers), run));
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    log.close().await.map_err(|error| error.to_string())
}

/// An author: one append after the other.
async fn append(
    log: Log<Bytes>,
    author: u64,
    answers: Arc<Answers>,
    run: Run,
) -> Result<(), String> {
    for number in answers.next_of(author).. {
        let event = event(author, number);
        let stream = event.stream.clone();
        let appended = log.append(event).await.map_err(|error| error.to_string())?;
        forget(&log, &stream, number, run).await?;
        let answer = Answer {
            epoch: log.epoch(),
            author,
            number,
            offset: appended.offset,
        };
        if answers.note(&answer, run)? {
            break;
        }
    }
    Ok(())
}

/// The application: each event commits together with a row of its own.
async fn apply(
    log: Log<Bytes>,
    mut connection: Connection,
    answers: Arc<Answers>,
    run: Run,
) -> Result<(), String> {
    let table = "CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY)";
    let made = connection.execute_batch(table);
    made.map_err(|error| error.to_string())?;
    for number in answers.next_of(APPLICATION).. {
        let offset = commit(&log, &mut connection, number)?;
        log.refresh().await.map_err(|error| error.to_string())?;
        forget(&log, &event(APPLICATION, number).stream, number, run).await?;
        let answer = Answer {
            epoch: log.epoch(),
            author: APPLICATION,
            number,
            offset,
        };
        if answers.note(&answer, run)? {
            break;
        }
    }
    Ok(())
}

/// Now and then forgets what need not be kept. The log does so too, but not more often than each second.
async fn forget(log: &Log<Bytes>, stream: &str, number: u64, run: Run) -> Result<(), String> {
    match run.keep {
        Some(keep) if number.is_multiple_of(FORGET_AFTER) => {
            let first = Offset((log.tail(stream).0 + 1).saturating_sub(keep));
            let trimmed = log.trim(stream, first).await;
            trimmed.map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

/// One transaction of the application: its row and its event.
fn commit(log: &Log<Bytes>, connection: &mut Connection, number: u64) -> Result<Offset, String> {
    let text = |error: rusqlite::Error| error.to_string();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(text)?;
    let row = "INSERT OR IGNORE INTO notes VALUES (?1)";
    transaction.execute(row, [number as i64]).map_err(text)?;
    let event = event(APPLICATION, number);
    let appended = append_in(&transaction, log, &event).map_err(|error| error.to_string())?;
    transaction.commit().map_err(text)?;
    Ok(appended.offset)
}

/// What an author says, which follows from who it is and how often it has spoken.
pub fn event(author: u64, number: u64) -> Append {
    let mixed = (author << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    // Mostly lines of a chat, now and then more than fits a page of the database.
    let length = match mixed % 8 {
        0 => 3_000 + mixed % 9_000,
        _ => mixed % 300,
    };
    let words = format!("{number} of {author}, ").into_bytes();
    let words = words.into_iter().cycle();
    Append {
        stream: match author {
            APPLICATION => "notes".to_owned(),
            _ => format!("room {}", number % 3),
        },
        author: author.to_string(),
        key: number.to_string(),
        content: words.take(length as usize).collect::<Vec<_>>().into(),
        at: number as i64,
    }
}

/// What was answered, by this run and those before it.
struct Answers {
    // Held for one write.
    file: Mutex<(File, u64)>,
    next: HashMap<u64, u64>,
}

impl Answers {
    fn open(path: &Path) -> Result<Self, String> {
        let mut next = HashMap::new();
        if path.exists() {
            let lines = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
            for line in lines.lines() {
                let answer = Answer::parse(line)?;
                next.insert(answer.author, answer.number + 1);
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self {
            file: Mutex::new((file.map_err(|error| error.to_string())?, 0)),
            next,
        })
    }

    fn next_of(&self, author: u64) -> u64 {
        self.next.get(&author).copied().unwrap_or(0)
    }

    /// Notes an answer, and says whether that is enough.
    fn note(&self, answer: &Answer, run: Run) -> Result<bool, String> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, count) = &mut *file;
        let line = format!("{answer}\n");
        let written = file.write_all(line.as_bytes());
        written.map_err(|error| error.to_string())?;
        *count += 1;
        let enough = *count >= run.answers;
        if enough && run.end == End::Exit {
            std::process::exit(0);
        }
        Ok(enough)
    }
}
