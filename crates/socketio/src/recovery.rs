//! Connection state recovery: a client that was cut off comes back as the same socket and gets what it has missed. Pure:
//! time and randomness are arguments.
//!
//! A [`History`] is what a namespace remembers: the events of the last minutes, numbered, and the sessions of its
//! clients, those that are connected too. A client keeps two strings for it: the `pid`, the secret name of its session,
//! which the answer to its CONNECT has brought; and an offset, the last argument of the last event that it has handled.
//! When it comes back with them it gets the same id, rooms and data, and every event that was for it since that offset,
//! each once and in order; or it is told that it gets none of that, and nothing is sent again.
//!
//! # Why an offset can be believed
//!
//! The official client takes the last argument of *every* event for an offset if it is a string, the event's name
//! included if there is no argument, and keeps it when it gets another session. So these hold of what it is sent while
//! recovery is on:
//!
//! 1. An event that is numbered ends with its own offset. It is queued for its recipients under the lock under which it
//!    got its number, hence offsets only grow on a connection, and who has handled one has handled everything with a
//!    lower number that was for it.
//! 2. An event that is not numbered (a volatile one) and would end in a string ends with the offset of the newest event
//!    instead, under the same lock; so it says no more and no less than an event of that number would. A packet that was
//!    encoded beforehand ends with `null` instead.
//! 3. An event that asks for an answer ends with a function.
//!
//! Therefore an offset of this history is true. No offset at all, one from before the session began, and one of another
//! history (a server that is no more) say the same: since the session began the client has handled no event that ends
//! with an offset, and by 2 none that is numbered. It gets everything from there on. A string of any other shape can only
//! come from the application, whose auth payload has precedence over the client's own fields; it says nothing, and the
//! session is not recovered.
//!
//! # Whom an event was for
//!
//! That is decided by the rooms that a session was in when the event was emitted, also if it has joined or left some
//! since: changes are noted with the number they came after. Who is away keeps the rooms it was in, and operations on
//! rooms do not reach it, as with the reference.
//!
//! # What is forgotten
//!
//! Events go by age, number and bytes, the oldest first. Whether one that has gone was for a given client is known of
//! those that have had nothing for long; where it is not known the session is not recovered.
//!
//! # What outlives the process
//!
//! A [`Store`] is told of each event before anybody is sent it, and of each session and its rooms before the first event
//! that this makes a difference to. What the next process finds there is therefore at most more than what clients know of,
//! and never less. Everybody in it counts as cut off since that process has started. If the store fails, what it has is
//! given up, and the history goes on without.

mod history;
mod log;
mod offset;
mod session;
mod store;

pub use self::{
    history::{Claim, Found, History, Limits, Lost, Over, Resumption, Tenure},
    log::Address,
    offset::{Epoch, Offset, Pid, Seen},
    store::{Record, RoomChange, Saved, SavedSession, SavedValue, Store, StoreError},
};

#[cfg(test)]
mod tests;
