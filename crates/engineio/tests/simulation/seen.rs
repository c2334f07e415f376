//! What schedules have shown: a simulation in which something never happens tests nothing of it.

use std::collections::{BTreeMap, BTreeSet};

/// What one schedule has shown: who, and what.
pub type Seen = BTreeSet<(&'static str, &'static str)>;

/// In how many schedules what was seen.
#[derive(Debug, Default)]
pub struct Counts(BTreeMap<(&'static str, &'static str), u64>);

impl Counts {
    pub fn add(&mut self, seen: &Seen) {
        for one in seen {
            *self.0.entry(*one).or_default() += 1;
        }
    }

    pub fn assert_all_in(&self, schedules: u64) {
        for one in EXPECTED {
            let count = self.0.get(one).copied().unwrap_or(0);
            assert!(
                count >= schedules,
                "{one:?} is seen in {count} schedules only"
            );
        }
    }
}

const EXPECTED: &[(&str, &str)] = &[
    ("both", "alive at the end"),
    ("both", "100 messages"),
    ("client", "heartbeat"),
    ("client", "post is split"),
    ("client", "probe is lost"),
    ("client", "volatile is dropped"),
    ("client", "forced close"),
    ("client", "ping timeout"),
    ("client", "slow consumer"),
    ("client", "transport close"),
    ("client", "transport error"),
    ("server", "blocked"),
    ("server", "paused"),
    ("server", "upgraded"),
    ("server", "upgrade timeout"),
    ("server", "volatile is dropped"),
    ("server", "forced close"),
    ("server", "ping timeout"),
    ("server", "slow consumer"),
    ("server", "transport close"),
    ("server", "transport error"),
];
