//! A reader with a cursor, which comes and goes, and always wants everything after what it has.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::answer::Contract;
use crate::checker::FINAL;
use crate::client::{Incoming, Seen, Session, Visit, Way};
use crate::content::key_of;
use crate::history::{Facts, Kind, Op};
use crate::rng::hash;
use crate::world::{Phase, World};

/// How a reader behaves.
#[derive(Debug, Clone, Copy)]
pub struct Habits {
    /// What it has when it first comes: nothing at all, or everything up to an offset.
    pub from: Option<u64>,
    /// How long it stays, in milliseconds, and how long it is away.
    pub stay: u64,
    pub away: u64,
    pub ways: &'static [Way],
}

/// Reads until the run is over. While it drains, a reader stays.
pub async fn read(world: Arc<World>, name: String, habits: Habits) {
    let mut phase = world.phase.subscribe();
    tokio::select! {
        () = come_and_go(&world, &name, habits) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Done) => {}
    }
}

async fn come_and_go(world: &World, name: &str, habits: Habits) {
    let mut rng = world.rng(name);
    let mut phase = world.phase.subscribe();
    let mut reader = Reader::new(world, name, habits.from);
    loop {
        let way = rng.pick(habits.ways);
        let until = Instant::now() + rng.milliseconds(1..habits.stay);
        if let Ok(mut session) = reader.open(world.proxy, way).await {
            // Only who comes during the storm leaves again by itself.
            let leaves = async {
                sleep_until(until).await;
                if *phase.borrow_and_update() != Phase::Storm {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = reader.follow(&mut session) => {}
                () = leaves => {}
            }
        }
        if *phase.borrow() == Phase::Storm {
            sleep(rng.milliseconds(1..habits.away)).await;
        } else {
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Reads everything up to `rows` from the beginning, over as many connections as that takes, again and again, each time
/// as somebody new, until the run drains. Who is not given everything reads until the run is over.
pub async fn replay(world: Arc<World>, name: String, rows: u64) {
    let mut phase = world.phase.subscribe();
    tokio::select! {
        () = again_and_again(&world, &name, rows) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Done) => {}
    }
}

async fn again_and_again(world: &World, name: &str, rows: u64) {
    let mut rng = world.rng(name);
    for round in 0_u64.. {
        let name = format!("{name}_{round}");
        let mut reader = Reader::new(world, &name, Some(0));
        while reader.highest < rows {
            let way = rng.pick(&Way::ALL);
            if let Ok(mut session) = reader.open(world.proxy, way).await {
                while reader.highest < rows && reader.take(&mut session).await {}
            } else {
                sleep(rng.milliseconds(1..10)).await;
            }
        }
        reader.note(Op::Subscribe, Kind::Info, None, Facts::what("leaves"));
        if *world.phase.borrow() != Phase::Storm {
            return;
        }
    }
}

/// Reads everything once more, directly and from the beginning, or from what is left of it, until nothing new comes;
/// returns the last offset.
pub async fn read_all(world: &World, server: SocketAddr, least: u64) -> io::Result<u64> {
    let mut reader = Reader::new(world, FINAL, Some(0));
    let mut session = reader.open(server, Way::WebSocket).await?;
    loop {
        if let Some(oldest) = reader.oldest.take() {
            (reader.cursor, reader.last) = (Some(oldest.saturating_sub(1)), None);
            session = reader.open(server, Way::WebSocket).await?;
        }
        let quiet = Duration::from_millis(500);
        let read = timeout(quiet, reader.take(&mut session)).await;
        match read {
            Ok(true) => {}
            Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(_) if reader.highest >= least => return Ok(reader.highest),
            // It is waited for a little; what is missing in the end is for the checker to say.
            Err(_) => {
                if !timeout(quiet * 4, reader.take(&mut session))
                    .await
                    .unwrap_or(false)
                {
                    return Ok(reader.highest);
                }
            }
        }
    }
}

/// What a server calls its history, as soon as it says so.
pub async fn told_epoch(world: &World, server: SocketAddr) -> String {
    let visit = Visit {
        client_id: world.client_id("nemesis"),
        history: Some(0),
        ..Visit::default()
    };
    loop {
        if let Ok(mut session) = Session::open(server, Way::WebSocket, &visit).await
            && let Some(Incoming::Epoch { name, .. }) = session.next().await
        {
            return name;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

struct Reader<'a> {
    world: &'a World,
    name: &'a str,
    /// Everything up to this has come, without a hole. Of this epoch: with another one it means nothing.
    cursor: Option<u64>,
    /// The message at the cursor.
    last: Option<Seen>,
    highest: u64,
    epoch: Option<String>,
    /// It was told to start anew, where the oldest message that is kept has this offset.
    oldest: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(world: &'a World, name: &'a str, from: Option<u64>) -> Self {
        Self {
            world,
            name,
            cursor: from,
            last: None,
            highest: 0,
            epoch: None,
            oldest: None,
        }
    }

    async fn open(&self, server: SocketAddr, way: Way) -> io::Result<Session> {
        // A tutorial's client has an offset from the beginning.
        let after = match self.world.contract {
            Contract::Chat => self.cursor,
            Contract::Tutorial => Some(self.cursor.unwrap_or(0)),
        };
        let visit = Visit {
            client_id: self.world.client_id(self.name),
            after,
            epoch: self.epoch.clone(),
            last: self.last.clone(),
            history: Some(20),
        };
        let session = Session::open(server, way, &visit).await?;
        let value = Facts {
            offset: after,
            epoch: self.epoch.clone(),
            ..Facts::default()
        };
        self.note(Op::Subscribe, Kind::Ok, None, value);
        Ok(session)
    }

    /// Takes what comes until the connection is over.
    async fn follow(&mut self, session: &mut Session) {
        while self.take(session).await {}
    }

    async fn take(&mut self, session: &mut Session) -> bool {
        match session.next().await {
            Some(Incoming::Message {
                content,
                offset,
                seen,
            }) => {
                let value = Facts {
                    hash: Some(hash(content.as_bytes())),
                    ..Facts::offset(offset)
                };
                self.note(Op::Receive, Kind::Ok, Some(key_of(&content)), value);
                self.highest = self.highest.max(offset);
                if self.cursor.is_none_or(|cursor| offset == cursor + 1) {
                    (self.cursor, self.last) = (Some(offset), seen);
                }
            }
            Some(Incoming::Epoch { name: epoch, .. }) => {
                if self.epoch.as_ref() != Some(&epoch) {
                    let value = Facts {
                        epoch: Some(epoch.clone()),
                        ..Facts::default()
                    };
                    self.note(Op::Epoch, Kind::Info, None, value);
                    // Whoever is cut off before the rest comes again with nothing.
                    if self.epoch.replace(epoch).is_some() {
                        (self.cursor, self.last, self.highest) = (None, None, 0);
                    }
                }
            }
            Some(Incoming::Resync { epoch, first, last }) => {
                let value = Facts {
                    epoch: Some(epoch),
                    first: Some(first),
                    ..Facts::offset(last)
                };
                self.note(Op::Resync, Kind::Info, None, value);
                (self.cursor, self.last, self.oldest) = (None, None, Some(first));
            }
            Some(Incoming::Answer { .. } | Incoming::Unreadable | Incoming::Other) => {}
            None => return false,
        }
        true
    }

    fn note(&self, op: Op, kind: Kind, key: Option<&str>, value: Facts) {
        self.world.note(self.name, op, kind, key, value);
    }
}
