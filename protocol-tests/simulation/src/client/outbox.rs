//! What a client wants to say: one message in flight, repeated until it is stored or refused for good.

use std::collections::VecDeque;

use chaos::answer::Answer;
use chaos::content::content_of;
use chaos::history::{Facts, Kind, Op};
use chaos::rng::{Rng, hash};
use serde_json::json;

use super::packet;
use crate::agenda::Ms;
use crate::plant::Plant;
use crate::settings::Settings;
use crate::stage::Stage;

/// How long an answer is waited for.
const ANSWER_WITHIN: Ms = 1_500;

/// The longest pause before a repetition.
const AGAIN_WITHIN: Ms = 300;

/// Of a thousand messages: those that the server has to refuse, and those that are sent again after their answer.
const INVALID: u64 = 15;
const ONCE_MORE: u64 = 50;

/// Of a thousand that are sent again: those that then have another content.
const CLASH: u64 = 200;

/// The most messages that wait: what a person types while there is no connection.
const WAITING: usize = 8;

/// A client's messages.
pub struct Outbox {
    author: String,
    rng: Rng,
    /// How many are still to be said, and the longest pause between them.
    left: u64,
    think: Ms,
    next_at: Ms,
    seq: u64,
    waiting: VecDeque<Message>,
    /// What was answered already, and is sent once more.
    once_more: Option<Message>,
    flight: Option<Flight>,
    /// Not before this time.
    pause_until: Ms,
    misses: u32,
}

#[derive(Clone)]
struct Message {
    key: String,
    /// As the wire has it: all authors use the same.
    name: String,
    content: String,
    seq: u64,
    /// The server has to refuse it.
    is_invalid: bool,
    is_sent: bool,
}

struct Flight {
    id: u64,
    until: Ms,
    /// The content, if this is a repetition after the answer.
    again: Option<u32>,
}

impl Outbox {
    pub fn new(author: &str, settings: &Settings, mut rng: Rng) -> Self {
        Self {
            author: author.to_owned(),
            left: rng.within(0..settings.messages + 1),
            think: settings.think,
            next_at: rng.within(0..settings.think + 1),
            seq: 0,
            waiting: VecDeque::new(),
            once_more: None,
            flight: None,
            pause_until: 0,
            misses: 0,
            rng,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flight.is_none()
    }

    /// Types, and gives up waiting.
    pub fn act(&mut self, stage: &mut Stage) {
        let now = stage.agenda.now;
        if self.is_typing(stage) && self.next_at <= now {
            self.next_at = now + self.rng.within(0..self.think + 1);
            self.left -= 1;
            let key = format!("{}-{}", self.author, self.seq);
            let is_invalid = self.rng.chance(INVALID);
            let content = if is_invalid {
                String::new()
            } else {
                content_of(stage.seed, &key)
            };
            self.waiting.push_back(Message {
                key,
                name: format!("m-{}", self.seq),
                content,
                seq: self.seq,
                is_invalid,
                is_sent: false,
            });
            self.seq += 1;
        }
        if self
            .flight
            .as_ref()
            .is_some_and(|flight| flight.until <= now)
        {
            self.missed("no answer", stage);
            self.misses += 1;
            if stage.plant == Some(Plant::SilentDiscard) && self.misses > 1 {
                self.waiting.pop_front();
            }
        }
    }

    /// The next thing to send, if it is time for it.
    pub fn next_packet(&mut self, next_id: &mut u64, stage: &mut Stage) -> Option<(String, u64)> {
        if self.flight.is_some() || self.pause_until > stage.agenda.now {
            return None;
        }
        *next_id += 1;
        if let Some(message) = &self.once_more {
            let facts = Facts {
                hash: Some(hash(message.content.as_bytes())),
                ..Facts::default()
            };
            stage.note(
                &self.author,
                Op::Again,
                Kind::Invoke,
                Some(&message.key),
                facts,
            );
            let arguments = json!(["chat message", message.content, message.name]);
            return Some((packet::event(*next_id, &arguments), *next_id));
        }
        let message = self.waiting.front_mut()?;
        if !message.is_sent {
            message.is_sent = true;
            let facts = Facts {
                seq: Some(message.seq),
                hash: Some(hash(message.content.as_bytes())),
                what: message.is_invalid.then(|| "invalid".to_owned()),
                ..Facts::default()
            };
            stage.note(
                &self.author,
                Op::Send,
                Kind::Invoke,
                Some(&message.key),
                facts,
            );
        }
        stage.note(
            &self.author,
            Op::Try,
            Kind::Invoke,
            Some(&message.key),
            Facts::default(),
        );
        let mut name = message.name.clone();
        if stage.plant == Some(Plant::NewKeys) {
            name = format!("{name}-{next_id}");
        }
        let arguments = json!(["chat message", message.content, name]);
        Some((packet::event(*next_id, &arguments), *next_id))
    }

    /// A packet is under way.
    pub fn wait_for(&mut self, id: u64, stage: &mut Stage) {
        let again = self.once_more.as_ref();
        self.flight = Some(Flight {
            id,
            until: stage.agenda.now + ANSWER_WITHIN,
            again: again.map(|message| hash(message.content.as_bytes())),
        });
    }

    /// There is a connection that takes messages.
    pub fn joined(&mut self) {
        self.misses = 0;
        self.pause_until = 0;
    }

    pub fn line_lost(&mut self, stage: &mut Stage) {
        if self.flight.is_some() {
            self.missed("disconnected", stage);
        }
    }

    pub fn answered(&mut self, id: u64, answer: &Answer, stage: &mut Stage) {
        // That of an attempt which was given up is late, and ignored.
        let Some(flight) = self.flight.take_if(|flight| flight.id == id) else {
            return;
        };
        if let Some(hash) = flight.again {
            return self.answered_again(hash, answer, stage);
        }
        let Some(message) = self.waiting.pop_front() else {
            return;
        };
        let key = Some(&*message.key);
        match answer {
            Answer::Stored(facts) => {
                stage.note(&self.author, Op::Send, Kind::Ok, key, facts.clone());
                if self.rng.chance(ONCE_MORE) {
                    let mut message = message;
                    if self.rng.chance(CLASH) {
                        message.content.push('!');
                    }
                    self.once_more = Some(message);
                }
            }
            Answer::Refused(why) => {
                stage.note(
                    &self.author,
                    Op::Send,
                    Kind::Fail,
                    key,
                    Facts::what(why.clone()),
                );
            }
            Answer::Later(why) => {
                stage.note(
                    &self.author,
                    Op::Try,
                    Kind::Fail,
                    key,
                    Facts::what(why.clone()),
                );
                self.waiting.push_front(message);
                self.pause(stage);
            }
        }
    }

    fn answered_again(&mut self, hash: u32, answer: &Answer, stage: &mut Stage) {
        let Some(message) = self.once_more.take() else {
            return;
        };
        let (kind, facts) = match answer {
            Answer::Stored(facts) => {
                let hash = Some(hash);
                (
                    Kind::Ok,
                    Facts {
                        hash,
                        ..facts.clone()
                    },
                )
            }
            Answer::Refused(why) | Answer::Later(why) => (Kind::Fail, Facts::what(why.clone())),
        };
        stage.note(&self.author, Op::Again, kind, Some(&message.key), facts);
    }

    /// The attempt in flight has come to nothing.
    fn missed(&mut self, why: &str, stage: &mut Stage) {
        let Some(flight) = self.flight.take() else {
            return;
        };
        let (op, message) = match flight.again {
            Some(_) => (Op::Again, self.once_more.take()),
            None => (Op::Try, self.waiting.front().cloned()),
        };
        let key = message.as_ref().map(|message| &*message.key);
        stage.note(&self.author, op, Kind::Info, key, Facts::what(why));
        self.pause(stage);
    }

    fn pause(&mut self, stage: &Stage) {
        self.pause_until = stage.agenda.now + self.rng.within(1..AGAIN_WITHIN);
    }

    /// The run is over, and what became of the rest is not known.
    pub fn give_up(&mut self, stage: &mut Stage) {
        self.line_lost(stage);
        for message in self.waiting.drain(..).filter(|message| message.is_sent) {
            let facts = Facts::what("pending");
            stage.note(
                &self.author,
                Op::Send,
                Kind::Info,
                Some(&message.key),
                facts,
            );
        }
    }

    /// When something is to be done here.
    pub fn next_time(&self, is_joined: bool, stage: &Stage) -> Option<Ms> {
        let typing = self.is_typing(stage).then_some(self.next_at);
        let flight = self.flight.as_ref().map(|flight| flight.until);
        let wants = is_joined
            && self.flight.is_none()
            && (self.once_more.is_some() || !self.waiting.is_empty());
        let send = wants.then_some(self.pause_until);
        typing.into_iter().chain(flight).chain(send).min()
    }

    fn is_typing(&self, stage: &Stage) -> bool {
        self.left > 0 && self.waiting.len() < WAITING && !stage.is_ending
    }
}
