//! The check of refusals: each has a reason of those that the chat gives (`crates/chat-app/src/chat.rs`), and something
//! explains it.
//!
//! `invalid` and `conflict` are about the message, and its author knows whether it deserves them. `busy` and `unavailable`
//! are about the moment, and the history knows what was done to the server then.

use std::collections::HashMap;

use super::view::View;
use super::{Check, Verdict};
use crate::history::{Entry, Kind, Op};

/// What lets a server put off what is sent, as the entries `fault` name it, and the reason that it then gives.
const CAUSES: [(&str, &str); 5] = [
    ("lock", "busy"),
    ("full queue", "busy"),
    ("full disk", "unavailable"),
    ("failing store", "unavailable"),
    ("orderly stop", "unavailable"),
];

/// How long a server may go on refusing when the cause is gone; one that was started since has no cause to.
const SLACK: u64 = 5_000_000;

/// When a reason is a right one, in the time of the history.
struct Window<'a> {
    cause: &'a str,
    from: u64,
    /// Without an end the cause was never over.
    to: Option<u64>,
}

pub fn check(view: &View<'_>, verdict: &mut Verdict) {
    let windows = windows(view.entries);
    // The last attempt of each message, by which its author was refused.
    let mut tried: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in view.entries.iter().enumerate() {
        let Some(key) = entry.key.as_deref() else {
            continue;
        };
        match (entry.op, entry.kind) {
            (Op::Try | Op::Again, Kind::Invoke) => {
                tried.insert(key, index);
            }
            (Op::Send | Op::Try | Op::Again, Kind::Fail) => {
                verdict.counts.put_off += usize::from(entry.op == Op::Try);
                let attempt = tried.get(key).copied();
                if let Some(why) = unexplained(view, &windows, entry, attempt) {
                    let reason = entry.value.what.as_deref().unwrap_or("nothing");
                    let what = format!("{key} was refused with {reason}: {why}");
                    let sent = view.messages.get(key).map(|message| &message.sent[..]);
                    let evidence = sent.unwrap_or_default().iter().copied();
                    let evidence = evidence.chain(attempt).chain([index]).collect();
                    verdict.add(Check::Refusals, what, evidence);
                }
            }
            _ => {}
        }
    }
}

/// What is wrong with a refusal, if anything is.
fn unexplained(
    view: &View<'_>,
    windows: &[Window<'_>],
    refusal: &Entry,
    attempt: Option<usize>,
) -> Option<&'static str> {
    let message = view.messages.get(refusal.key.as_deref()?)?;
    let attempt = attempt.map(|attempt| &view.entries[attempt]);
    let is_other_content = attempt
        .is_some_and(|attempt| attempt.op == Op::Again && attempt.value.hash != message.hash);
    match (refusal.op, refusal.value.what.as_deref()) {
        (Op::Send | Op::Again, Some("invalid")) => {
            (!message.is_invalid).then_some("there was nothing wrong with it")
        }
        (Op::Again, Some("conflict")) => {
            (!is_other_content).then_some("nothing else was said under its key")
        }
        (Op::Send, Some("conflict")) => Some("nothing was said under its key before"),
        (Op::Try | Op::Again, Some(reason @ ("busy" | "unavailable"))) => {
            let from = attempt.map_or(refusal.t, |attempt| attempt.t);
            let explains = |window: &Window<'_>| {
                CAUSES.contains(&(window.cause, reason))
                    && window.from <= refusal.t
                    && window.to.is_none_or(|to| from <= to)
            };
            (!windows.iter().any(explains)).then_some("nothing explains that at this time")
        }
        _ => Some("that is no reason the chat gives then"),
    }
}

/// When what could be a cause was so. One of a moment explains what was under way then.
fn windows(entries: &[Entry]) -> Vec<Window<'_>> {
    let mut windows: Vec<Window<'_>> = Vec::new();
    for entry in entries {
        match (entry.op, entry.kind, entry.value.what.as_deref()) {
            (Op::Fault, Kind::Ok, Some(cause)) => {
                let begun = windows.iter_mut().rev();
                let mut begun = begun.filter(|window| window.cause == cause && window.to.is_none());
                if let Some(window) = begun.next() {
                    window.to = Some(entry.t + SLACK);
                }
            }
            (Op::Fault, kind, Some(cause)) if CAUSES.iter().any(|(known, _)| *known == cause) => {
                windows.push(Window {
                    cause,
                    from: entry.t,
                    to: (kind == Kind::Info).then_some(entry.t),
                });
            }
            (Op::Start, ..) => {
                for to in windows.iter_mut().filter_map(|window| window.to.as_mut()) {
                    *to = entry.t.min(*to);
                }
            }
            _ => {}
        }
    }
    windows
}
