//! What `chaos` shares with the other programs that judge histories: their form, the judge, what is said in them, what an
//! answer means, and chance that can be repeated.
#![allow(
    missing_docs,
    reason = "shared by test programs of this workspace, and by nobody else"
)]

pub mod checker;
pub mod history;

pub mod answer;
pub mod clock;
pub mod content;
pub mod rng;
