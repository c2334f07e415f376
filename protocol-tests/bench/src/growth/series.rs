//! The series: what there is more and more of, and how one size of it is measured.

use std::io;
use std::path::Path;

use super::Options;
use crate::client::Transport;
use crate::fleet::Fleet;
use crate::load::{
    Extent, Load, drive,
    echo::{Content, Echo},
    fan::{Fan, Pace},
    script::Script,
    visit::{self, Visit},
};
use crate::process::Process;
use crate::server::{PING_INTERVAL, Server};
use crate::tally::Faults;

/// What there is more and more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    Connections,
    Idle,
    Receivers,
    Joined,
    Namespaces,
    Rooms,
    Joins,
    Recovery,
    Returns,
}

impl Series {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 9] = [
        Self::Connections,
        Self::Idle,
        Self::Receivers,
        Self::Joined,
        Self::Namespaces,
        Self::Rooms,
        Self::Joins,
        Self::Recovery,
        Self::Returns,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Idle => "idle",
            Self::Receivers => "receivers",
            Self::Joined => "joined",
            Self::Namespaces => "namespaces",
            Self::Rooms => "rooms",
            Self::Joins => "joins",
            Self::Recovery => "recovery",
            Self::Returns => "returns",
        }
    }

    pub fn counted(self) -> &'static str {
        match self {
            Self::Connections => "connections that all talk",
            Self::Idle => "connections of which 100 talk",
            Self::Receivers => "receivers of a broadcast",
            Self::Joined => "namespaces of each connection",
            Self::Namespaces => "namespaces of the server",
            Self::Rooms => "rooms of each socket",
            Self::Joins => "rooms that each socket joins",
            Self::Recovery => "events kept for recovery",
            Self::Returns => "events kept before 10 missed ones",
        }
    }

    /// What the figure is the cost of.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Connections | Self::Idle | Self::Joined | Self::Namespaces => "message",
            Self::Receivers | Self::Rooms | Self::Recovery => "delivery",
            Self::Joins => "join",
            Self::Returns => "return",
        }
    }

    pub fn sizes(self) -> &'static [usize] {
        match self {
            Self::Connections | Self::Idle => &[100, 300, 1_000, 3_000, 10_000],
            Self::Receivers => &[10, 100, 1_000, 10_000],
            Self::Joined | Self::Namespaces => &[1, 10, 100],
            Self::Rooms | Self::Joins => &[1, 10, 100, 1_000],
            // None is without recovery, 10,000 is the default.
            Self::Recovery => &[0, 1_000, 10_000, 100_000],
            Self::Returns => &[1, 100, 10_000, 100_000],
        }
    }

    /// Where the floor is there too, it says how much is the kernel's and the processor's caches' doing.
    pub fn servers(self) -> &'static [&'static str] {
        match self {
            Self::Connections | Self::Idle | Self::Receivers => &["ours", "floor"],
            _ => &["ours"],
        }
    }

    /// Starts a server and says what a message costs it, in microseconds of CPU.
    pub fn measure(
        self,
        size: usize,
        server: &Server,
        options: &Options,
        folder: &Path,
    ) -> io::Result<(f64, Faults)> {
        let number = size.to_string();
        let kept = (size + MISSED as usize).to_string();
        let more: &[&str] = match self {
            Self::Joined | Self::Namespaces => &["--namespaces", &number],
            Self::Recovery if size > 0 => &["--recovery", &number],
            Self::Returns => &["--recovery", &kept, "--namespaces", "1"],
            _ => &[],
        };
        let running = server
            .with(more)
            .start(folder, options.cores(), PING_INTERVAL)?;
        let process = running.process();
        let timed = Extent::Time(options.time());
        let open = |clients| Fleet::open(running.address, clients, Transport::WebSocket, AT_ONCE);
        match self {
            Self::Connections => play(&mut echo(size, timed), &mut open(size)?, process, timed),
            Self::Idle => {
                let talking = size.min(CLIENTS);
                play(&mut echo(talking, timed), &mut open(size)?, process, timed)
            }
            Self::Receivers => {
                let mut fan = Fan::new(None, Pace::InFlight(4), size, timed);
                play(&mut fan, &mut open(size)?, process, timed)
            }
            Self::Joined => {
                // The last of them is the one in which they talk.
                let mut fleet = open(CLIENTS)?;
                enter(&mut fleet, process, size, |_, step| step as usize + 1)?;
                let mut echo = echo(CLIENTS, timed).in_namespaces(|_| format!("/n{size},"));
                play(&mut echo, &mut fleet, process, timed)
            }
            Self::Namespaces => {
                let of = move |client| client % size + 1;
                let mut fleet = open(CLIENTS)?;
                enter(&mut fleet, process, 1, move |client, _| of(client))?;
                let mut echo =
                    echo(CLIENTS, timed).in_namespaces(|client| format!("/n{},", of(client)));
                play(&mut echo, &mut fleet, process, timed)
            }
            Self::Rooms => {
                // One of the rooms has ten members, and is the one that is written to; the others have one.
                let mut fleet = open(CLIENTS)?;
                join(&mut fleet, process, size - 1)?;
                let mut fan = Fan::new(Some(10), Pace::InFlight(1), CLIENTS, timed);
                play(&mut fan, &mut fleet, process, timed)
            }
            Self::Joins => join(&mut open(CLIENTS)?, process, size),
            Self::Recovery => {
                let mut fleet = open(FEW)?;
                fill(&mut fleet, process, size)?;
                let mut fan = Fan::new(None, Pace::InFlight(4), FEW, timed);
                play(&mut fan, &mut fleet, process, timed)
            }
            Self::Returns => returns(size as u64, open, process),
        }
    }
}

/// Clients see the last of all events that are kept, are cut off, miss some, and come back.
fn returns(
    kept: u64,
    open: impl Fn(usize) -> io::Result<Fleet>,
    process: Process,
) -> io::Result<(f64, Faults)> {
    let mut teller = open(1)?;
    enter(&mut teller, process, 1, |_, _| 1)?;
    let mut tell = |first, count| match count {
        0 => Ok(()),
        _ => {
            let extent = Extent::Messages(count);
            let told = play(&mut visit::tell(first, count), &mut teller, process, extent);
            sound(told?).map(drop)
        }
    };
    tell(0, kept - 1)?;
    let once = Extent::Messages(1);
    let mut guests = open(RETURNING)?;
    let mut visit = Visit::first(RETURNING, kept - 1);
    sound(play(&mut visit, &mut guests, process, once)?)?;
    tell(kept - 1, 1)?;
    visit.await_events(1);
    sound(play(&mut visit, &mut guests, process, once)?)?;
    drop(guests);
    tell(kept, MISSED)?;
    visit.come_back(MISSED);
    play(&mut visit, &mut open(RETURNING)?, process, once)
}

fn echo(clients: usize, extent: Extent) -> Echo {
    Echo::new(Content::Text, 1, clients, extent)
}

fn play(
    load: &mut dyn Load,
    fleet: &mut Fleet,
    process: Process,
    extent: Extent,
) -> io::Result<(f64, Faults)> {
    let cost = drive(load, fleet, &process, extent)?;
    Ok((cost.micros_of_a_message()?, load.tally().faults))
}

/// Each client joins so many namespaces, by their numbers.
fn enter(
    fleet: &mut Fleet,
    process: Process,
    count: usize,
    number: impl Fn(usize, u64) -> usize + 'static,
) -> io::Result<(f64, Faults)> {
    let extent = Extent::Messages(count as u64);
    let mut script = Script::new(fleet.len(), extent, move |client, step| {
        let namespace = number(client, step);
        (format!("0/n{namespace},"), format!("0/n{namespace},{{"))
    });
    sound(play(&mut script, fleet, process, extent)?)
}

/// Each client joins so many rooms that are its own alone, and that is what it costs.
fn join(fleet: &mut Fleet, process: Process, count: usize) -> io::Result<(f64, Faults)> {
    if count == 0 {
        return Ok((0.0, Faults::default()));
    }
    let extent = Extent::Messages(count as u64);
    let mut script = Script::new(fleet.len(), extent, |client, step| {
        let request = format!("2{step}[\"join\",\"own-{client}-{step}\"]");
        (request, format!("3{step}["))
    });
    sound(play(&mut script, fleet, process, extent)?)
}

/// So many events are sent to all, and kept.
fn fill(fleet: &mut Fleet, process: Process, count: usize) -> io::Result<()> {
    if count > 0 {
        let extent = Extent::Messages(count as u64);
        let mut fan = Fan::new(None, Pace::InFlight(64), fleet.len(), extent);
        sound(play(&mut fan, fleet, process, extent)?)?;
    }
    Ok(())
}

/// What is done before something is measured has to have gone well.
fn sound(outcome: (f64, Faults)) -> io::Result<(f64, Faults)> {
    if outcome.1 == Faults::default() {
        Ok(outcome)
    } else {
        Err(io::Error::other(format!("beforehand: {:?}", outcome.1)))
    }
}

/// How many clients talk, where their number is not what grows.
const CLIENTS: usize = 100;
/// How many there are where events have to be many.
const FEW: usize = 10;
/// How many come back, and how many events each has missed.
const RETURNING: usize = 500;
const MISSED: u64 = 10;
/// How many clients connect at a time.
const AT_ONCE: usize = 64;
