//! How the server's processes begin and end: by a start, an order to stop, or a death.

use chaos::history::{Facts, Kind, Op};
use chaos::rng::Rng;
use event_log::StoreError;

use super::Run;
use crate::agenda::{Event, Ms};
use crate::network::pipe::Pipes;
use crate::plant::Plant;
use crate::process::{Leftovers, Process};
use crate::stage::Stage;
use crate::store::SimStore;

/// What an order to stop is called in the history.
const STOP: &str = "orderly stop";

/// What a stop may take beside what the server's own limits allow.
const STOP_WITHIN: Ms = 3_000;

/// A stop that is under way.
pub(super) struct Stop {
    pub by: Ms,
    /// How many sessions there were when somebody looked. There are never more.
    sessions: usize,
}

impl Run {
    pub(super) fn start(&mut self) {
        if self.process.is_some() {
            return;
        }
        self.starts += 1;
        self.disk.restart();
        let mut rng = Rng::of(self.stage.seed, format!("process {}", self.starts));
        let pipes = Pipes::new(Rng::of(rng.draw(), "pipes"), self.settings.room);
        let (disk, moods) = (self.disk.clone(), self.moods.clone());
        let now = self.stage.agenda.now;
        let store = SimStore::open(disk, moods, self.epoch, self.stage.plant);
        let process = store
            .and_then(|store| Process::start(now, &self.settings, store, pipes.clone(), &mut rng));
        match process {
            Ok(process) => {
                self.stage
                    .note("nemesis", Op::Start, Kind::Ok, None, Facts::what("start"));
                // It is often now that the last crash shows.
                if self.starts > 1 && self.rng.chance(self.settings.mishaps) {
                    let soon = now + self.rng.within(1..3_000);
                    self.stage.agenda.at(soon, Event::Mishap);
                }
                self.process = Some(process);
                self.stage.network.pipes = Some(pipes);
                self.stage.network.is_dark = false;
            }
            // The store could not be read: whoever watches over the server tries again.
            Err(StoreError::Busy | StoreError::Unavailable(_)) => {
                self.stage.record.count("start fails");
                self.stage.agenda.at(now + 50, Event::Start);
            }
            Err(error) => {
                let what = format!("the server does not start: {error}");
                self.stage.record.wrong.push(what);
            }
        }
    }

    /// Someone asks the process to stop, which then takes its time.
    pub(super) fn stop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        if process.is_stopping() {
            return;
        }
        let engine = &self.settings.server.engine;
        let limits = 2 * (engine.shutdown_grace + engine.write_deadline);
        let limits = Ms::try_from(limits.as_millis()).unwrap_or(Ms::MAX);
        self.stop = Some(Stop {
            by: self.stage.agenda.now + limits + STOP_WITHIN,
            sessions: process.sessions(),
        });
        let is_hasty = self.stage.plant == Some(Plant::HastyStop);
        if !is_hasty {
            process.stop();
        }
        self.stage.record.count(STOP);
        self.note_stop(Kind::Invoke);
        if is_hasty {
            self.stopped(&Ok(()));
        }
    }

    /// Whether a process that was asked to stop does as it should.
    pub(super) fn look_at_stop(&mut self) {
        let (Some(process), Some(stop)) = (&self.process, &mut self.stop) else {
            return;
        };
        let before = std::mem::replace(&mut stop.sessions, process.sessions());
        if stop.sessions > before {
            let what = "a session began while the server was stopping".to_owned();
            self.stage.record.wrong.push(what);
        }
        if let Some(how) = process.stopped().cloned() {
            self.stopped(&how);
        } else if self.stage.agenda.now > stop.by {
            let what = "a stop does not come to its end".to_owned();
            self.stage.record.wrong.push(what);
            self.die(false);
        }
    }

    /// The process has stopped: nothing and nobody may be left of it.
    fn stopped(&mut self, how: &Result<(), String>) {
        let Some(process) = &self.process else {
            return;
        };
        let wrong = &mut self.stage.record.wrong;
        if let Err(why) = how {
            wrong.push(format!("the server stopped with an error: {why}"));
        }
        let left = process.leftovers();
        if left != Leftovers::NOTHING {
            wrong.push(format!("a server that has stopped has {left:?}"));
        }
        let pipes = self.stage.network.pipes.as_ref();
        let open = pipes.map_or(0, Pipes::accepted);
        if open > 0 {
            wrong.push(format!("a server that has stopped has {open} connections"));
        }
        if self.disk.is_unflushed() {
            wrong.push("a server that has stopped has not flushed all it wrote".to_owned());
        }
        let is_power_lost = self.rng.chance(200);
        if is_power_lost {
            self.stage.record.count("power loss after a stop");
        }
        self.end_process(is_power_lost);
    }

    /// The process is gone, and with the power the machine, until it is started again.
    pub(super) fn die(&mut self, is_power_lost: bool) {
        if self.process.is_none() {
            return;
        }
        self.note_causes();
        let now = self.stage.agenda.now;
        let what = match (self.disk.has_killed(), is_power_lost) {
            (false, false) => "kill",
            (true, false) => "kill in the store",
            (false, true) => "power loss",
            (true, true) => "power loss in the store",
        };
        self.stage.record.fault(now, what);
        if self.stop.is_some() {
            self.stage.record.count("death while stopping");
        }
        self.end_process(is_power_lost);
    }

    fn end_process(&mut self, is_power_lost: bool) {
        let Some(process) = self.process.take() else {
            return;
        };
        if self.stop.take().is_some() {
            self.note_stop(Kind::Ok);
        }
        self.stage.network.is_dark = is_power_lost;
        let Stage {
            agenda,
            network,
            record,
            ..
        } = &mut self.stage;
        network.lose_process(is_power_lost, agenda, record);
        process.kill();
        if is_power_lost {
            self.disk.lose_power(&mut self.rng);
        }
        let back = self.stage.agenda.now + self.rng.within(1..1_500);
        self.stage.agenda.at(back, Event::Start);
    }

    fn note_stop(&mut self, kind: Kind) {
        self.stage
            .note("nemesis", Op::Fault, kind, None, Facts::what(STOP));
    }
}
