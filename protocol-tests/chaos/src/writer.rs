//! An author with an outbox: one message in flight, tried until it is stored or refused for good.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::answer::{Answer, Contract};
use crate::client::{Incoming, Session, Visit, Way};
use crate::content::content_of;
use crate::history::{Facts, Kind, Op};
use crate::rng::{Rng, hash};
use crate::world::{Phase, World};

/// How long an answer is usually waited for.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_000);

/// After so many attempts without an answer a connection is given up.
const MISSES: u32 = 2;

/// Of a thousand answered messages, how many are sent once more, and how many with other content.
const AGAIN: u64 = 30;
const CLASH: u64 = 10;

/// Of a thousand messages, how many are such that the server has to refuse them.
const INVALID: u64 = 10;

/// How a writer behaves.
#[derive(Debug, Clone)]
pub struct Habits {
    pub server: SocketAddr,
    pub ways: &'static [Way],
    /// The longest pause between two messages, in milliseconds.
    pub think: u64,
    /// The first so many messages follow each other without a pause.
    pub rush: u64,
    /// How long an answer is waited for before the next attempt.
    pub patience: Duration,
    /// How many messages are sent over a connection at most, if it is left before it ends.
    pub stay: Option<u64>,
}

impl Habits {
    pub fn new(server: SocketAddr, think: u64) -> Self {
        Self {
            server,
            ways: &Way::ALL,
            think,
            rush: 0,
            patience: ANSWER_WITHIN,
            stay: None,
        }
    }
}

struct Writer {
    world: Arc<World>,
    name: String,
    habits: Habits,
    rng: Rng,
    seq: u64,
    /// The head of the outbox.
    head: Option<Message>,
}

#[derive(Clone)]
struct Message {
    key: String,
    content: String,
}

/// What became of an attempt.
enum Attempt {
    Answered(Answer),
    /// There was none in time.
    Missed,
    Disconnected,
}

/// Writes until the run drains and nothing is left to send, or until it is over.
pub async fn write(world: Arc<World>, name: String, habits: Habits) {
    let rng = world.rng(&name);
    let mut phase = world.phase.subscribe();
    let mut writer = Writer {
        world,
        name,
        habits,
        rng,
        seq: 0,
        head: None,
    };
    let over = tokio::select! {
        () = writer.run() => false,
        _ = phase.wait_for(|phase| *phase == Phase::Done) => true,
    };
    if let (true, Some(head)) = (over, writer.head.take()) {
        writer.note(Op::Send, Kind::Info, &head.key, Facts::what("pending"));
    }
}

impl Writer {
    async fn run(&mut self) {
        while self.phase() == Phase::Storm || self.head.is_some() {
            let visit = Visit {
                client_id: self.world.client_id(&self.name),
                history: Some(0),
                ..Visit::default()
            };
            let way = self.rng.pick(self.habits.ways);
            if let Ok(session) = Session::open(self.habits.server, way, &visit).await {
                self.talk(session).await;
            }
            sleep(self.rng.milliseconds(5..60)).await;
        }
    }

    /// Sends over one connection for as long as it is good.
    async fn talk(&mut self, mut session: Session) {
        let mut misses = 0;
        let mut left = self.habits.stay.map(|most| self.rng.within(1..most.max(2)));
        while misses < MISSES {
            if self.head.is_none() {
                if left == Some(0) && self.phase() == Phase::Storm {
                    return;
                }
                left = left.map(|left| left.saturating_sub(1));
                self.head = self.next(&mut session).await;
            }
            // It stays in the outbox until its outcome is noted.
            let Some(head) = self.head.clone() else {
                return;
            };
            self.note(Op::Try, Kind::Invoke, &head.key, Facts::default());
            let attempt = self.attempt(&mut session, &head.key, &head.content).await;
            match attempt {
                Attempt::Answered(Answer::Stored(facts)) => {
                    self.note(Op::Send, Kind::Ok, &head.key, facts);
                    self.head = None;
                    misses = 0;
                    if !self.once_more(&mut session, &head).await {
                        return;
                    }
                }
                Attempt::Answered(Answer::Refused(error)) => {
                    self.note(Op::Send, Kind::Fail, &head.key, Facts::what(error));
                    self.head = None;
                    misses = 0;
                }
                Attempt::Answered(Answer::Later(error)) => {
                    self.note(Op::Try, Kind::Fail, &head.key, Facts::what(error));
                    sleep(self.rng.milliseconds(20..150)).await;
                }
                Attempt::Missed => {
                    self.note(Op::Try, Kind::Info, &head.key, Facts::what("no answer"));
                    misses += 1;
                }
                Attempt::Disconnected => {
                    self.note(Op::Try, Kind::Info, &head.key, Facts::what("disconnected"));
                    return;
                }
            }
        }
    }

    /// Thinks, and puts a message into the outbox; nothing if the run drains or the connection is over.
    async fn next(&mut self, session: &mut Session) -> Option<Message> {
        let think = if self.seq < self.habits.rush {
            1
        } else {
            self.habits.think.max(1)
        };
        let until = Instant::now() + self.rng.milliseconds(0..think);
        loop {
            tokio::select! {
                incoming = session.next() => drop(incoming?),
                () = sleep_until(until) => break,
            }
        }
        if self.phase() != Phase::Storm {
            return None;
        }
        let key = format!("{}-{}", self.name, self.seq);
        let is_chat = self.world.contract == Contract::Chat;
        let is_invalid = is_chat && self.rng.chance(INVALID);
        let content = if is_invalid {
            String::new()
        } else {
            content_of(self.world.seed, &key)
        };
        let facts = Facts {
            what: is_invalid.then(|| "invalid".to_owned()),
            seq: Some(self.seq),
            hash: Some(hash(content.as_bytes())),
            ..Facts::default()
        };
        self.seq += 1;
        self.note(Op::Send, Kind::Invoke, &key, facts);
        Some(Message { key, content })
    }

    async fn attempt(&self, session: &mut Session, key: &str, content: &str) -> Attempt {
        let wanted = session.say(content, &self.world.wire_key(key));
        let until = Instant::now() + self.habits.patience;
        loop {
            let incoming = tokio::select! {
                incoming = session.next() => incoming,
                () = sleep_until(until) => return Attempt::Missed,
            };
            match incoming {
                // An answer to an earlier attempt that was given up is a late one, and ignored.
                Some(Incoming::Answer { id, arguments }) if id == wanted => {
                    return Attempt::Answered(Answer::read(self.world.contract, &arguments));
                }
                Some(_) => {}
                None => return Attempt::Disconnected,
            }
        }
    }

    /// Now and then forgets the answer and sends again, or claims to have said something else.
    async fn once_more(&mut self, session: &mut Session, message: &Message) -> bool {
        let again = self.rng.chance(AGAIN);
        let clash = self.world.contract == Contract::Chat && self.rng.chance(CLASH);
        if !again && !clash {
            return true;
        }
        let mut content = message.content.clone();
        if clash {
            content.push('!');
        }
        let value = Facts {
            hash: Some(hash(content.as_bytes())),
            ..Facts::default()
        };
        self.note(Op::Again, Kind::Invoke, &message.key, value.clone());
        let (kind, value) = match self.attempt(session, &message.key, &content).await {
            Attempt::Answered(Answer::Stored(facts)) => {
                let hash = value.hash;
                (Kind::Ok, Facts { hash, ..facts })
            }
            Attempt::Answered(Answer::Refused(error) | Answer::Later(error)) => {
                (Kind::Fail, Facts::what(error))
            }
            Attempt::Missed => (Kind::Info, Facts::what("no answer")),
            Attempt::Disconnected => (Kind::Info, Facts::what("disconnected")),
        };
        let connected = value.what.as_deref() != Some("disconnected");
        self.note(Op::Again, kind, &message.key, value);
        connected
    }

    fn phase(&self) -> Phase {
        *self.world.phase.borrow()
    }

    fn note(&self, op: Op, kind: Kind, key: &str, value: Facts) {
        self.world.note(&self.name, op, kind, Some(key), value);
    }
}
