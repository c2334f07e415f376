//! One run: the loop that lets one thing happen after another, and the faults.
//!
//! ```text
//!   storm: faults, and clients that talk ──► calm: what is broken heals, and everybody finds out ──► heal
//!     ──► rest: nothing is pending, and all have read everything ──► the clients leave ──► the verdict
//! ```

mod faults;
mod lives;

use std::cell::Cell;

use chaos::checker::{self, PATIENCE, Verdict};
use chaos::content::key_of;
use chaos::history::{Facts, Kind, Op};
use chaos::rng::{Rng, hash};
use event_log::Epoch;

use crate::agenda::{Agenda, Event, Ms};
use crate::client::Client;
use crate::disk::Disk;
use crate::network::Network;
use crate::plant::Plant;
use crate::process::{Leftovers, Process};
use crate::record::Record;
use crate::settings::{Fault, Settings};
use crate::stage::Stage;
use crate::store::{Moods, stored_in};

/// How long the calm may last until everybody knows what was cut: longer than any heartbeat and any attempt.
const CALM_WITHIN: Ms = 40_000;

/// How long sessions may outlive their clients.
const FORGOTTEN_WITHIN: Ms = 60_000;

/// What came of a run.
#[derive(Debug)]
pub struct Past {
    pub seed: u64,
    pub record: Record,
    pub verdict: Verdict,
    /// How long it took by its own clock.
    pub lasted: Ms,
}

impl Past {
    pub fn is_good(&self) -> bool {
        self.verdict.is_good() && self.record.wrong.is_empty()
    }

    /// Whether another run was the same in every step.
    pub fn is_same(&self, other: &Self) -> bool {
        self.record.hash() == other.record.hash() && self.record.history == other.record.history
    }
}

/// Everything of a run that is under way.
struct Run {
    stage: Stage,
    settings: Settings,
    rng: Rng,
    clients: Vec<Client>,
    process: Option<Process>,
    stop: Option<lives::Stop>,
    disk: Disk,
    moods: Moods,
    epoch: Epoch,
    backup: Option<Vec<u8>>,
    starts: u64,
    is_log_called: bool,
    is_calm: bool,
    /// Whether the death on the disk that is planned takes the machine with it.
    power_is_lost: bool,
}

thread_local! {
    /// How often this thread has panicked where nobody planned it.
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Counts panics from now on: tokio and the log catch those of their tasks, and a run has to be red all the same.
pub fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.with(|panics| panics.set(panics.get() + 1));
        before(info);
    }));
}

/// Runs a seed, with a fault planted into what everybody relies on if that is wished for.
pub fn run(seed: u64, plant: Option<Plant>) -> Past {
    let panics = PANICS.get();
    let mut run = Run::new(seed, plant);
    run.storm();
    run.calm();
    run.rest();
    run.end();
    let unplanned = PANICS.get() - panics;
    if unplanned > 0 {
        let what = format!("{unplanned} panics");
        run.stage.record.wrong.push(what);
    }
    let record = run.stage.record;
    Past {
        seed,
        verdict: checker::check(&record.history),
        record,
        lasted: run.stage.agenda.now,
    }
}

impl Run {
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary moment to count from"
    )]
    fn new(seed: u64, plant: Option<Plant>) -> Self {
        let settings = Settings::of(seed);
        let mut rng = Rng::of(seed, "run");
        let network = Network::new(Rng::of(seed, "network"), settings.weather.clone(), plant);
        let mut stage = Stage {
            seed,
            agenda: Agenda::default(),
            network,
            record: Record::default(),
            plant,
            began: std::time::Instant::now(),
            is_ending: false,
        };
        let count = usize::try_from(settings.clients).unwrap_or(usize::MAX);
        let clients = (0..count).map(|index| Client::new(index, &settings, &mut stage));
        let clients = clients.collect();
        stage.agenda.at(0, Event::Start);
        let first = rng.within(1..settings.pause + 1);
        stage.agenda.at(first, Event::Fault);
        if let Some(rows) = settings.log.retention.rows {
            let facts = Facts::offset(rows);
            stage.note("nemesis", Op::Keep, Kind::Info, None, facts);
        }
        Self {
            stage,
            clients,
            process: None,
            stop: None,
            disk: Disk::new(plant == Some(Plant::LyingFlush)),
            moods: Moods::default(),
            epoch: new_epoch(&mut rng),
            backup: None,
            starts: 0,
            is_log_called: false,
            is_calm: false,
            power_is_lost: false,
            settings,
            rng,
        }
    }

    /// Clients talk and come and go, and things break.
    fn storm(&mut self) {
        let end = self.settings.storm;
        self.go_on(end, |_| false);
    }

    /// Nothing breaks any more. What is broken is mended, and whoever has to find out that a connection is dead does.
    fn calm(&mut self) {
        self.is_calm = true;
        self.stage.is_ending = true;
        self.stage.network.heal();
        self.moods.clear();
        self.disk.heal();
        let until = self.stage.agenda.now + CALM_WITHIN;
        let is_calm = self.go_on(until, |run| {
            let is_serving = run.process.is_some() && run.stop.is_none();
            is_serving && !run.clients.iter().any(|client| client.is_hurt(&run.stage))
        });
        if !is_calm {
            let what = "a client does not find out that its connection is dead".to_owned();
            self.stage.record.wrong.push(what);
        }
        self.stage
            .note("nemesis", Op::Heal, Kind::Info, None, Facts::default());
    }

    /// What is pending resolves, and everybody reads to the end.
    fn rest(&mut self) {
        // Longer than the checker's patience, so that it is the checker who says that it took too long.
        let until = self.stage.agenda.now + 2 * PATIENCE / 1_000;
        self.go_on(until, |run| {
            // By what the server thinks: if there is more on the disk, the verdict will say so.
            run.process.as_ref().is_some_and(|process| {
                let (epoch, tail) = (run.epoch.as_str(), process.tail());
                let mut clients = run.clients.iter();
                clients.all(|client| client.is_done(epoch, tail))
            })
        });
        if let Some(process) = &mut self.process {
            while process.forget() {}
        }
        self.stage
            .note("disk", Op::Epoch, Kind::Info, None, epoch_facts(self.epoch));
        for event in stored_in(&self.disk.read()) {
            let facts = Facts {
                hash: Some(hash(&event.content)),
                ..Facts::offset(event.offset.0)
            };
            let content = String::from_utf8_lossy(&event.content);
            let key = Some(key_of(&content));
            self.stage.note("disk", Op::Row, Kind::Ok, key, facts);
        }
    }

    /// All leave, and nothing is left of them.
    fn end(&mut self) {
        for client in &mut self.clients {
            client.leave(&mut self.stage);
        }
        self.clients.clear();
        let until = self.stage.agenda.now + FORGOTTEN_WITHIN;
        let left = |run: &Self| run.process.as_ref().map(Process::leftovers);
        if !self.go_on(until, |run| left(run) == Some(Leftovers::NOTHING)) {
            let what = format!("nobody is there, and the server has {:?}", left(self));
            self.stage.record.wrong.push(what);
        }
        if let Some(process) = self.process.take() {
            self.stage.network.pipes = None;
            process.kill();
        }
    }

    /// Lets things happen until then, or until it is enough; says whether it was.
    fn go_on(&mut self, until: Ms, is_enough: impl Fn(&Self) -> bool) -> bool {
        let mut looked = self.stage.agenda.now;
        loop {
            let now = self.stage.agenda.now;
            if looked != now {
                looked = now;
                if is_enough(self) {
                    return true;
                }
            }
            if now >= until {
                return false;
            }
            let mut happened = false;
            // Sometimes the server has its turn between two things of one moment.
            while let Some(event) = self.stage.agenda.pop_due() {
                self.happen(event);
                happened = true;
                if self.rng.chance(300) {
                    break;
                }
            }
            if happened {
                self.call_log();
            }
            let next = self.stage.agenda.next_time().unwrap_or(until);
            let next = next.clamp(now + 1, until.max(now + 1));
            self.stage.agenda.now = match &mut self.process {
                Some(process) => process.run_until(next),
                None => next,
            };
            self.note_causes();
            self.stage
                .network
                .collect(&mut self.stage.agenda, &mut self.stage.record);
            self.look_at_stop();
            self.call_log();
        }
    }

    fn happen(&mut self, event: Event) {
        let Stage {
            agenda,
            network,
            record,
            ..
        } = &mut self.stage;
        match event {
            Event::ToServer(id) => network.deliver_to_server(id, agenda, record),
            Event::ToClient(id) => {
                let delivered = network.deliver_to_client(id, agenda, record);
                if let Some((client, delivered)) = delivered
                    && let Some(client) = self.clients.get_mut(client)
                {
                    client.receive(id, delivered, &mut self.stage);
                }
            }
            Event::Client(index) => {
                if let Some(client) = self.clients.get_mut(index) {
                    client.call(&mut self.stage);
                }
            }
            Event::Log => self.step_log(),
            Event::Fault => {
                let next = agenda.now + self.rng.within(1..self.settings.pause + 1);
                agenda.at(next, Event::Fault);
                let fault = self.settings.fault(&mut self.rng);
                fault
                    .into_iter()
                    .for_each(|fault| self.break_something(fault));
            }
            Event::Mishap => {
                let fault = self.rng.pick(&[Fault::Kill, Fault::PowerLoss]);
                self.break_something(fault);
            }
            Event::Start => self.start(),
        }
    }

    /// Notes what the server refuses messages for, before its answers leave.
    pub(super) fn note_causes(&mut self) {
        let mut causes = self.moods.take_failures();
        let waiting = self.process.as_ref().map_or(0, Process::waiting);
        if waiting >= self.settings.log.write_queue {
            causes.insert("full queue");
        }
        for cause in causes {
            self.stage.record.fault(self.stage.agenda.now, cause);
        }
    }

    /// The log is to move, now that there may be a reason to.
    fn call_log(&mut self) {
        if !self.is_log_called && self.process.is_some() {
            self.is_log_called = true;
            let at = self.stage.agenda.now + self.rng.within(0..4);
            self.stage.agenda.at(at, Event::Log);
        }
    }

    fn step_log(&mut self) {
        self.is_log_called = false;
        let Some(process) = &mut self.process else {
            return;
        };
        let moved = process.step_log(&mut self.rng);
        if self.rng.chance(20) {
            process.forget();
        }
        if self.disk.has_killed() {
            let power = self.power_is_lost;
            return self.die(power);
        }
        if moved {
            self.call_log();
        } else if process.is_log_waiting() {
            self.is_log_called = true;
            let at = self.stage.agenda.now + 50;
            self.stage.agenda.at(at, Event::Log);
        }
    }
}

fn new_epoch(rng: &mut Rng) -> Epoch {
    let mut name = [0; 15];
    name[..8].copy_from_slice(&rng.draw().to_le_bytes());
    Epoch::from_random(name)
}

fn epoch_facts(epoch: Epoch) -> Facts {
    Facts {
        epoch: Some(epoch.to_string()),
        ..Facts::default()
    }
}
