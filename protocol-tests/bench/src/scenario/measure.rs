//! How a server is measured by a scenario.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Effort, Sample, Scenario, Shape, Stored, Unit, stored};
use crate::client::Transport;
use crate::clock::now;
use crate::fleet::Fleet;
use crate::load::{
    Extent, Load,
    chat::Chat,
    drive,
    echo::{Content, Echo},
    fan::{Fan, Pace},
};
use crate::player::Nobody;
use crate::process::Process;
use crate::server::{Cores, Family, Server, database};
use crate::tally::Faults;

impl Scenario {
    /// Starts a server, measures it and ends it.
    pub fn measure(
        &self,
        server: &Server,
        effort: &Effort,
        folder: &Path,
        cores: Option<Cores>,
    ) -> io::Result<Sample> {
        let running = server.start(folder, cores, self.ping_interval())?;
        let process = running.process();
        let (clients, extent, hold) = (self.clients(effort), effort.extent, effort.hold);
        let open = |count, transport| Fleet::open(running.address, count, transport, AT_ONCE);
        let warm_up = |transport| open(clients.min(WARM_UP), transport).map(drop);
        let by = |load: &mut dyn Load, transport| {
            let fleet = open(clients, transport)?;
            play(load, fleet, process, extent, self.unit())
        };
        match self.shape {
            Shape::Echo(content, in_flight, transport) => {
                let mut load = Echo::new(content, in_flight, clients, extent);
                by(&mut load, transport)
            }
            Shape::Fan(room, pace) => {
                let mut load = Fan::new(room, pace, clients, extent);
                by(&mut load, Transport::WebSocket)
            }
            Shape::Recovery => {
                let mut load = Fan::new(None, Pace::InFlight(4), clients, extent);
                by(&mut load, Transport::WebSocket)
            }
            Shape::Chat => {
                let mut load = Chat::new(clients, extent);
                let mut sample = by(&mut load, Transport::WebSocket)?;
                // Killed: what it has not stored by now it never will have.
                drop(running);
                let stored = Stored {
                    acknowledged: load.tally().received,
                    rows: stored::rows(&database(folder))?,
                };
                // Where another chat keeps its messages need not be known.
                if stored.rows.is_none() && server.family.is_some_and(Family::is_ours) {
                    return Err(io::Error::other("its messages are not in its database"));
                }
                sample.faults.add(stored.faults(load.sent()));
                sample.stored = Some(stored);
                Ok(sample)
            }
            Shape::Connect(transport) => {
                warm_up(transport)?;
                connect(process, || open(clients, transport))
            }
            Shape::Idle => {
                warm_up(Transport::WebSocket)?;
                idle(process, hold, || open(clients, Transport::WebSocket))
            }
            Shape::Disconnect => {
                warm_up(Transport::WebSocket)?;
                disconnect(process, hold, || open(clients, Transport::WebSocket))
            }
        }
    }
}

fn play(
    load: &mut dyn Load,
    mut fleet: Fleet,
    process: Process,
    extent: Extent,
    unit: Unit,
) -> io::Result<Sample> {
    let cost = drive(load, &mut fleet, &process, extent)?;
    let micros = cost.micros_of_a_message()?;
    let seconds = cost.elapsed.as_secs_f64();
    let per_second = cost.messages as f64 / seconds;
    let tally = load.tally();
    Ok(Sample {
        figure: match unit {
            Unit::MessagesPerSecond => per_second,
            _ => micros,
        },
        per_second,
        latency: Some((tally.latency.quantile(0.5), tally.latency.quantile(0.99))),
        busy: cost.cpu.as_secs_f64() / seconds,
        resident: process.resident()?,
        faults: tally.faults,
        stored: None,
    })
}

/// Each client says something and has to get it back: so every one of them is there.
fn call(fleet: &mut Fleet, process: Process) -> io::Result<Faults> {
    let one_each = Extent::Messages(1);
    let mut load = Echo::new(Content::Text, 1, fleet.len(), one_each);
    drive(&mut load, fleet, &process, one_each)?;
    Ok(load.tally().faults)
}

fn connect(process: Process, open: impl FnOnce() -> io::Result<Fleet>) -> io::Result<Sample> {
    let cpu = process.cpu()?;
    let (mut fleet, seconds) = timed(open)?;
    let (cpu, count) = (process.cpu()?.since(cpu).as_secs_f64(), fleet.len() as f64);
    let resident = process.resident()?;
    Ok(Sample {
        figure: cpu * 1e6 / count,
        per_second: count / seconds,
        latency: None,
        busy: cpu / seconds,
        resident,
        faults: call(&mut fleet, process)?,
        stored: None,
    })
}

fn idle(
    process: Process,
    hold: Duration,
    open: impl FnOnce() -> io::Result<Fleet>,
) -> io::Result<Sample> {
    let before = process.resident()?;
    let (mut fleet, seconds) = timed(open)?;
    let count = fleet.len() as f64;
    let busy = busy(process, hold, || fleet.rest(hold, &mut Nobody))?;
    let resident = process.resident()?;
    Ok(Sample {
        figure: (resident as f64 - before as f64) / 1024.0 / count,
        per_second: count / seconds,
        latency: None,
        busy,
        resident,
        faults: call(&mut fleet, process)?,
        stored: None,
    })
}

/// Every client says something before it goes, so that what is made for that is there.
fn disconnect(
    process: Process,
    hold: Duration,
    open: impl FnOnce() -> io::Result<Fleet>,
) -> io::Result<Sample> {
    let before = process.resident()?;
    let (mut fleet, seconds) = timed(open)?;
    let count = fleet.len();
    let faults = call(&mut fleet, process)?;
    let highest = process.resident()?;
    let busy = busy(process, hold, || {
        drop(fleet);
        std::thread::sleep(hold);
        Ok(())
    })?;
    let after = process.resident()?;
    let growth = highest.saturating_sub(before);
    Ok(Sample {
        // With so few clients that nothing grew, nothing can be given back.
        figure: match growth {
            0 => 0.0,
            growth => (highest as f64 - after as f64) / growth as f64 * 100.0,
        },
        per_second: count as f64 / seconds,
        latency: None,
        busy,
        resident: after,
        faults,
        stored: None,
    })
}

/// Opens the clients, and says how many seconds that took.
fn timed(open: impl FnOnce() -> io::Result<Fleet>) -> io::Result<(Fleet, f64)> {
    let begun = now();
    let fleet = open()?;
    Ok((fleet, begun.elapsed().as_secs_f64()))
}

/// How much of a core the process is using while something is waited for that long.
fn busy(
    process: Process,
    hold: Duration,
    wait: impl FnOnce() -> io::Result<()>,
) -> io::Result<f64> {
    let before = process.cpu()?;
    wait()?;
    Ok(process.cpu()?.since(before).as_secs_f64() / hold.as_secs_f64())
}

/// How many clients connect at a time.
const AT_ONCE: usize = 64;
/// How many clients come and go before connections are measured.
const WARM_UP: usize = 50;
