//! What is done to the server, its disk and its clients while a run storms.

use chaos::history::{Facts, Kind, Op};
use event_log::StoreError;

use super::{Run, epoch_facts, new_epoch};
use crate::settings::Fault;
use crate::store::{Mood, stored_in};

impl Run {
    pub(super) fn break_something(&mut self, fault: Fault) {
        if self.is_calm {
            return;
        }
        let now = self.stage.agenda.now;
        let client = self.rng.size(0..self.settings.clients);
        let longest = self.rng.pick(&[500, 5_000]);
        let time = self.rng.within(50..longest);
        match fault {
            Fault::Kill | Fault::PowerLoss => {
                let Some(process) = &self.process else { return };
                process.run_steps(self.rng.within(0..40));
                self.die(fault == Fault::PowerLoss);
            }
            Fault::KillInStore | Fault::PowerLossInStore => {
                self.power_is_lost = fault == Fault::PowerLossInStore;
                let after = self.rng.within(0..4);
                self.disk.die_after(u32::try_from(after).unwrap_or(0));
            }
            Fault::Stop => {
                let Some(process) = &self.process else { return };
                self.stage.record.fault(now, "stop");
                self.stage.agenda.now = process.oversleep(time);
                self.note_causes();
                if let Some(stop) = &mut self.stop {
                    stop.by += time;
                }
            }
            Fault::OrderlyStop => self.stop(),
            Fault::Write => {
                let mood = self.rng.pick(&Mood::ALL);
                self.stage.record.fault(now, mood.name());
                self.moods.write(mood);
            }
            Fault::Read => {
                self.stage.record.fault(now, "read fails");
                let error = self.rng.pick(&[true, false]);
                self.moods.read(match error {
                    true => StoreError::Busy,
                    false => StoreError::Unavailable("planned".to_owned()),
                });
            }
            Fault::Full => {
                let is_full = self.rng.chance(400);
                if is_full {
                    self.stage.record.fault(now, "full disk");
                }
                self.disk.set_full(is_full);
            }
            Fault::Part => {
                self.stage.record.fault(now, "out of reach");
                self.stage.network.part(client, now + time);
            }
            Fault::BackUp => {
                self.stage.record.fault(now, "backup");
                self.backup = Some(self.disk.flushed());
            }
            Fault::Restore => self.restore(),
            Fault::Doze => {
                self.stage.record.fault(now, "takes nothing");
                self.stage.network.doze(client, now + time);
            }
        }
    }

    /// The database is set back, if it has gone on since its backup; the store sees that, and gives it another name.
    /// Nothing at all would be no history that can be judged.
    fn restore(&mut self) {
        let last = |file: &[u8]| stored_in(file).last().map_or(0, |event| event.offset.0);
        let file = self.disk.flushed();
        let backup = self.backup.take();
        let Some(backup) = backup.filter(|backup| (1..last(&file)).contains(&last(backup))) else {
            return;
        };
        if self.process.is_none() {
            return;
        }
        self.die(false);
        self.stage
            .record
            .fault(self.stage.agenda.now, "backup restored");
        let before = Facts {
            offset: Some(last(&backup)),
            ..epoch_facts(self.epoch)
        };
        self.stage
            .note("nemesis", Op::Restore, Kind::Invoke, None, before);
        self.disk.replace(&backup);
        self.epoch = new_epoch(&mut self.rng);
        let since = epoch_facts(self.epoch);
        self.stage
            .note("nemesis", Op::Restore, Kind::Ok, None, since);
    }
}
