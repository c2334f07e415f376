//! The server's process: the chat on the real Socket.IO server and log, on a runtime of one thread whose clock stands
//! still but for when it is told to go on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chaos::rng::Rng;
use chat_app::chat::{self, Chat};
use event_log::{Driver, Log, Replayed, StoreError};
use socketio::{EventPacket, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep_until};

use crate::agenda::Ms;
use crate::network::pipe::{Pipes, Port};
use crate::settings::Settings;
use crate::store::SimStore;

/// A running server.
pub struct Process {
    runtime: Runtime,
    /// The clock's reading when it began, and the simulation's.
    begun: (Instant, Ms),
    io: Server,
    log: Log<EventPacket>,
    driver: Driver<SimStore, EventPacket>,
    pipes: Pipes,
}

/// What is left of a server when nobody uses it.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftovers {
    pub sessions: usize,
    pub subscriptions: usize,
    pub replays: usize,
}

impl Process {
    /// Starts a server that accepts from these pipes, on what the store holds.
    pub fn start(
        now: Ms,
        settings: &Settings,
        store: SimStore,
        pipes: Pipes,
        rng: &mut Rng,
    ) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            // So that a crash can come between any two steps of its tasks.
            .event_interval(1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let entered = runtime.enter();
        let mut config = settings.server.clone();
        let seed = rng.draw();
        let sessions = AtomicU64::new(0);
        config.hooks = config.hooks.generate_id(move |_| {
            let nth = sessions.fetch_add(1, Ordering::Relaxed);
            async move { Ok(format!("{seed:016x}{nth:04x}")) }
        });
        let io = Server::with_config(config);
        let (log, driver) = Log::driven(store, settings.log.clone(), chat::encoder(&io))?;
        Chat::new(log.clone(), settings.history).install(&io);
        let (port, serving) = (Port(pipes.clone()), io.clone());
        runtime.spawn(async move { serving.serve_listener(port).await });
        let begun = (Instant::now(), now);
        drop(entered);
        Ok(Self {
            runtime,
            begun,
            io,
            log,
            driver,
            pipes,
        })
    }

    /// Lets it run until then, or until it has written something if that is earlier; says when that was.
    pub fn run_until(&self, time: Ms) -> Ms {
        let deadline = self.begun.0 + Duration::from_millis(time - self.begun.1);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.pipes.has_sent() => {}
                () = sleep_until(deadline) => {}
            }
            self.now()
        })
    }

    /// Lets it do so many steps at most, while no time passes.
    pub fn run_steps(&self, steps: u64) {
        self.runtime.block_on(async {
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
        });
    }

    /// It stood still, and the clock did not.
    pub fn oversleep(&self, time: Ms) -> Ms {
        self.runtime.block_on(async {
            tokio::time::advance(Duration::from_millis(time)).await;
            self.now()
        })
    }

    /// Moves the log by one step of those it could do; says whether there was any.
    pub fn step_log(&mut self, rng: &mut Rng) -> bool {
        let _entered = self.runtime.enter();
        let replays = self.driver.replays() as u64;
        let first = rng.within(0..3 + replays);
        (0..3 + replays).any(|nth| match (first + nth) % (3 + replays) {
            0 => self.driver.write(rng.size(1..20)),
            1 => self.driver.answer(),
            2 => self.driver.walk(),
            replay => {
                let index = usize::try_from(replay - 3).unwrap_or(0);
                index < self.driver.replays() && self.driver.replay(index) != Replayed::Waits
            }
        })
    }

    /// Forgets a piece of what is not kept; says whether there may be more.
    pub fn forget(&mut self) -> bool {
        let _entered = self.runtime.enter();
        // A log in doubt first looks what is stored, as its writer does when it has nothing to write.
        self.driver.write(0);
        // By their number, and not by their age.
        self.driver.forget(0)
    }

    /// Whether somebody waits for the log, if only for the store to be readable.
    pub fn is_log_waiting(&self) -> bool {
        self.driver.replays() > 0
    }

    /// How many messages wait to be stored.
    pub fn waiting(&self) -> usize {
        self.log.stats().queued
    }

    /// The newest offset.
    pub fn tail(&self) -> u64 {
        self.log.tail(chat::STREAM).0
    }

    pub fn leftovers(&self) -> Leftovers {
        Leftovers {
            sessions: self.io.engine().clients_count(),
            subscriptions: self.log.stats().subscriptions,
            replays: self.driver.replays(),
        }
    }

    /// It dies, wherever its tasks stand.
    pub fn kill(self) {
        let Self {
            runtime,
            io,
            log,
            driver,
            ..
        } = self;
        {
            let _entered = runtime.enter();
            drop(driver);
            drop((log, io));
        }
        drop(runtime);
    }

    /// Within the runtime.
    fn now(&self) -> Ms {
        let passed = self.begun.0.elapsed().as_millis();
        self.begun.1 + Ms::try_from(passed).unwrap_or(Ms::MAX)
    }
}
