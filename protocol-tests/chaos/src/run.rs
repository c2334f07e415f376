//! A run from its first start to its history: who takes part, what is done to them, and when it is over.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::answer::Contract;
use crate::checker::FINAL;
use crate::client::Way;
use crate::disk::Disk;
use crate::history::{Entry, Facts, Kind, Op, Recorder};
use crate::nemesis::{self, Disaster, Nemesis};
use crate::official;
use crate::proxy::{Counts, Proxy, Tally, Weather};
use crate::reader::{self, Habits};
use crate::rng::Rng;
use crate::server::Server;
use crate::stored::{self, State};
use crate::world::{Phase, World};
use crate::writer;

/// How long writers and readers may take after the last fault before the run ends without them. Longer than the
/// checker allows, so that what is late is told from what never comes.
const DRAIN_WITHIN: Duration = Duration::from_secs(8);

/// How long a run goes on in which nothing new is done to any connection, and something is still to be done.
const HURT_WITHIN: Duration = Duration::from_secs(120);

/// With so many kills, or cuts of replays, everything has to be done everywhere.
const LARGE: u64 = 20;
const MANY: u64 = 100;

/// More writers than this may fill the queue of the chat's log (1,024) by the attempts that they have given up.
const CROWD: u64 = 200;

/// What a run is made of.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub contract: Contract,
    /// The command that starts the server, with `{port}` and `{database}`.
    pub server: Vec<String>,
    pub writers: u64,
    pub readers: u64,
    /// Official clients, each a writer and a reader.
    pub official: u64,
    /// The longest pause of a writer between two messages, in milliseconds.
    pub think: u64,
    /// How many messages the server keeps, by its command line; all of them if not given.
    pub keep: Option<u64>,
    /// Leave out what needs a disk of its own, where none can be mounted.
    pub without_disk: bool,
    pub ordeal: Ordeal,
}

/// What is done.
#[derive(Debug, Clone)]
pub enum Ordeal {
    /// The server is killed, and worse, while so many of a thousand connections suffer something.
    Storm {
        kills: u64,
        pause: std::ops::Range<u64>,
        disasters: Vec<Disaster>,
        hurt: u64,
    },
    /// The server crashes at each place of the log's writer so many times.
    Crashes {
        times: u64,
        /// Where it forgets, and nowhere else.
        forgetting: bool,
        hurt: u64,
    },
    /// So many connections of readers are cut in the middle of what they catch up with.
    CutReplays { cuts: u64, rows: u64 },
    /// Upgrades are hurt, at each step in each way so many times.
    Upgrades { times: u64 },
}

impl Ordeal {
    /// How clients come.
    fn ways(&self) -> &'static [Way] {
        match self {
            Self::Upgrades { .. } => &[Way::Upgrade],
            Self::Storm { .. } | Self::Crashes { .. } | Self::CutReplays { .. } => &Way::ALL,
        }
    }

    /// Whether they go again soon, so that there are many connections.
    fn is_short(&self) -> bool {
        matches!(self, Self::Upgrades { .. })
    }
}

/// A run that is over.
#[derive(Default)]
pub struct Past {
    pub history: Vec<Entry>,
    /// What came through the proxy, and what was done to how many connections where.
    pub proxy: Counts,
    pub harm: Tally,
    /// What could not be done here, and why.
    pub skipped: Vec<String>,
    /// Why the run did not come to its end, if it did not: then there is nothing to judge, and the run is red.
    pub broken_off: Option<String>,
}

/// Runs a plan and returns what happened, also if it broke off. Fails only if it cannot begin.
pub async fn run(plan: &Plan) -> io::Result<Past> {
    let folder = tempfile::tempdir()?;
    let mut stage = Stage::set(plan, &folder).await?;
    let result = stage.play(plan).await;
    let said = stage.nemesis.server.said();
    stage.nemesis.server.kill().await?;
    let panicked = said.lines().find(|line| line.contains("panicked at"));
    let broken_off = match (result, panicked) {
        (Err(error), _) => Some(format!("{error}\nthe server said:\n{said}")),
        (Ok(()), Some(line)) => Some(format!("the server panicked: {line}")),
        (Ok(()), None) => None,
    };
    Ok(Past {
        history: stage.world.history.snapshot(),
        proxy: stage.proxy.counts(),
        harm: stage.proxy.done(),
        skipped: stage.skipped,
        broken_off,
    })
}

/// Everything that takes part.
struct Stage {
    folder: PathBuf,
    world: Arc<World>,
    nemesis: Nemesis,
    proxy: Proxy,
    disasters: Vec<Disaster>,
    skipped: Vec<String>,
    parts: JoinSet<io::Result<()>>,
}

impl Stage {
    async fn set(plan: &Plan, folder: &TempDir) -> io::Result<Self> {
        let (weather, wanted) = match &plan.ordeal {
            Ordeal::Storm {
                hurt, disasters, ..
            } => (Weather::Mixed(*hurt), &disasters[..]),
            Ordeal::Crashes { hurt, .. } => (Weather::Mixed(*hurt), &[][..]),
            Ordeal::CutReplays { .. } => (Weather::CutReplays(100), &[][..]),
            Ordeal::Upgrades { .. } => (Weather::Upgrades, &[][..]),
        };
        let (disk, disasters, skipped) = disk_for(wanted, folder.path(), plan.without_disk)?;
        let database = database_in(folder.path(), disk.is_some());
        let server = Server::new(&plan.server, &database, folder.path().join("server.log"))?;
        let rng = |part| Rng::of(plan.seed, part);
        let proxy = Proxy::start(server.address(), weather, rng("proxy")).await?;
        let world = Arc::new(World {
            seed: plan.seed,
            contract: plan.contract,
            proxy: proxy.address(),
            history: Recorder::default(),
            phase: watch::Sender::new(Phase::Storm),
            children: watch::Sender::default(),
        });
        if plan.writers + plan.official > CROWD {
            let cause = Facts::what("full queue");
            world.note("nemesis", Op::Fault, Kind::Invoke, None, cause);
        }
        if let Some(keep) = plan.keep {
            world.note("nemesis", Op::Keep, Kind::Info, None, Facts::offset(keep));
        }
        let pause = match &plan.ordeal {
            Ordeal::Storm { pause, .. } => pause.clone(),
            Ordeal::Crashes { .. } | Ordeal::CutReplays { .. } | Ordeal::Upgrades { .. } => 0..1,
        };
        let mut nemesis = Nemesis {
            world: Arc::clone(&world),
            server,
            database,
            disk,
            rng: rng("nemesis"),
            pause,
            backup: folder.path().join("backup.db"),
        };
        if plan.official > 0 {
            official::build_outbox(folder.path()).await?;
        }
        nemesis.start().await?;
        Ok(Self {
            folder: folder.path().to_owned(),
            world,
            nemesis,
            proxy,
            disasters,
            skipped,
            parts: JoinSet::new(),
        })
    }

    async fn play(&mut self, plan: &Plan) -> io::Result<()> {
        match &plan.ordeal {
            Ordeal::Storm { kills, hurt, .. } => {
                self.enter(plan);
                self.nemesis.storm(*kills, &self.disasters).await?;
                if *kills >= LARGE && *hurt > 0 {
                    self.until_hurt_everywhere(1).await?;
                }
            }
            Ordeal::Crashes {
                times, forgetting, ..
            } => {
                self.enter(plan);
                self.nemesis.crash(*times, *forgetting).await?;
            }
            Ordeal::CutReplays { cuts, rows } => self.cut_replays(plan, *cuts, *rows).await?,
            Ordeal::Upgrades { times } => self.hurt_upgrades(plan, *times).await?,
        }
        self.spare_officials().await?;
        self.proxy.calm();
        self.world
            .note("nemesis", Op::Heal, Kind::Info, None, Facts::default());
        self.world.phase.send_replace(Phase::Drain);
        let mut watch = Progress::default();
        self.until(&mut watch, |watch| watch.pending.is_empty())
            .await;
        if let Some(keep) = plan.keep {
            self.until_forgotten(keep).await?;
        }
        let direct = self.nemesis.server.address();
        let least = match plan.contract {
            Contract::Chat => watch.answered,
            // Where answers name no offset: no message has the offset of another.
            Contract::Tutorial => watch.stored,
        };
        let tail = reader::read_all(&self.world, direct, least).await?;
        self.until(&mut watch, |watch| watch.behind(tail) == 0)
            .await;
        self.world.phase.send_replace(Phase::Done);
        if plan.contract == Contract::Chat {
            stored::note_rows(&self.nemesis.database, &self.world.history).map_err(|error| {
                io::Error::other(format!("the database cannot be read: {error}"))
            })?;
        }
        while let Some(part) = self.parts.join_next().await {
            part??;
        }
        Ok(())
    }

    /// Everybody comes.
    fn enter(&mut self, plan: &Plan) {
        for writer in 0..plan.writers {
            let habits = writer::Habits {
                ways: plan.ordeal.ways(),
                stay: plan.ordeal.is_short().then_some(5),
                ..writer::Habits::new(self.world.proxy, plan.think)
            };
            self.write(format!("w{writer}"), habits);
        }
        let patient = match self.disasters.contains(&Disaster::LongLock) {
            true => &nemesis::PATIENT[..],
            false => &[],
        };
        for name in patient {
            let habits = writer::Habits {
                patience: Duration::from_secs(60),
                ..writer::Habits::new(self.nemesis.server.address(), plan.think)
            };
            self.write((*name).to_owned(), habits);
        }
        for reader in 0..plan.readers {
            // One in three has nothing yet, and is shown the last messages first.
            let habits = Habits {
                from: (reader % 3 != 2).then_some(0),
                stay: if plan.ordeal.is_short() { 200 } else { 4_000 },
                // Long enough to miss something that is forgotten meanwhile.
                away: match plan.keep {
                    Some(_) => 3_000,
                    None if plan.ordeal.is_short() => 50,
                    None => 1_500,
                },
                ways: plan.ordeal.ways(),
            };
            let world = Arc::clone(&self.world);
            let name = format!("r{reader}");
            self.parts.spawn(async move {
                reader::read(world, name, habits).await;
                Ok(())
            });
        }
        self.enter_officials(plan);
    }

    fn enter_officials(&mut self, plan: &Plan) {
        for number in 0..plan.official {
            self.world.may_sleep();
            let habits = official::Habits {
                think: plan.think,
                retries: number % 2 == 1,
                upgrades: matches!(plan.ordeal, Ordeal::Upgrades { .. }),
                outbox: self.folder.join("outbox.mjs"),
                folder: self.folder.clone(),
            };
            let world = Arc::clone(&self.world);
            let part = official::take_part(world, format!("js{number}"), habits);
            self.parts.spawn(part);
        }
    }

    /// Does nothing more to the official clients, and waits until they are there.
    async fn spare_officials(&mut self) -> io::Result<()> {
        let children = &self.world.children;
        children.send_modify(|children| children.spared = true);
        let begun = Instant::now();
        while self.world.children.borrow().asleep > 0 {
            self.is_alive()?;
            if let Some(part) = self.parts.try_join_next() {
                part??;
            }
            if begun.elapsed() > official::AWAKE_WITHIN {
                return Err(io::Error::other("an official client does not come up"));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn write(&mut self, name: String, habits: writer::Habits) {
        let world = Arc::clone(&self.world);
        self.parts.spawn(async move {
            writer::write(world, name, habits).await;
            Ok(())
        });
    }

    /// Fills the log, and then cuts whoever reads it from the beginning.
    async fn cut_replays(&mut self, plan: &Plan, cuts: u64, rows: u64) -> io::Result<()> {
        for writer in 0..plan.writers {
            let habits = writer::Habits {
                rush: rows / plan.writers.max(1) + 1,
                ..writer::Habits::new(self.nemesis.server.address(), plan.think)
            };
            self.write(format!("w{writer}"), habits);
        }
        let mut watch = Progress::default();
        while watch.stored < rows {
            watch.look(&self.world);
            self.is_alive()?;
            sleep(Duration::from_millis(20)).await;
        }
        self.enter_officials(plan);
        for reader in 0..plan.readers {
            let world = Arc::clone(&self.world);
            self.parts.spawn(async move {
                reader::replay(world, format!("r{reader}"), rows).await;
                Ok(())
            });
        }
        while self.proxy.counts().cuts < cuts {
            self.is_alive()?;
            sleep(Duration::from_millis(20)).await;
        }
        match cuts >= MANY {
            true => self.until_hurt_everywhere(1).await,
            false => Ok(()),
        }
    }

    /// Hurts upgrades until that was done so many times at each step in each way.
    async fn hurt_upgrades(&mut self, plan: &Plan, times: u64) -> io::Result<()> {
        self.enter(plan);
        self.until_hurt_everywhere(times).await
    }

    /// Waits until everything was done everywhere so many times. New connections are always made, and what was done least
    /// often is done to them first: only a server that cannot be hurt at some place does not let this end.
    async fn until_hurt_everywhere(&mut self, times: u64) -> io::Result<()> {
        let (mut begun, mut before) = (Instant::now(), 0);
        loop {
            self.is_alive()?;
            let missing = self.proxy.missing(times);
            if missing.is_empty() {
                return Ok(());
            }
            if missing.len() != before {
                (begun, before) = (Instant::now(), missing.len());
            }
            if begun.elapsed() > HURT_WITHIN {
                let what = missing.join(", ");
                return Err(io::Error::other(format!("never happened: {what}")));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn is_alive(&mut self) -> io::Result<()> {
        match self.nemesis.server.ended()? {
            None => Ok(()),
            Some(status) => Err(io::Error::other(format!("the server ended with {status}"))),
        }
    }

    /// Waits until no more is kept than has to be, though not for ever.
    async fn until_forgotten(&self, keep: u64) -> io::Result<()> {
        let begun = Instant::now();
        let kept = || State::of(&self.nemesis.database).map(|state| state.kept());
        while kept().map_err(io::Error::other)? > keep && begun.elapsed() < DRAIN_WITHIN {
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until it is so, though not for ever: what is missing then is for the checker to say.
    async fn until(&self, watch: &mut Progress, is_so: impl Fn(&Progress) -> bool) {
        let begun = Instant::now();
        loop {
            watch.look(&self.world);
            if is_so(watch) || begun.elapsed() > DRAIN_WITHIN {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What the history says so far, kept up with as it grows.
#[derive(Default)]
struct Progress {
    seen: usize,
    pending: HashSet<String>,
    /// How many messages were acknowledged.
    stored: u64,
    /// The highest offset of an answer, since the database was set back last.
    answered: u64,
    /// How far each reader that has not left is, and in which epoch.
    readers: HashMap<String, (Option<String>, u64)>,
    /// What the history is called since the database was set back last.
    epoch: Option<String>,
}

impl Progress {
    fn look(&mut self, world: &World) {
        let mut seen = self.seen;
        world.history.visit_from(self.seen, |entry| {
            seen += 1;
            self.take(entry);
        });
        self.seen = seen;
    }

    fn take(&mut self, entry: &Entry) {
        let key = || entry.key.clone().unwrap_or_default();
        match (entry.op, entry.kind) {
            (Op::Send, Kind::Invoke) => {
                self.pending.insert(key());
            }
            (Op::Send, kind) => {
                self.pending.remove(&key());
                self.stored += u64::from(kind == Kind::Ok);
                // A late answer may still be one of before.
                if self.epoch.is_none() || self.epoch == entry.value.epoch {
                    self.answered = self.answered.max(entry.value.offset.unwrap_or(0));
                }
            }
            (Op::Restore, Kind::Ok) => {
                self.epoch.clone_from(&entry.value.epoch);
                self.answered = 0;
            }
            (Op::Epoch, _) => {
                if let Some(reader) = self.readers.get_mut(&entry.proc) {
                    *reader = (entry.value.epoch.clone(), 0);
                }
            }
            (Op::Subscribe, Kind::Info) => drop(self.readers.remove(&entry.proc)),
            (Op::Subscribe, _) => {
                self.readers.entry(entry.proc.clone()).or_default();
            }
            (Op::Receive, _) if entry.proc != FINAL => {
                let (_, at) = self.readers.entry(entry.proc.clone()).or_default();
                *at = (*at).max(entry.value.offset.unwrap_or(0));
            }
            _ => {}
        }
    }

    fn behind(&self, tail: u64) -> usize {
        let others = self.readers.iter().filter(|(name, _)| *name != FINAL);
        let is_elsewhere = |epoch: &Option<String>| self.epoch.is_some() && self.epoch != *epoch;
        others
            .filter(|(_, (epoch, at))| *at < tail || is_elsewhere(epoch))
            .count()
    }
}

/// A disk for the disasters that need one. Where none can be mounted they are left out if that is wanted, and that is
/// said.
fn disk_for(
    wanted: &[Disaster],
    folder: &Path,
    may_be_without: bool,
) -> io::Result<(Option<Disk>, Vec<Disaster>, Vec<String>)> {
    let needs_disk =
        |disaster: &Disaster| matches!(disaster, Disaster::FullDisk | Disaster::ReadOnly);
    if !wanted.iter().any(needs_disk) {
        return Ok((None, wanted.to_vec(), Vec::new()));
    }
    match Disk::mount(&folder.join("disk")) {
        Ok(disk) => Ok((Some(disk), wanted.to_vec(), Vec::new())),
        Err(error) if may_be_without => {
            let others = wanted.iter().copied().filter(|other| !needs_disk(other));
            let why = format!("full and read-only disks: no small disk can be mounted: {error}");
            Ok((None, others.collect(), vec![why]))
        }
        Err(error) => Err(io::Error::other(format!(
            "no small disk can be mounted, to be filled and made read-only: {error}; \
             behind `unshare --user --map-root-user --mount` everybody may, and --without-disk leaves it out"
        ))),
    }
}

fn database_in(folder: &Path, on_disk: bool) -> PathBuf {
    if on_disk {
        folder.join("disk").join("chat.db")
    } else {
        folder.join("chat.db")
    }
}
