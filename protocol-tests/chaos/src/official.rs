//! The official client takes part: a Node child with the page's outbox on a file, and a cursor. It is killed and held now
//! and then, and comes again with what its file has.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, sleep_until};

use crate::history::{Entry, Facts, Kind, Op};
use crate::rng::Rng;
use crate::world::{Phase, World};

/// How a child behaves.
#[derive(Debug, Clone)]
pub struct Habits {
    /// The longest pause between two messages, in milliseconds.
    pub think: u64,
    /// Whether it uses the client's own `retries` below its outbox.
    pub retries: bool,
    /// Whether it always upgrades.
    pub upgrades: bool,
    /// The outbox as a module for Node, by [`build_outbox`].
    pub outbox: PathBuf,
    /// Where to keep its file.
    pub folder: PathBuf,
}

/// How long a child lives, in milliseconds, until something happens to it.
const LIFE: std::ops::Range<u64> = 500..4_000;

/// Of a thousand such moments, how many are its last; else it is held for a while.
const DEATHS: u64 = 600;

/// Makes the page's outbox into a module that Node can load, and returns where that is.
pub async fn build_outbox(folder: &Path) -> io::Result<PathBuf> {
    let web = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web"));
    let output = Command::new("node")
        .arg(web.join("node_modules/typescript/bin/tsc"))
        .arg(web.join("src/outbox.ts"))
        .args(["--module", "esnext", "--target", "es2022"])
        .args(["--noCheck", "--ignoreConfig", "--outDir"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .await?;
    let module = folder.join("outbox.mjs");
    match output.status.success() {
        true => std::fs::rename(folder.join("outbox.js"), &module).map(|()| module),
        false => Err(io::Error::other(format!(
            "the outbox of web/ cannot be built; `npm ci` there comes first: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

/// Runs a child, and another in its place when it was killed, until the run is over; what they say becomes part of the
/// history.
pub async fn take_part(world: Arc<World>, name: String, habits: Habits) -> io::Result<()> {
    let mut official = Official {
        rng: world.rng(&name),
        world,
        name,
        habits,
        life: 0,
        next: 0,
        sent: HashMap::new(),
        ended: HashSet::new(),
    };
    while official.live().await? {
        let away = official.rng.milliseconds(0..500);
        sleep(away).await;
        official.life += 1;
    }
    Ok(())
}

struct Official {
    world: Arc<World>,
    name: String,
    habits: Habits,
    rng: Rng,
    /// How many children came before.
    life: u64,
    /// The number of its next message.
    next: u64,
    /// What is known to be sent, and to have ended: a child that is killed does not know how much of that was told.
    sent: HashMap<String, Option<u32>>,
    ended: HashSet<String>,
}

impl Official {
    /// Runs one child to its end; says whether it was killed.
    async fn live(&mut self) -> io::Result<bool> {
        let mut child = self.spawn()?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut lines = BufReader::new(output).lines();
        let mut phase = self.world.phase.subscribe();
        let now = *phase.borrow_and_update();
        tell(&mut input, now).await?;
        let mut blow = None;
        let mut killed = false;
        loop {
            let moment = blow.unwrap_or_else(Instant::now);
            tokio::select! {
                line = lines.next_line() => match line? {
                    Some(line) => {
                        match serde_json::from_str(&line) {
                            Ok(entry) => self.take(entry),
                            // Cut short with its author.
                            Err(_) if killed => {}
                            Err(error) => return Err(error.into()),
                        }
                        if blow.is_none() {
                            self.world.wakes();
                            blow = Some(self.next_blow());
                        }
                    }
                    None => break,
                },
                changed = phase.changed() => {
                    let now = *phase.borrow_and_update();
                    if changed.is_err() {
                        break;
                    }
                    // A child that was killed does not hear it, and the next one is told again.
                    let told = tell(&mut input, now).await;
                    if !killed {
                        told?;
                    }
                }
                () = sleep_until(moment), if blow.is_some() && !killed && !self.world.has_mercy() => {
                    if self.world.may_sleep() {
                        killed = self.strike(&mut child).await?;
                    }
                    blow = Some(self.next_blow());
                }
            }
        }
        let status = child.wait().await?;
        let reader = format!("{}.{}", self.name, self.life);
        if killed {
            let left = Facts::what("leaves");
            self.world
                .note(&reader, Op::Subscribe, Kind::Info, None, left);
        } else if !status.success() {
            return Err(io::Error::other(format!(
                "the official client ended with {status}"
            )));
        }
        Ok(killed)
    }

    fn spawn(&self) -> io::Result<Child> {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/node/client.mjs");
        let ways = match self.habits.upgrades {
            true => json!([["polling", "websocket"]]),
            false => json!([["websocket"], ["polling"], ["polling", "websocket"]]),
        };
        let options = json!({
            "url": format!("http://{}", self.world.proxy),
            "name": self.name,
            "life": self.life,
            "next": self.next,
            "seed": self.world.seed.to_string(),
            "clientId": self.world.client_id(&self.name),
            "think": self.habits.think.max(1),
            "ways": ways,
            "retries": self.habits.retries,
            "outbox": self.habits.outbox,
            "file": self.habits.folder.join(format!("{}.journal", self.name)),
        });
        Command::new("node")
            .arg(program)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("node cannot be started: {error}")))
    }

    fn next_blow(&mut self) -> Instant {
        Instant::now() + self.rng.milliseconds(LIFE)
    }

    /// Kills the child, or holds it for a while; says whether it is dead.
    async fn strike(&mut self, child: &mut Child) -> io::Result<bool> {
        if self.rng.chance(DEATHS) {
            self.fault("client killed");
            child.start_kill()?;
            return Ok(true);
        }
        self.fault("client held");
        signal(child, Signal::STOP)?;
        sleep(self.rng.milliseconds(50..2_500)).await;
        signal(child, Signal::CONT)?;
        self.world.wakes();
        Ok(false)
    }

    fn fault(&self, what: &str) {
        let value = Facts::what(what);
        self.world
            .note(&self.name, Op::Fault, Kind::Info, None, value);
    }

    /// Takes what a child says. One that comes again says again what waits in its file, and may send what was answered.
    fn take(&mut self, mut entry: Entry) {
        let key = entry.key.clone().unwrap_or_default();
        match (entry.op, entry.kind) {
            (Op::Send, Kind::Invoke) => {
                let seq = entry.value.seq.unwrap_or(0);
                self.next = self.next.max(seq + 1);
                if self.sent.insert(key, entry.value.hash).is_some() {
                    return;
                }
            }
            (Op::Send, Kind::Info) if self.ended.contains(&key) => return,
            (Op::Send, _) => {
                let is_known = !self.ended.insert(key.clone());
                if is_known {
                    entry.op = Op::Again;
                    entry.value.hash = self.sent.get(&key).copied().flatten();
                }
            }
            _ => {}
        }
        self.world.history.push(entry);
    }
}

async fn tell(input: &mut ChildStdin, phase: Phase) -> io::Result<()> {
    let word = match phase {
        Phase::Storm => "storm",
        Phase::Drain => "drain",
        Phase::Done => "done",
    };
    input.write_all(format!("{word}\n").as_bytes()).await
}

fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    // It may have ended by itself.
    pid.map_or(Ok(()), |pid| Ok(kill_process(pid, signal)?))
}

/// How long it may take until all children are there again, before the run ends without them.
pub const AWAKE_WITHIN: Duration = Duration::from_secs(60);
