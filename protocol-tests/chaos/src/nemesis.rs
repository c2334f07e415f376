//! Who hurts the server: kills it, holds it, takes the database from it, fills its disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::answer::Contract;
use crate::disk::Disk;
use crate::history::{Facts, Kind, Op};
use crate::reader;
use crate::rng::Rng;
use crate::server::Server;
use crate::stored::{self, State};
use crate::world::World;

/// How long a server that was started again may take to its first answer before the run goes on.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The places where `crates/event-log/src/sabotage.rs` lets a process end, in the order of their numbers there.
const PLACES: [(&str, When); 17] = [
    ("before-flush", When::Opening),
    ("after-flush", When::Opening),
    ("before-mark", When::Opening),
    ("after-mark", When::Opening),
    ("before-rename", When::Renaming),
    ("after-rename", When::Renaming),
    ("before-begin", When::Storing),
    ("after-insert", When::Storing),
    ("before-commit", When::Storing),
    ("after-commit", When::Storing),
    ("in-checkpoint", When::Storing),
    ("before-publish", When::Storing),
    ("before-answers", When::Storing),
    ("between-answers", When::Storing),
    ("before-trim", When::Forgetting),
    ("before-forgetting", When::Forgetting),
    ("after-forgetting", When::Forgetting),
];

/// When a place is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Opening,
    /// Opening a database that may be an older one.
    Renaming,
    Storing,
    /// Only where not everything is kept.
    Forgetting,
}

/// Those who wait for an answer for as long as it takes, over connections that nobody hurts.
pub const PATIENT: [&str; 3] = ["patient0", "patient1", "patient2"];

/// How long who waits for a database may be told nothing. The server gives a lock 5 s, and a message may come when it
/// has just begun to wait: what is left is for a machine that has other things to do.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// How long a server may take to stop in order: the chat sends its clients away, waits for those that take nothing, and
/// then for their connections.
const STOP_WITHIN: Duration = Duration::from_secs(45);

/// What is done between two kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Disaster {
    /// The process is held for a while.
    Hold,
    /// Another process locks the database.
    Lock,
    /// Another process locks the database for longer than the server waits for it: until everybody with enough patience
    /// was told so.
    LongLock,
    /// The disk is filled to the last byte, and freed again.
    FullDisk,
    /// The disk is read-only when the server starts: it has to refuse with a sentence.
    ReadOnly,
    /// The server is asked to stop, as by SIGTERM, and started again when it has.
    Terminate,
    /// The server is killed, and an older backup is put in the place of its database.
    Restore,
}

/// Hurts one server.
pub struct Nemesis {
    pub world: Arc<World>,
    pub server: Server,
    pub database: PathBuf,
    pub disk: Option<Disk>,
    pub rng: Rng,
    /// Between two kills, in milliseconds.
    pub pause: std::ops::Range<u64>,
    /// Where to keep a backup of the database.
    pub backup: PathBuf,
}

impl Nemesis {
    /// Kills the server so many times, with a disaster before every other kill.
    pub async fn storm(&mut self, kills: u64, disasters: &[Disaster]) -> io::Result<()> {
        for kill in 0..kills {
            sleep(self.rng.milliseconds(self.pause.clone())).await;
            if !disasters.is_empty() && kill % 2 == 1 {
                let disaster = self.rng.pick(disasters);
                self.strike(disaster).await?;
                sleep(self.rng.milliseconds(10..300)).await;
            }
            self.kill().await?;
            self.start().await?;
            self.first_answer().await;
        }
        Ok(())
    }

    /// Lets a server that is built for it crash so many times at each place where it forgets, or at each other place.
    pub async fn crash(&mut self, times: u64, forgetting: bool) -> io::Result<()> {
        self.first_answer().await;
        for (number, (place, when)) in (1..).zip(PLACES) {
            if forgetting != (when == When::Forgetting) {
                continue;
            }
            for _ in 0..times {
                // Something happens in between, whatever the place.
                self.kill().await?;
                // A name that the server gives and dies of is known to nobody.
                let known = State::of(&self.database).map_err(io::Error::other)?;
                self.crash_at(place, when).await?;
                self.note(Op::Fault, Kind::Info, &format!("crash {number} {place}"));
                match when {
                    When::Renaming => self.start_renamed(known).await?,
                    _ => self.start().await?,
                }
                self.first_answer().await;
            }
        }
        Ok(())
    }

    async fn crash_at(&mut self, place: &str, when: When) -> io::Result<()> {
        let passed = match when {
            When::Opening | When::Renaming => 1,
            When::Forgetting => self.rng.within(1..4),
            When::Storing => self.rng.within(1..30),
        };
        let at = format!("{place} {passed}");
        if when == When::Renaming {
            stored::forget_mark(&self.database)?;
        }
        self.server.set_variable("CRASH_AT", at);
        let status = match when {
            When::Opening | When::Renaming => self.server.start_in_vain().await?,
            When::Storing | When::Forgetting => {
                self.start().await?;
                self.server.end().await?
            }
        };
        match status {
            Some(status) if status.code().is_none() => Ok(()),
            other => Err(io::Error::other(format!(
                "no crash at {place}, but {other:?}"
            ))),
        }
    }

    /// Starts the server, and notes when.
    pub async fn start(&mut self) -> io::Result<()> {
        self.note(Op::Start, Kind::Invoke, "start");
        self.server.start().await?;
        self.note(Op::Start, Kind::Ok, "start");
        Ok(())
    }

    async fn kill(&mut self) -> io::Result<()> {
        if let Some(status) = self.server.ended()? {
            return Err(io::Error::other(format!(
                "the server ended by itself with {status}"
            )));
        }
        self.server.kill().await?;
        self.note(Op::Fault, Kind::Info, "kill");
        Ok(())
    }

    /// Waits until somebody is answered, so that every life of the server is one in which something happens.
    async fn first_answer(&self) {
        let (mut seen, mut answered) = (self.world.history.len(), false);
        let begun = Instant::now();
        while !answered && begun.elapsed() < ANSWER_WITHIN {
            sleep(Duration::from_millis(5)).await;
            let from = seen;
            self.world.history.visit_from(from, |entry| {
                seen += 1;
                answered |= (entry.op, entry.kind) == (Op::Send, Kind::Ok);
            });
        }
    }

    async fn strike(&mut self, disaster: Disaster) -> io::Result<()> {
        match disaster {
            Disaster::Hold => {
                self.note(Op::Fault, Kind::Invoke, "hold");
                self.server.stop()?;
                sleep(self.rng.milliseconds(100..1_500)).await;
                self.server.go_on()?;
                self.note(Op::Fault, Kind::Ok, "hold");
            }
            Disaster::Lock => {
                self.note(Op::Fault, Kind::Invoke, "lock");
                let time = self.rng.milliseconds(100..2_500);
                let database = self.database.clone();
                let held = tokio::task::spawn_blocking(move || stored::hold(&database, time));
                held.await?.map_err(io::Error::other)?;
                self.note(Op::Fault, Kind::Ok, "lock");
            }
            Disaster::LongLock => self.lock_until_told().await?,
            Disaster::FullDisk => {
                let Some(disk) = &self.disk else {
                    return Ok(());
                };
                self.note(Op::Fault, Kind::Invoke, "full disk");
                disk.fill()?;
                sleep(self.rng.milliseconds(100..1_500)).await;
                // What the server has flushed meanwhile cannot be missing from the disk afterwards.
                if let Some(disk) = &self.disk {
                    disk.free()?;
                }
                self.note(Op::Fault, Kind::Ok, "full disk");
            }
            Disaster::ReadOnly => self.refuse_read_only().await?,
            Disaster::Terminate => self.terminate().await?,
            Disaster::Restore => self.restore().await?,
        }
        Ok(())
    }

    /// Who waits hears that the database is busy, however long it is.
    async fn lock_until_told(&mut self) -> io::Result<()> {
        let database = self.database.clone();
        let hold = tokio::task::spawn_blocking(move || stored::Hold::take(&database));
        let hold = hold.await?.map_err(io::Error::other)?;
        let mut seen = self.world.history.len();
        self.note(Op::Fault, Kind::Invoke, "lock");
        let begun = Instant::now();
        let mut waiting = PATIENT.to_vec();
        while !waiting.is_empty() {
            if begun.elapsed() > TOLD_WITHIN {
                let what = format!("the database was locked, and {waiting:?} heard nothing");
                return Err(io::Error::other(what));
            }
            if let Some(status) = self.server.ended()? {
                return Err(io::Error::other(format!("the server ended with {status}")));
            }
            sleep(Duration::from_millis(10)).await;
            self.world.history.visit_from(seen, |entry| {
                seen += 1;
                if (entry.op, entry.kind) == (Op::Try, Kind::Fail) {
                    waiting.retain(|name| *name != entry.proc);
                }
            });
        }
        tokio::task::spawn_blocking(move || hold.let_go())
            .await?
            .map_err(io::Error::other)?;
        self.note(Op::Fault, Kind::Ok, "lock");
        Ok(())
    }

    async fn terminate(&mut self) -> io::Result<()> {
        self.note(Op::Fault, Kind::Invoke, "orderly stop");
        let stopped = timeout(STOP_WITHIN, self.server.terminate()).await;
        let status = stopped.map_err(|_| io::Error::other("the server does not stop"))??;
        self.note(Op::Fault, Kind::Ok, "orderly stop");
        if self.world.contract == Contract::Chat && !status.success() {
            return Err(io::Error::other(format!(
                "asked to stop, the server ended with {status}"
            )));
        }
        self.start().await?;
        self.first_answer().await;
        Ok(())
    }

    async fn restore(&mut self) -> io::Result<()> {
        let (database, backup) = (self.database.clone(), self.backup.clone());
        let made = tokio::task::spawn_blocking(move || stored::back_up(&database, &backup));
        made.await?.map_err(io::Error::other)?;
        sleep(self.rng.milliseconds(100..1_000)).await;
        self.kill().await?;
        stored::put_back(&self.database, &self.backup)?;
        let restored = State::of(&self.backup).map_err(io::Error::other)?;
        self.start_renamed(restored).await?;
        self.first_answer().await;
        Ok(())
    }

    /// Starts the server on a database whose history it gives a new name, and notes which it had and up to where.
    async fn start_renamed(&mut self, State { epoch, last, .. }: State) -> io::Result<()> {
        let restored = |kind, epoch, offset| {
            let epoch = Some(epoch);
            let value = Facts {
                epoch,
                offset,
                ..Facts::default()
            };
            self.world.note("nemesis", Op::Restore, kind, None, value);
        };
        restored(Kind::Invoke, epoch, Some(last));
        self.note(Op::Start, Kind::Invoke, "start");
        self.server.spawn()?;
        // The name is asked of the server, since nobody else knows when it has made up its mind.
        let address = self.server.address();
        let told = timeout(ANSWER_WITHIN, reader::told_epoch(&self.world, address));
        restored(Kind::Ok, told.await?, None);
        self.note(Op::Start, Kind::Ok, "start");
        Ok(())
    }

    async fn refuse_read_only(&mut self) -> io::Result<()> {
        self.kill().await?;
        let Some(disk) = &self.disk else {
            return self.start().await;
        };
        disk.protect(true)?;
        self.note(Op::Fault, Kind::Info, "read-only");
        let before = self.server.said().len();
        let status = self.server.start_in_vain().await?;
        let said = self.server.said().split_off(before);
        disk.protect(false)?;
        let refused = status.is_some_and(|status| !status.success()) && !said.trim().is_empty();
        if !refused {
            return Err(io::Error::other(format!(
                "on a read-only disk the server has to refuse with a sentence; {status:?}, it said {said:?}"
            )));
        }
        self.start().await
    }

    fn note(&self, op: Op, kind: Kind, what: &str) {
        self.world
            .note("nemesis", op, kind, None, Facts::what(what));
    }
}
