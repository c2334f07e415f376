//! The server's process: the chat on the real Socket.IO server and log, on a runtime of one thread whose clock stands
//! still but for when it is told to go on.

use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chaos::rng::Rng;
use chat_app::chat::{self, Chat};
use chat_app::stop::stop;
use event_log::{Driver, Log, Replayed, StoreError};
use socketio::{EventPacket, Server};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
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
    chat: Chat,
    /// Until it is closed.
    driver: Option<Driver<SimStore, EventPacket>>,
    pipes: Pipes,
    life: Life,
}

/// How far the process is.
enum Life {
    Serving(JoinHandle<io::Result<()>>),
    /// Someone has asked it to.
    Stopping(JoinHandle<Result<(), String>>),
    Stopped(Result<(), String>),
}

/// What is left of a server when nobody uses it.
#[derive(Debug, PartialEq, Eq)]
pub struct Leftovers {
    pub sessions: usize,
    pub subscriptions: usize,
    pub replays: usize,
    /// Messages to be stored.
    pub waiting: usize,
}

impl Leftovers {
    pub const NOTHING: Self = Self {
        sessions: 0,
        subscriptions: 0,
        replays: 0,
        waiting: 0,
    };
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
        let chat = Chat::new(log.clone(), settings.history);
        chat.install(&io);
        let (port, serving) = (Port(pipes.clone()), io.clone());
        let serving = runtime.spawn(async move { serving.serve_listener(port).await });
        let begun = (Instant::now(), now);
        drop(entered);
        Ok(Self {
            runtime,
            begun,
            io,
            log,
            chat,
            driver: Some(driver),
            pipes,
            life: Life::Serving(serving),
        })
    }

    /// Lets it run until then, or until it has written something or has stopped if that is earlier; says when that was.
    pub fn run_until(&mut self, time: Ms) -> Ms {
        let deadline = self.begun.0 + Duration::from_millis(time - self.begun.1);
        let stopped = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.pipes.has_sent() => None,
                stopped = self.life.stopped() => Some(stopped),
                () = sleep_until(deadline) => None,
            }
        });
        if let Some(stopped) = stopped {
            self.life = Life::Stopped(stopped);
        }
        self.runtime.block_on(async { self.now() })
    }

    /// Asks it to stop, as SIGTERM does.
    pub fn stop(&mut self) {
        let before = std::mem::replace(&mut self.life, Life::Stopped(Ok(())));
        let Life::Serving(serving) = before else {
            self.life = before;
            return;
        };
        let (io, chat) = (self.io.clone(), self.chat.clone());
        // From now on, and not only when its task has its turn.
        io.refuse_sessions();
        let stopping = self.runtime.spawn(async move {
            let closed = stop(&io, &chat).await;
            let served = serving.await.map_err(|error| error.to_string());
            served?.map_err(|error| error.to_string())?;
            closed.map_err(|error| error.to_string())
        });
        self.life = Life::Stopping(stopping);
    }

    pub fn is_stopping(&self) -> bool {
        !matches!(self.life, Life::Serving(_))
    }

    /// How it has stopped, if it has.
    pub fn stopped(&self) -> Option<&Result<(), String>> {
        match &self.life {
            Life::Stopped(how) => Some(how),
            Life::Serving(_) | Life::Stopping(_) => None,
        }
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
        if let Some(driver) = self.driver.take_if(|driver| driver.is_done()) {
            // An error is for whoever has asked.
            let _told = driver.close();
            return true;
        }
        let Some(driver) = &mut self.driver else {
            return false;
        };
        let replays = driver.replays() as u64;
        let first = rng.within(0..3 + replays);
        (0..3 + replays).any(|nth| match (first + nth) % (3 + replays) {
            0 => driver.write(rng.size(1..20)),
            1 => driver.answer(),
            2 => driver.walk(),
            replay => {
                let index = usize::try_from(replay - 3).unwrap_or(0);
                index < driver.replays() && driver.replay(index) != Replayed::Waits
            }
        })
    }

    /// Forgets a piece of what is not kept; says whether there may be more.
    pub fn forget(&mut self) -> bool {
        let _entered = self.runtime.enter();
        let Some(driver) = &mut self.driver else {
            return false;
        };
        // A log in doubt first looks what is stored, as its writer does when it has nothing to write.
        driver.write(0);
        // By their number, and not by their age.
        driver.forget(0)
    }

    /// Whether somebody waits for the log, if only for the store to be readable, or for it to close.
    pub fn is_log_waiting(&self) -> bool {
        let is_closing = self.is_stopping() && self.driver.is_some();
        is_closing || self.replays() > 0
    }

    fn replays(&self) -> usize {
        self.driver.as_ref().map_or(0, Driver::replays)
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
            sessions: self.sessions(),
            subscriptions: self.log.stats().subscriptions,
            replays: self.replays(),
            waiting: self.waiting(),
        }
    }

    /// It dies, wherever its tasks stand.
    pub fn kill(self) {
        let Self {
            runtime,
            io,
            log,
            chat,
            driver,
            ..
        } = self;
        {
            let _entered = runtime.enter();
            drop(driver);
            drop((log, chat, io));
        }
        drop(runtime);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.io.engine().clients_count()
    }

    /// Within the runtime.
    fn now(&self) -> Ms {
        let passed = self.begun.0.elapsed().as_millis();
        self.begun.1 + Ms::try_from(passed).unwrap_or(Ms::MAX)
    }
}

impl Life {
    /// Resolves when a process that was asked to stop has done so.
    async fn stopped(&mut self) -> Result<(), String> {
        match self {
            Self::Stopping(stopping) => stopping
                .await
                .unwrap_or_else(|error| Err(error.to_string())),
            Self::Serving(_) | Self::Stopped(_) => pending().await,
        }
    }
}
