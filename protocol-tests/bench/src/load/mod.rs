//! The loads that are put on a server, and how the cost of one is measured.

pub mod chat;
pub mod echo;
pub mod fan;
mod packets;
pub mod script;
pub mod visit;
mod window;

use std::io;
use std::time::{Duration, Instant};

use crate::clock::now;
use crate::fleet::Fleet;
use crate::player::Player;
use crate::process::Process;
use crate::tally::Tally;

/// How long a load lasts.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// After a warm-up of a quarter of it.
    Time(Duration),
    /// As many messages of each sender.
    Messages(u64),
}

impl Extent {
    /// How many messages a sender may send.
    pub fn limit(self) -> u64 {
        match self {
            Self::Time(_) => u64::MAX,
            Self::Messages(count) => count,
        }
    }
}

/// A load, which answers what it receives by sending on.
pub trait Load: Player {
    /// Prepares the clients and sends the first messages.
    fn begin(&mut self, fleet: &mut Fleet) -> io::Result<()>;

    /// Sends what became due, and says when the next thing will. A load that only answers has nothing to do.
    fn turn(&mut self, _fleet: &mut Fleet) -> io::Result<Option<Instant>> {
        Ok(None)
    }

    /// Sends nothing new from here on.
    fn stop(&mut self);

    /// Whether nothing is awaited any more.
    fn is_settled(&self) -> bool;

    /// Counts as lost what has not come.
    fn settle(&mut self);

    fn tally(&mut self) -> &mut Tally;
}

/// What a load has cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub messages: u64,
    pub elapsed: Duration,
    pub cpu: Duration,
}

impl Cost {
    /// The microseconds of the server's CPU that one message took.
    pub fn micros_of_a_message(&self) -> io::Result<f64> {
        if self.messages == 0 {
            return Err(io::Error::other("not one message came back"));
        }
        Ok(self.cpu.as_secs_f64() * 1e6 / self.messages as f64)
    }
}

/// Puts a load on the server and measures it, then waits for all that is on its way.
pub fn drive(
    load: &mut dyn Load,
    fleet: &mut Fleet,
    server: &Process,
    extent: Extent,
) -> io::Result<Cost> {
    let start = (now(), server.cpu()?, 0);
    load.begin(fleet)?;
    if let Extent::Time(time) = extent {
        run(load, fleet, Some(time / 4))?;
        load.tally().latency.clear();
    }
    let (time, (begun, cpu, before)) = match extent {
        Extent::Time(time) => {
            let here = (now(), server.cpu()?, load.tally().received);
            (Some(time), here)
        }
        Extent::Messages(_) => (None, start),
    };
    run(load, fleet, time)?;
    let cost = Cost {
        messages: load.tally().received - before,
        elapsed: begun.elapsed(),
        cpu: server.cpu()?.since(cpu),
    };
    load.stop();
    if time.is_some() {
        run(load, fleet, None)?;
    }
    // What comes once more comes soon.
    fleet.rest(ENCORE, load)?;
    load.settle();
    Ok(cost)
}

/// Goes on for some time and at least until something has come, or else until the load has settled, or nothing comes any
/// more. A machine that is held up for all of the time would otherwise leave nothing to divide by.
fn run(load: &mut dyn Load, fleet: &mut Fleet, time: Option<Duration>) -> io::Result<()> {
    let end = time.map(|time| now() + time);
    let before = load.tally().received;
    let (mut received, mut last) = (before, now());
    loop {
        let now = now();
        // Only what is still to come is waited for.
        let ahead = end.filter(|end| now < *end);
        let is_enough = match end {
            Some(_) => load.tally().received != before,
            None => load.is_settled(),
        };
        if ahead.is_none() && is_enough {
            return Ok(());
        }
        if load.tally().received != received {
            (received, last) = (load.tally().received, now);
        } else if ahead.is_none() && now.duration_since(last) > PATIENCE {
            return Ok(());
        }
        let due = load.turn(fleet)?;
        let until = [due, ahead].into_iter().flatten().min();
        let wait = until.map_or(LONGEST_WAIT, |until| until.saturating_duration_since(now));
        fleet.turn(wait.min(LONGEST_WAIT), load)?;
    }
}

/// After this long without a message, what is missing is lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long is waited for what nobody waits for.
const ENCORE: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
