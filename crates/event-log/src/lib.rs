//! A durable, ordered, deduplicating log of events per stream, and its delivery by cursor.
//!
//! Replay and live are one stream here: a subscriber names the last event it has, and gets every later one, once,
//! in order, without end; what is stored first, then what is new, with no moment in between at which anything could
//! be lost, repeated or overtaken. The log knows streams and bytes, and nothing of what they are about.
//!
//! ```
//! use std::sync::Arc;
//! use event_log::sqlite::{Options, SqliteStore};
//! use event_log::{Append, Config, End, Log, Offset};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("parcels.db");
//! // Where a parcel was seen. The closure makes the frame that all readers of an event share.
//! let store = SqliteStore::open(&path, Options::default())?;
//! let log = Log::open(store, Config::default(), |event| -> Arc<str> {
//!     let place = String::from_utf8_lossy(&event.content);
//!     format!("{}: parcel {} is in {place}", event.offset, event.stream).into()
//! })?;
//!
//! // A scanner reports. It never heard the answer, so it reports again: still one event.
//! let scan = Append {
//!     stream: "1Z-77".to_owned(),
//!     author: "scanner 4".to_owned(),
//!     key: "scan 981".to_owned(),
//!     content: "Trieste".into(),
//!     at: 1_767_225_600_000,
//! };
//! assert!(!log.append(scan.clone()).await?.duplicate);
//! assert!(log.append(scan.clone()).await?.duplicate);
//!
//! // Somebody follows the parcel from the beginning, through a channel with room for one.
//! let (sink, mut frames) = event_log::channel(1);
//! let _following = log.subscribe("1Z-77", Offset::ZERO, sink)?;
//! assert_eq!(&*frames.recv().await.unwrap(), "1: parcel 1Z-77 is in Trieste");
//!
//! let next = Append { key: "scan 982".to_owned(), content: "Graz".into(), ..scan };
//! log.append(next).await?;
//! assert_eq!(&*frames.recv().await.unwrap(), "2: parcel 1Z-77 is in Graz");
//!
//! log.close().await?;
//! assert_eq!(frames.recv().await, None);
//! assert_eq!(frames.end(), Some(End::Closed));
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **Answered is durable.** [`Log::append`] returns after the commit, and after the event is on its way.
//! - **Once.** An author's key stands for one event as long as the event is kept. A retry gets the first offset back;
//!   the same key with other content is a [`Conflict`](AppendError::Conflict).
//! - **Dense.** The offsets of a stream are 1, 2, 3 and so on, in the order of the commits.
//! - **The same for all.** Each subscriber is offered `cursor + 1` and never anything else. One that is slow waits for
//!   its own room and holds up nobody.
//! - **Never silent.** A cursor that means nothing here, because it is of another [`Epoch`], beyond the tail, below the
//!   oldest event that is kept or [behind another event](Cursor::last), is answered with a [`Resync`]; a subscription that the log must end is told
//!   [why](End), as is who reads from a [`channel`]; an append is stored, refused for good, or to be retried, and [says which](AppendError).
//!
//! # How it works
//!
//! ```text
//!  append ─► inbox ─► writer ──────► store (one transaction for all that waited)
//!                       │ then
//!                       ▼
//!                     ring ─────► publisher ─► live subscribers (a cursor each, no task)
//!                     of frames       │ no room              ▲ at the tail
//!                                     ▼                      │
//!                                   replay, a task: pages from the ring or the store
//! ```
//!
//! One thread writes. It takes what is waiting as one transaction, and while that is flushed the next batch gathers.
//! It only ever waits for more when the appenders of the last batch can be expected back at once, and for no longer
//! than that batch took, so a lone appender is not held up.
//! After the commit it encodes each event once, puts the frames into the stream's ring, moves the tail, and answers.
//!
//! A subscriber at the tail is an entry in the stream's live set. The publisher walks over that set and offers what is
//! new: a lock for all and a push for each. One without room, or one that starts behind, gets a task of its own until
//! it is at the tail. If an append fails, nobody knows whether it was stored, and the writer first reads what
//! the store really holds; nothing is answered, published or numbered by assumption.
//!
//! # Using it for something else
//!
//! - [`Sink`] is where frames go: implement it for a socket. A [`channel`] is one already.
//! - [`Store`] is where events are kept: [`sqlite`] for one machine, [`memory`] for tests. [`apply`] has the rules.
//! - [`sqlite::append_in`] stores an event inside a transaction of the application, so that its own rows and their
//!   events commit together. `examples/stock.rs` is a whole program with it.
//! - [`Retention`] says how much is kept; without it that is everything.
//! - [`Config`] and [`sqlite::Options`] hold every limit; nothing here grows without one. The number of subscribers
//!   is the application's to limit, with that of its sockets.
//! - [`Log::driven`] opens a log without thread, task or clock, which a simulation moves step by step.

mod calendar;
mod channel;
mod config;
mod epoch;
mod event;
mod log;
mod retention;
mod sink;
mod stats;
mod subscription;

mod batch;
mod store;

mod catch_up;
mod inbox;
mod ring;
mod shared;
mod signal;
mod stream;
mod sync;
mod writer;

mod driver;
pub mod memory;
mod runtime;
pub mod sqlite;

mod sabotage;

#[cfg(all(test, feature = "loom"))]
mod models;

pub use batch::{Found, Transaction, apply};
pub use channel::{ChannelSink, Frames, channel};
pub use config::Config;
pub use driver::{Driver, Replayed};
pub use epoch::Epoch;
pub use event::{
    Append, AppendError, Appended, Bounds, Cursor, Event, Invalid, Offset, Resync, Seen,
};
pub use log::{Log, Receipt};
pub use retention::Retention;
pub use sink::{End, Frame, Offered, Room, Sink};
pub use stats::Stats;
pub use store::{Outcome, PageLimit, Reader, Store, StoreError};
pub use subscription::{SubscribeError, Subscription};
