//! Sick databases: the server refuses them with a sentence and leaves them alone, or serves what is a prefix of what was
//! stored under a new name. Never other content, never a panic, and never silence to a client that has more.

mod damaged;
mod restored;
mod spoil;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::answer::{Answer, Contract};
use crate::client::{Incoming, Seen, Session, Visit, Way};
use crate::content::content_of;
use crate::rng::Rng;
use crate::server::Server;
use spoil::{Files, Sickness};

/// How many messages are stored, and how many when the older backup is made.
const STORED: u64 = 400;
const BACKED_UP: u64 = 300;

/// How long a client waits for what it has to be told before it takes that for silence.
const SILENCE: Duration = Duration::from_secs(8);

/// What a server made of a database.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    /// Everything is there, under the old name.
    Whole,
    /// The first of the messages are there, under a new name, and who had more was told.
    Prefix,
    /// A reader was told that the next message could not be read as it was written, and sent away.
    SentAway,
    Wrong(String),
}

/// A server, its database, and what is stored there.
struct Ward {
    seed: u64,
    server: Server,
    database: PathBuf,
    epoch: String,
    /// All that was stored, as a client remembers it.
    seen: Vec<Seen>,
    /// By the server, since it was last started.
    said: String,
}

/// What a client is told of the history when it comes.
struct Told {
    epoch: String,
    last: u64,
}

/// Tries all sicknesses, those that vary so many times; says whether all was well.
pub async fn try_all(command: &[String], seed: u64, times: u64) -> io::Result<bool> {
    let folder = tempfile::tempdir()?;
    println!("seed {seed}");
    let (mut ward, good, older) = Ward::fill(command, folder.path(), seed).await?;
    let (mut passed, mut failed) = (0, 0);
    println!(
        "{:<30} {:>5} {:>8} {:>6} {:>7} {:>10} {:>6}",
        "", "tried", "refused", "whole", "prefix", "sent away", "WRONG"
    );
    for sickness in Sickness::ALL {
        let mut rng = Rng::of(seed, sickness.name());
        let mut counts = [0_u64; 5];
        let tries = if sickness.varies() { times } else { 1 };
        for attempt in 0..tries {
            sickness.spoil(&ward.database, &good, &older, &mut rng)?;
            let held = sickness.hold(&ward.database)?;
            let outcome = ward.outcome(sickness).await;
            drop(held);
            sickness.cure(&ward.database)?;
            // A server that neither serves nor refuses is wrong, and the others are still worth a look.
            let outcome = outcome.unwrap_or_else(|error| Outcome::Wrong(error.to_string()));
            let place = match &outcome {
                Outcome::Refused => 0,
                Outcome::Whole => 1,
                Outcome::Prefix => 2,
                Outcome::SentAway => 3,
                Outcome::Wrong(what) => {
                    println!(
                        "{}, attempt {attempt} of seed {seed}: {what}; it said:\n{}",
                        sickness.name(),
                        ward.said
                    );
                    4
                }
            };
            counts[place] += 1;
        }
        let [refused, whole, prefix, away, wrong] = counts;
        println!(
            "{:<30} {tries:>5} {refused:>8} {whole:>6} {prefix:>7} {away:>10} {wrong:>6}",
            sickness.name()
        );
        io::stdout().flush()?;
        if wrong == 0 { passed += 1 } else { failed += 1 }
    }
    println!("# pass {passed}\n# fail {failed}");
    Ok(failed == 0)
}

impl Ward {
    /// Stores messages in a healthy database, stops the server, stores more, and kills it.
    async fn fill(
        command: &[String],
        folder: &Path,
        seed: u64,
    ) -> io::Result<(Self, Files, Files)> {
        let database = folder.join("chat.db");
        let server = Server::new(command, &database, folder.join("server.log"))?;
        let mut ward = Self {
            seed,
            server,
            database,
            epoch: String::new(),
            seen: Vec::new(),
            said: String::new(),
        };
        ward.server.start().await?;
        ward.write(0..BACKED_UP).await?;
        // In good order, so that there is something in the file itself; what comes after is in the write-ahead log.
        ward.server.terminate().await?;
        let older = Files::read(&ward.database)?;
        ward.server.start().await?;
        ward.write(BACKED_UP..STORED).await?;
        ward.look_at_all().await?;
        ward.server.kill().await?;
        let good = Files::read(&ward.database)?;
        Ok((ward, good, older))
    }

    async fn write(&mut self, numbers: std::ops::Range<u64>) -> io::Result<()> {
        let mut session = self.visit(None, None).await?;
        for number in numbers {
            let key = key(number);
            let wanted = session.say(&content_of(self.seed, &key), &key);
            match answer(&mut session, wanted).await {
                Some(Answer::Stored(facts)) if facts.offset == Some(number + 1) => {
                    self.epoch = facts.epoch.unwrap_or_default();
                }
                other => return Err(io::Error::other(format!("a healthy server said {other:?}"))),
            }
        }
        Ok(())
    }

    /// Remembers what is stored.
    async fn look_at_all(&mut self) -> io::Result<()> {
        let mut reader = self.visit(Some(0), None).await?;
        while (self.seen.len() as u64) < STORED {
            match timeout(SILENCE, reader.next()).await {
                Ok(Some(Incoming::Message { seen, .. })) => {
                    let silent = || io::Error::other("it does not say when a message was said");
                    self.seen.push(seen.ok_or_else(silent)?);
                }
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => {
                    return Err(io::Error::other(
                        "a healthy server does not show all it has",
                    ));
                }
            }
        }
        Ok(())
    }

    async fn visit(&self, after: Option<u64>, epoch: Option<String>) -> io::Result<Session> {
        let visit = Visit {
            client_id: Some("chaos-somebody-sick".to_owned()),
            after,
            epoch,
            last: after.and_then(|after| self.seen.get(after.checked_sub(1)? as usize).cloned()),
            history: Some(0),
        };
        Session::open(self.server.address(), Way::WebSocket, &visit).await
    }

    /// Starts the server on what is there, and looks.
    async fn outcome(&mut self, sickness: Sickness) -> io::Result<Outcome> {
        let before = Files::read(&self.database)?.content();
        let said = self.server.said().len();
        let outcome = match sickness {
            Sickness::WholeFolder => self.observe_set_back().await,
            Sickness::DamagedLater => self.observe_damage().await,
            _ => self.observe().await,
        };
        self.server.kill().await?;
        self.said = self.server.said().split_off(said);
        if self.said.contains("panicked at") {
            return Ok(Outcome::Wrong("it panicked".to_owned()));
        }
        let outcome = outcome?;
        if outcome == Outcome::Refused {
            if self.said.trim().is_empty() {
                return Ok(Outcome::Wrong("it refused without a word".to_owned()));
            }
            if Files::read(&self.database)?.content() != before {
                return Ok(Outcome::Wrong(
                    "it refused a database and changed it".to_owned(),
                ));
            }
        }
        Ok(outcome)
    }

    async fn observe(&mut self) -> io::Result<Outcome> {
        let session = match self.start().await? {
            Some(session) => session,
            None => return Ok(Outcome::Refused),
        };
        let told = match self.told(session).await {
            Ok(told) => told,
            Err(what) => return Ok(Outcome::Wrong(what)),
        };
        let mut reader = self.visit(Some(0), Some(told.epoch.clone())).await?;
        for number in 0..told.last {
            let expected = (number + 1, content_of(self.seed, &key(number)));
            match next_message(&mut reader).await {
                Ok(Some(message)) if message == expected => {}
                Ok(Some((offset, _))) => {
                    let what = format!("{offset} is not what was stored behind {number}");
                    return Ok(Outcome::Wrong(what));
                }
                Ok(None) => return Ok(Outcome::SentAway),
                Err(what) => return Ok(Outcome::Wrong(what)),
            }
        }
        if told.epoch == self.epoch {
            return Ok(Outcome::Whole);
        }
        self.goes_on(reader, &told).await
    }

    /// Starts the server and visits it as somebody who has everything; nothing if it refuses.
    async fn start(&mut self) -> io::Result<Option<Session>> {
        self.server.spawn()?;
        // A lock would be waited for, for 5 seconds.
        for _ in 0..1_500 {
            if let Some(status) = self.server.ended()? {
                return match status.success() {
                    false => Ok(None),
                    true => Err(io::Error::other("it ended as if all was well")),
                };
            }
            if let Ok(session) = self.visit(Some(STORED), Some(self.epoch.clone())).await {
                return Ok(Some(session));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(io::Error::other("it neither serves nor ends"))
    }

    /// What who has everything is told. Unless everything is there, it has to be told to start anew.
    async fn told(&self, mut session: Session) -> Result<Told, String> {
        let epoch = async {
            loop {
                if let Incoming::Epoch { name, last } = session.next().await? {
                    return Some(Told { epoch: name, last });
                }
            }
        };
        let told = timeout(SILENCE, epoch).await.ok().flatten();
        let told = told.ok_or("nobody was told the name of the history")?;
        if told.epoch == self.epoch && told.last == STORED {
            return Ok(told);
        }
        if told.epoch == self.epoch {
            return Err(format!("{} of {STORED} under the old name", told.last));
        }
        let resync = async {
            while !matches!(session.next().await?, Incoming::Resync { .. }) {}
            Some(())
        };
        match timeout(SILENCE, resync).await.ok().flatten() {
            Some(()) => Ok(told),
            None => Err("who had more was not told".to_owned()),
        }
    }

    /// What is new is stored behind what is there.
    async fn goes_on(&self, mut session: Session, told: &Told) -> io::Result<Outcome> {
        let wanted = session.say("and on it goes", "afterwards");
        Ok(match answer(&mut session, wanted).await {
            Some(Answer::Stored(facts))
                if facts.offset == Some(told.last + 1)
                    && facts.epoch.as_ref() == Some(&told.epoch) =>
            {
                Outcome::Prefix
            }
            // It may not be able to write, as long as it says so.
            Some(Answer::Later(_)) => Outcome::Prefix,
            other => Outcome::Wrong(format!(
                "behind {} a new message was answered {other:?}",
                told.last
            )),
        })
    }
}

fn key(number: u64) -> String {
    format!("sick-{number}")
}

/// The next message, or nothing if the server says that it cannot be read, and ends the connection.
async fn next_message(session: &mut Session) -> Result<Option<(u64, String)>, String> {
    let message = async {
        let mut is_told = false;
        loop {
            match session.next().await {
                Some(Incoming::Message {
                    content, offset, ..
                }) => return Ok(Some((offset, content))),
                Some(Incoming::Unreadable) => is_told = true,
                Some(_) => {}
                None if is_told => return Ok(None),
                None => return Err("a reader was sent away without a reason".to_owned()),
            }
        }
    };
    let silence = |_| Err("a message that was announced does not come".to_owned());
    timeout(SILENCE, message).await.unwrap_or_else(silence)
}

async fn answer(session: &mut Session, wanted: u64) -> Option<Answer> {
    let answered = async {
        loop {
            if let Incoming::Answer { id, arguments } = session.next().await?
                && id == wanted
            {
                return Some(Answer::read(Contract::Chat, &arguments));
            }
        }
    };
    timeout(SILENCE, answered).await.ok().flatten()
}
