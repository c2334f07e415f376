//! A client as a page is one: an outbox that repeats until it is answered, and a cursor by which it is told the rest.

mod http;
mod line;
mod outbox;
mod packet;
mod websocket;

use chaos::answer::{Answer, Contract};
use chaos::content::{content_of, key_of};
use chaos::history::{Facts, Kind, Op};
use chaos::rng::{Rng, hash};
use engineio::client_session::Event as LineEvent;
use serde_json::{Value, json};

use self::line::{Line, Way};
use self::outbox::Outbox;
use self::packet::Packet;
use crate::agenda::{Event, Ms};
use crate::network::{ConnId, Delivered};
use crate::plant::Plant;
use crate::settings::Settings;
use crate::stage::Stage;

/// The longest pause before a client connects again.
const BACK_WITHIN: Ms = 400;

/// More messages of history are not asked for at once.
const PAGE: u64 = 10;

/// A person at a page.
pub struct Client {
    index: usize,
    name: String,
    /// Its name as a reader: another one each time it has forgotten what it had read.
    reader: String,
    forgotten: u64,
    rng: Rng,
    line: Option<Line>,
    is_joined: bool,
    /// When it connects, while it has no line.
    back_at: Ms,
    restless: u64,
    /// When it may want to go.
    next_whim: Ms,
    cursor: Option<u64>,
    epoch: Option<String>,
    /// The two as it has named them to the server.
    claimed: (Option<u64>, Option<String>),
    /// By which it comes back as the same socket, and the last event it had as that.
    pid: Option<String>,
    seen: Option<String>,
    outbox: Outbox,
    /// The name of the next packet that wants an answer.
    next_id: u64,
    /// Which of them asks for history, and before which offset.
    asked: Option<(u64, u64)>,
    /// What is on the agenda already.
    called_at: Option<Ms>,
}

impl Client {
    pub fn new(index: usize, settings: &Settings, stage: &mut Stage) -> Self {
        let name = format!("c{index}");
        let mut rng = Rng::of(stage.seed, &name);
        let back_at = rng.within(0..500);
        stage.agenda.at(back_at, Event::Client(index));
        Self {
            index,
            reader: name.clone(),
            outbox: Outbox::new(&name, settings, rng.clone()),
            name,
            forgotten: 0,
            line: None,
            is_joined: false,
            back_at,
            restless: settings.restless,
            next_whim: rng.within(0..2_000),
            cursor: rng.pick(&[None, Some(0)]),
            epoch: None,
            claimed: (None, None),
            pid: None,
            seen: None,
            next_id: 0,
            asked: None,
            called_at: Some(back_at),
            rng,
        }
    }

    /// Something has arrived on one of its connections.
    pub fn receive(&mut self, id: ConnId, delivered: Delivered, stage: &mut Stage) {
        if let Some(line) = &mut self.line {
            line.receive(id, delivered, stage);
        }
        self.act(stage);
    }

    /// It has been called, as it wanted to be, or for nothing.
    pub fn call(&mut self, stage: &mut Stage) {
        if self.called_at.is_some_and(|at| at <= stage.agenda.now) {
            self.called_at = None;
        }
        let now = stage.instant();
        if let Some(line) = &mut self.line
            && line.timeout().is_some_and(|at| at <= now)
        {
            line.handle_timeout(stage);
        }
        self.act(stage);
    }

    /// Whether nothing of it is pending, and it has read this history up to here.
    pub fn is_done(&self, epoch: &str, tail: u64) -> bool {
        self.outbox.is_empty()
            && self.epoch.as_deref() == Some(epoch)
            && self.cursor.unwrap_or(0) >= tail
    }

    /// Whether a connection it counts on is cut, and it has not found out.
    pub fn is_hurt(&self, stage: &Stage) -> bool {
        self.line.as_ref().is_some_and(|line| line.is_hurt(stage))
    }

    /// The run is over for it.
    pub fn leave(&mut self, stage: &mut Stage) {
        self.outbox.give_up(stage);
        if let Some(mut line) = self.line.take() {
            line.close(stage);
            line.abandon(stage);
        }
    }

    fn act(&mut self, stage: &mut Stage) {
        self.take_events(stage);
        self.follow_whim(stage);
        if self.line.is_none() && self.back_at <= stage.agenda.now {
            let way = self.rng.pick(&Way::ALL);
            let rng = Rng::of(self.rng.draw(), "line");
            self.line = Some(Line::open(self.index, way, rng, stage));
        }
        self.outbox.act(stage);
        if self.is_joined
            && let Some((packet, id)) = self.outbox.next_packet(&mut self.next_id, stage)
        {
            self.outbox.wait_for(id, stage);
            if let Some(line) = &mut self.line {
                line.send(&packet, stage);
            }
            self.take_events(stage);
        }
        self.ask_to_be_called(stage);
    }

    /// Goes, or forgets, or asks for what was before, as it likes.
    fn follow_whim(&mut self, stage: &mut Stage) {
        if self.next_whim > stage.agenda.now {
            return;
        }
        self.next_whim = stage.agenda.now + self.rng.within(100..2_000);
        if stage.is_ending {
            return;
        }
        if self.rng.chance(self.restless) {
            self.go(stage);
        } else if self.is_joined && self.asked.is_none() && self.rng.chance(100) {
            self.next_id += 1;
            let before = self.rng.within(0..self.cursor.unwrap_or(0) + 3);
            self.asked = Some((self.next_id, before));
            let arguments = json!(["history", before, self.rng.within(0..PAGE)]);
            if let Some(line) = &mut self.line {
                line.send(&packet::event(self.next_id, &arguments), stage);
            }
        }
    }

    /// Leaves in a hurry or with a word, and perhaps without what it had read.
    fn go(&mut self, stage: &mut Stage) {
        let Some(mut line) = self.line.take() else {
            return;
        };
        if self.rng.chance(500) {
            stage.record.count("leave");
            line.close(stage);
        } else {
            stage.record.count("reload");
        }
        line.abandon(stage);
        self.lost_line(stage);
        (self.pid, self.seen) = (None, None);
        if self.rng.chance(200) {
            stage.record.count("cursor forgotten");
            let facts = Facts::what("forgets");
            stage.note(&self.reader, Op::Subscribe, Kind::Info, None, facts);
            self.forgotten += 1;
            self.reader = format!("{}.{}", self.name, self.forgotten);
            self.cursor = self.rng.pick(&[None, Some(0)]);
            self.epoch = None;
        }
    }

    fn lost_line(&mut self, stage: &mut Stage) {
        self.is_joined = false;
        self.asked = None;
        self.back_at = stage.agenda.now + self.rng.within(1..BACK_WITHIN);
        self.outbox.line_lost(stage);
    }

    fn take_events(&mut self, stage: &mut Stage) {
        while let Some(event) = self.line.as_mut().and_then(Line::next_event) {
            match event {
                LineEvent::Opened => {
                    let auth = self.auth(stage);
                    self.claimed = (self.cursor, self.epoch.clone());
                    if let Some(line) = &mut self.line {
                        line.send(&packet::connect(&auth), stage);
                    }
                }
                LineEvent::Message(message) => {
                    let text = line::text_of(message);
                    let packet = text.and_then(|text| Packet::read(&text));
                    match packet {
                        Some(packet) => self.take(packet, stage),
                        None => stage
                            .record
                            .wrong
                            .push(format!("{} was sent what it cannot read", self.name)),
                    }
                }
                LineEvent::Upgraded => stage.record.count("upgrade"),
                LineEvent::Closed { .. } => {
                    self.line = None;
                    self.lost_line(stage);
                }
            }
        }
    }

    fn auth(&self, stage: &Stage) -> Value {
        let mut auth = json!({"clientId": format!("sim-{:016x}-{}", stage.seed, self.name)});
        if let Some(cursor) = self.cursor {
            auth["serverOffset"] = cursor.into();
        }
        if let Some(epoch) = &self.epoch {
            auth["epoch"] = epoch.as_str().into();
        }
        if let Some(pid) = &self.pid {
            auth["pid"] = pid.as_str().into();
            auth["offset"] = self.seen.as_deref().into();
        }
        auth
    }

    fn take(&mut self, packet: Packet, stage: &mut Stage) {
        match packet {
            Packet::Connected(pid) => {
                if pid.is_some() && pid == self.pid {
                    stage.record.count("recovered");
                } else {
                    (self.pid, self.seen) = (pid, None);
                }
                self.is_joined = true;
                self.outbox.joined();
                let facts = Facts {
                    offset: self.claimed.0,
                    epoch: self.claimed.1.clone(),
                    ..Facts::default()
                };
                stage.note(&self.reader, Op::Subscribe, Kind::Ok, None, facts);
            }
            Packet::Refused(why) => stage
                .record
                .wrong
                .push(format!("{} was refused: {why}", self.name)),
            Packet::Disconnected => {
                if let Some(line) = &mut self.line {
                    line.close(stage);
                }
            }
            Packet::Event(arguments) => self.take_event(&arguments, stage),
            Packet::Answer(id, arguments) => match self.asked {
                Some((asked, before)) if asked == id => {
                    self.asked = None;
                    self.check_page(before, &arguments, stage);
                }
                _ => self
                    .outbox
                    .answered(id, &Answer::read(Contract::Chat, &arguments), stage),
            },
        }
    }

    fn take_event(&mut self, arguments: &[Value], stage: &mut Stage) {
        let name = arguments.first().and_then(Value::as_str);
        if let (Some(_), [_, .., Value::String(seen)]) = (&self.pid, arguments) {
            self.seen = Some(seen.clone());
        }
        match (name, arguments) {
            (Some("chat message"), [_, Value::String(content), offset, ..]) => {
                let offset = offset.as_u64().unwrap_or(0);
                let facts = Facts {
                    hash: Some(hash(content.as_bytes())),
                    ..Facts::offset(offset)
                };
                let key = Some(key_of(content));
                stage.note(&self.reader, Op::Receive, Kind::Ok, key, facts);
                if self.cursor.is_none_or(|cursor| offset == cursor + 1) {
                    self.cursor = Some(offset);
                }
            }
            (Some("epoch"), [_, Value::String(epoch), last, ..]) => {
                if self.epoch.as_ref() != Some(epoch) {
                    let facts = Facts {
                        epoch: Some(epoch.clone()),
                        ..Facts::default()
                    };
                    stage.note(&self.reader, Op::Epoch, Kind::Info, None, facts);
                    // Whoever is cut off before the rest comes again with nothing.
                    if self.epoch.replace(epoch.clone()).is_some() {
                        self.cursor = None;
                    }
                }
                if stage.plant == Some(Plant::CursorJumps) && self.cursor.is_some() {
                    self.cursor = last.as_u64();
                }
            }
            (Some("resync"), _) if stage.plant == Some(Plant::SilentResync) => {}
            (Some("resync"), [_, notice, ..]) => {
                stage.record.count("resync");
                let number = |name| notice.get(name).and_then(Value::as_u64);
                let epoch = notice.get("epoch").and_then(Value::as_str);
                let facts = Facts {
                    epoch: epoch.map(str::to_owned),
                    first: number("first"),
                    offset: number("last"),
                    ..Facts::default()
                };
                stage.note(&self.reader, Op::Resync, Kind::Info, None, facts);
                self.cursor = None;
            }
            _ => stage
                .record
                .wrong
                .push(format!("{} was told {arguments:?}", self.name)),
        }
    }

    /// What came before: in order, without a hole, each as it was said.
    fn check_page(&self, before: u64, arguments: &[Value], stage: &mut Stage) {
        let Some(page) = arguments.first() else {
            return;
        };
        let Some(messages) = page.get("messages").and_then(Value::as_array) else {
            // That the store cannot be read is said, and is no page.
            return;
        };
        let mut expected = None;
        for message in messages {
            let content = message.get(0).and_then(Value::as_str).unwrap_or_default();
            let offset = message.get(1).and_then(Value::as_u64).unwrap_or(0);
            let is_said = content == content_of(stage.seed, key_of(content));
            if !is_said || offset >= before || expected.is_some_and(|next| next != offset) {
                let what = format!(
                    "{} was given {offset} as history before {before}",
                    self.name
                );
                stage.record.wrong.push(what);
            }
            expected = Some(offset + 1);
        }
        stage.record.count("page of history");
    }

    /// Sees to it that it is called in time.
    fn ask_to_be_called(&mut self, stage: &mut Stage) {
        let line = self.line.as_ref().and_then(Line::timeout);
        let line = line.map(|at| {
            let passed = at.saturating_duration_since(stage.began).as_micros();
            Ms::try_from(passed.div_ceil(1_000)).unwrap_or(Ms::MAX)
        });
        let back = self.line.is_none().then_some(self.back_at);
        let whim = (!stage.is_ending).then_some(self.next_whim);
        let times = [
            line,
            back,
            whim,
            self.outbox.next_time(self.is_joined, stage),
        ];
        let Some(next) = times.into_iter().flatten().min() else {
            return;
        };
        let next = next.max(stage.agenda.now + 1);
        if self.called_at.is_none_or(|at| at > next) {
            self.called_at = Some(next);
            stage.agenda.at(next, Event::Client(self.index));
        }
    }
}
