//! Replays a record up to each of its operations, takes the power away there, and has the remains checked.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use chaos::rng::Rng;

use crate::answer::Answer;
use crate::check::{Found, check};
use crate::disk::{Disk, Remains};
use crate::loss::{Loss, Manner};
use crate::options::Promise;
use crate::program::End;
use crate::record::Operation;
use crate::recorder::Recorder;

/// What is replayed, and by what it is judged.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub seed: u64,
    /// How many losses of power, spread evenly over the record.
    pub states: u64,
    /// Only this one of them.
    pub only: Option<u64>,
    /// After so many of them somebody goes on, by the same promise, and the power goes again, several times each. In place
    /// of every other of these losses the process alone is killed, right behind a write.
    pub recoveries: u64,
    pub promise: Promise,
    /// As if the disk flushed nothing.
    pub lies: bool,
}

/// What came of all losses.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub states: u64,
    /// States in which a database was there already, with something stored.
    pub with_events: u64,
    /// The most events that one state had lost, and in how many states there were any.
    pub most_lost: usize,
    pub with_losses: u64,
    /// States that got a new name.
    pub renamed: u64,
    /// States in which something was forgotten.
    pub with_forgotten: u64,
    /// Losses of power while somebody went on after another one.
    pub second: u64,
    /// Losses of power while somebody went on after a kill.
    pub after_kill: u64,
}

/// A state that breaks the promise.
#[derive(Debug)]
pub struct Red {
    pub state: u64,
    /// How many operations of the record were done.
    pub prefix: usize,
    /// What the loss of power chose.
    pub account: String,
    pub fault: String,
    /// What was there, as it was before anybody opened it.
    pub remains: Remains,
}

/// Goes through a record. `Err` is for what has nothing to do with the store; a broken promise is a [`Red`].
pub fn replay(
    recorder: &Recorder,
    record: &[Operation],
    plan: Plan,
    work: &Path,
) -> Result<(Tally, Option<Red>), String> {
    let mut disk = Disk::new(plan.lies);
    let (mut answers, mut done) = (Vec::new(), 0);
    let mut tally = Tally::default();
    for state in 0..plan.states {
        let prefix = prefix(state, plan.states, record.len());
        move_on(&mut disk, &mut answers, &record[done..prefix])?;
        done = prefix;
        if plan.only.is_some_and(|only| only != state) {
            continue;
        }
        let scene = Scene {
            state,
            plan,
            disk: &disk,
            answers: &answers,
            work,
        };
        let (remains, red) = scene.lose(state, prefix, "", &mut tally)?;
        if red.is_some() {
            return Ok((tally, red));
        }
        let red = match plan.goes_on(state) {
            Some(FirstEnd::PowerLoss) => {
                let found = |inodes: &Inodes| Disk::found(plan.lies, &remains, |name| inodes[name]);
                let red = lose_again(&scene, recorder, &remains, found, prefix, &mut tally)?;
                tally.second += SECOND_LOSSES;
                red
            }
            Some(FirstEnd::Kill) => {
                let (mut disk, mut answers) = (disk.clone(), answers.clone());
                let rest = &record[prefix..];
                let is_write = |operation: &Operation| matches!(operation, Operation::Write { .. });
                let until = rest.iter().position(is_write).map_or(0, |write| write + 1);
                move_on(&mut disk, &mut answers, &rest[..until])?;
                let rng = Rng::of(plan.seed, state);
                let written = disk.after(&mut Loss::new(Manner::Everything, rng));
                let found = |inodes: &Inodes| disk.moved(|name| inodes[name]);
                let scene = Scene {
                    disk: &disk,
                    answers: &answers,
                    ..scene
                };
                let prefix = prefix + until;
                let red = lose_again(&scene, recorder, &written, found, prefix, &mut tally)?;
                tally.after_kill += SECOND_LOSSES;
                red
            }
            None => None,
        };
        if red.is_some() {
            return Ok((tally, red));
        }
    }
    Ok((tally, None))
}

/// How the first of two processes ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstEnd {
    PowerLoss,
    /// What it has written is with the system, and not flushed.
    Kill,
}

impl Plan {
    /// Whether somebody goes on in a state, and after what: in one by chance of each part of them all.
    fn goes_on(&self, state: u64) -> Option<FirstEnd> {
        let recoveries = self.recoveries.min(self.states);
        if recoveries == 0 {
            return None;
        }
        let turn = state * recoveries / self.states;
        let begin = |turn: u64| (turn * self.states).div_ceil(recoveries);
        let part = begin(turn)..begin(turn + 1);
        let is_it = state == Rng::of(self.seed, u64::MAX - turn).within(part);
        is_it.then_some(match turn % 2 {
            0 => FirstEnd::PowerLoss,
            _ => FirstEnd::Kill,
        })
    }
}

/// How often the power goes during one recovery.
const SECOND_LOSSES: u64 = 12;

/// The inodes of files by their names.
type Inodes = HashMap<String, u64>;

/// Lets somebody go on with files that an end has left, which are `found` on the disk, and takes the power away in the
/// middle of that.
fn lose_again(
    first: &Scene<'_>,
    recorder: &Recorder,
    files: &Remains,
    found: impl Fn(&Inodes) -> Disk,
    prefix_before: usize,
    tally: &mut Tally,
) -> Result<Option<Red>, String> {
    let text = |error: io::Error| error.to_string();
    let folder = lay_out(first.work, files).map_err(text)?;
    let mut inodes = Inodes::new();
    for name in files.keys() {
        let inode = fs::metadata(folder.join(name)).map_err(text)?.ino();
        inodes.insert(name.clone(), inode);
    }
    let mut disk = found(&inodes);
    let end = if first.state.is_multiple_of(2) {
        End::Exit
    } else {
        End::Close
    };
    let to = first.work.join("recovery");
    let record = recorder.record_recovery(&folder, disk.clone(), &to, first.plan.promise, end)?;
    let (mut answers, mut done) = (first.answers.to_vec(), 0);
    for second in 0..SECOND_LOSSES {
        let prefix = prefix(second, SECOND_LOSSES, record.len());
        move_on(&mut disk, &mut answers, &record[done..prefix])?;
        done = prefix;
        let scene = Scene {
            disk: &disk,
            answers: &answers,
            ..*first
        };
        let what = format!(
            "after {prefix} of {} operations of a recovery: ",
            record.len()
        );
        let part = (first.state + 1) * 1_000_003 + second;
        let (_, red) = scene.lose(part, prefix_before, &what, tally)?;
        if red.is_some() {
            return Ok(red);
        }
    }
    Ok(None)
}

fn move_on(
    disk: &mut Disk,
    answers: &mut Vec<Answer>,
    operations: &[Operation],
) -> Result<(), String> {
    for operation in operations {
        disk.apply(operation)?;
        if let Operation::Answered { line } = operation {
            answers.push(Answer::parse(line)?);
        }
    }
    Ok(())
}

/// The moment at which the power goes.
#[derive(Clone, Copy)]
struct Scene<'a> {
    state: u64,
    plan: Plan,
    disk: &'a Disk,
    answers: &'a [Answer],
    work: &'a Path,
}

impl Scene<'_> {
    /// One loss of power, by the choices of a part of the seed, and the check of what is left.
    fn lose(
        &self,
        part: u64,
        prefix: usize,
        when: &str,
        tally: &mut Tally,
    ) -> Result<(Remains, Option<Red>), String> {
        let manner = Manner::ALL[(part % Manner::ALL.len() as u64) as usize];
        let mut loss = Loss::new(manner, Rng::of(self.plan.seed, part));
        let mut remains = self.disk.after(&mut loss);
        start_anew(&mut remains);
        let folder = lay_out(self.work, &remains).map_err(|error| error.to_string())?;
        let red = match check(&folder, self.answers, self.plan.promise) {
            Ok(found) => {
                tally.add(found);
                None
            }
            Err(fault) => Some(Red {
                state: self.state,
                prefix,
                account: format!("{when}{}", loss.account()),
                fault: fault.replace(&format!("{}/", folder.display()), ""),
                remains: remains.clone(),
            }),
        };
        Ok((remains, red))
    }
}

/// Up to which operation a state goes: from the first state to the last, all of them or evenly spread.
fn prefix(state: u64, states: u64, operations: usize) -> usize {
    let last = u128::from(states.saturating_sub(1).max(1));
    let prefix = operations as u128 * u128::from(state) / last;
    usize::try_from(prefix).map_or(operations, |prefix| prefix.min(operations))
}

/// The machine starts anew after a loss of power, which the store tells by the name that the system gives each start.
/// This one goes on running, so what was written under its name is put under another.
fn start_anew(remains: &mut Remains) {
    let Ok(boot) = fs::read_to_string("/proc/sys/kernel/random/boot_id") else {
        return;
    };
    let boot = boot.trim_end();
    if let Some(lock) = remains.get_mut("log.db-lock")
        && let Ok(text) = std::str::from_utf8(lock)
    {
        *lock = text.replace(boot, &"0".repeat(boot.len())).into_bytes();
    }
}

/// Makes a folder with just these files.
pub fn lay_out(work: &Path, remains: &Remains) -> io::Result<PathBuf> {
    let folder = work.join("state");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(&folder)?,
    }
    for (name, bytes) in remains {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(folder)
}

impl Tally {
    fn add(&mut self, found: Found) {
        self.states += 1;
        self.with_events += u64::from(found.stored > 0);
        self.most_lost = self.most_lost.max(found.lost);
        self.with_losses += u64::from(found.lost > 0);
        self.renamed += u64::from(found.renamed);
        self.with_forgotten += u64::from(found.forgotten > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Durability;

    #[test]
    fn somebody_goes_on_as_often_as_is_wanted_and_half_of_the_time_after_a_kill() {
        for (states, recoveries) in [(100, 5), (97, 10), (7, 7), (7, 9), (10, 1), (10, 0), (0, 3)] {
            let plan = Plan {
                seed: 3,
                states,
                only: None,
                recoveries,
                promise: Promise {
                    durability: Durability::Full,
                    keep: None,
                },
                lies: false,
            };
            let ends: Vec<_> = (0..states)
                .filter_map(|state| plan.goes_on(state))
                .collect();
            let kills = ends.iter().filter(|end| **end == FirstEnd::Kill).count();
            let wanted = usize::try_from(recoveries.min(states)).unwrap();
            assert_eq!((ends.len(), kills), (wanted, wanted / 2));
        }
    }

    #[test]
    fn every_operation_is_the_last_one_once_if_there_are_states_enough() {
        let prefixes: Vec<_> = (0..11).map(|state| prefix(state, 11, 10)).collect();
        assert_eq!(prefixes, (0..=10).collect::<Vec<_>>());
        assert_eq!(prefix(0, 1, 10), 0);
        assert_eq!((prefix(0, 2, 10), prefix(1, 2, 10)), (0, 10));
    }
}
