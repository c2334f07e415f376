//! A durable, ordered, deduplicating log of events per stream, and its delivery by cursor.

mod config;
mod epoch;
mod event;
mod log;
mod sink;
mod stats;
mod subscription;

mod batch;
pub mod memory;
pub mod sqlite;
mod store;

mod catch_up;
mod driver;
mod inbox;
mod ring;
mod runtime;
mod shared;
mod signal;
mod stream;
mod writer;

pub use batch::{Found, Transaction, apply};
pub use config::Config;
pub use driver::{Driver, Replayed};
pub use epoch::Epoch;
pub use event::{Append, AppendError, Appended, Bounds, Cursor, Event, Invalid, Offset, Resync};
pub use log::{Log, Receipt};
pub use sink::{End, Frame, Offered, Room, Sink};
pub use stats::Stats;
pub use store::{Outcome, PageLimit, Reader, Store, StoreError};
pub use subscription::{SubscribeError, Subscription};
