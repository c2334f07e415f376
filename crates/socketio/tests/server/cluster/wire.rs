//! What the nodes of the test's cluster send each other: everything as bytes, as over any network.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use socketio::{
    AckError, AnswerFrom, Args,
    encode::Draft,
    rooms::{Room, Target},
    server::adapter::SocketDetails,
};

pub type NodeId = u64;

/// A message from one node to another, or to all others.
#[derive(Serialize, Deserialize)]
pub struct Envelope {
    pub from: NodeId,
    pub namespace: String,
    pub message: Message,
}

#[derive(Serialize, Deserialize)]
pub enum Message {
    Broadcast(WireEvent, WireTarget, bool),
    AddSockets(WireTarget, Vec<String>),
    DelSockets(WireTarget, Vec<String>),
    DisconnectSockets(WireTarget, bool),
    ServerSideEmit(WireEvent),
    Request(u64, Request),
    /// One of the answers to a request, and whether it is the last of this node.
    Response(u64, Response, bool),
    /// The node waits for no further response to its request.
    Cancel(u64),
}

#[derive(Serialize, Deserialize)]
pub enum Request {
    BroadcastWithAck(WireEvent, WireTarget, bool, Duration),
    FetchSockets(WireTarget),
    ListRooms,
    ServerSideEmit(WireEvent),
}

#[derive(Serialize, Deserialize)]
pub enum Response {
    Answer(WireAnswer),
    Sockets(Vec<SocketDetails>),
    Rooms(Vec<String>),
    ServerSide(Option<WireArgs>),
    End,
}

#[derive(Serialize, Deserialize)]
pub struct WireArgs(String, Vec<Vec<u8>>);

/// With the flag of whether it is worth compressing.
#[derive(Serialize, Deserialize)]
pub struct WireEvent(String, WireArgs, bool);

#[derive(Serialize, Deserialize)]
pub struct WireTarget {
    rooms: Vec<String>,
    except: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub struct WireAnswer {
    id: Option<String>,
    answer: Result<WireArgs, WireError>,
}

/// What may be wrong with an answer. That it is of another type than was asked for only shows when it is parsed.
#[derive(Serialize, Deserialize)]
enum WireError {
    Timeout,
    Disconnected,
    TooManyPending,
}

impl Envelope {
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap()
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap()
    }
}

impl From<&Args> for WireArgs {
    fn from(args: &Args) -> Self {
        let attachments = args.attachments().iter().map(|bytes| bytes.to_vec());
        Self(args.json().to_owned(), attachments.collect())
    }
}

impl WireArgs {
    pub fn to_args(&self) -> Args {
        let attachments = self.1.iter().map(|bytes| Bytes::copy_from_slice(bytes));
        Args::from_json(&self.0, attachments.collect()).unwrap()
    }
}

impl From<&Draft> for WireEvent {
    fn from(event: &Draft) -> Self {
        let (name, args) = event.to_event().unwrap();
        Self(name, (&args).into(), event.is_compressed())
    }
}

impl WireEvent {
    pub fn to_draft(&self) -> Draft {
        let draft = Draft::event(&self.0, &self.1.to_args()).unwrap();
        draft.compress(self.2)
    }

    pub fn to_parts(&self) -> (&str, Args) {
        (&self.0, self.1.to_args())
    }
}

pub fn names(rooms: &[Room]) -> Vec<String> {
    rooms.iter().map(|room| room.to_string()).collect()
}

pub fn rooms(names: &[String]) -> Vec<Room> {
    names.iter().map(|name| name.as_str().into()).collect()
}

impl From<&Target> for WireTarget {
    fn from(target: &Target) -> Self {
        Self {
            rooms: names(&target.rooms),
            except: names(&target.except),
        }
    }
}

impl WireTarget {
    pub fn to_target(&self) -> Target {
        Target {
            rooms: rooms(&self.rooms),
            except: rooms(&self.except),
        }
    }
}

impl From<AnswerFrom<Args>> for WireAnswer {
    fn from(from: AnswerFrom<Args>) -> Self {
        let answer = from.answer.as_ref().map(WireArgs::from);
        Self {
            id: from.id.map(|id| id.to_string()),
            answer: answer.map_err(|error| match error {
                AckError::TooManyPending => WireError::TooManyPending,
                AckError::Disconnected | AckError::Emit(_) => WireError::Disconnected,
                AckError::Timeout | AckError::Answer(_) => WireError::Timeout,
            }),
        }
    }
}

impl From<WireAnswer> for AnswerFrom<Args> {
    fn from(from: WireAnswer) -> Self {
        let answer = from.answer.map(|args| args.to_args());
        Self {
            id: from.id.map(Into::into),
            answer: answer.map_err(|error| match error {
                WireError::TooManyPending => AckError::TooManyPending,
                WireError::Disconnected => AckError::Disconnected,
                WireError::Timeout => AckError::Timeout,
            }),
        }
    }
}
