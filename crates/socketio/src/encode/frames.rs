//! Packets that are finished: of any kind, and events of a namespace that are kept to be sent again.

use std::sync::Arc;

use engineio::Frame;
use serde::Serialize;

use super::Draft;
use crate::{error::EncodeError, parser::Parser, rooms::Room};

/// One packet, ready for the wire: by default its text, then its attachments. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frames(Repr);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Repr {
    One(Frame),
    Several(Arc<[Frame]>),
}

impl Frames {
    /// The frames in order.
    pub fn as_slice(&self) -> &[Frame] {
        match &self.0 {
            Repr::One(frame) => std::slice::from_ref(frame),
            Repr::Several(frames) => frames,
        }
    }

    /// The frame, if there is only one.
    ///
    /// # Errors
    ///
    /// The frames themselves, if there are several.
    pub fn into_one(self) -> Result<Frame, Self> {
        match self.0 {
            Repr::One(frame) => Ok(frame),
            several @ Repr::Several(_) => Err(Self(several)),
        }
    }

    /// The bytes of all frames.
    pub fn byte_len(&self) -> usize {
        let len = |frame: &Frame| match frame {
            Frame::Text(bytes) | Frame::Binary(bytes) => bytes.len(),
        };
        self.as_slice().iter().map(len).sum()
    }
}

/// One packet for one client, whose frames are to be moved and not shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnFrames {
    /// A text alone.
    One(Frame),
    /// A text and its attachments.
    Several(Vec<Frame>),
    /// What a parser of one's own has written.
    Shared(Frames),
}

impl From<Frame> for Frames {
    fn from(frame: Frame) -> Self {
        Self(Repr::One(frame))
    }
}

impl FromIterator<Frame> for Frames {
    fn from_iter<I: IntoIterator<Item = Frame>>(frames: I) -> Self {
        Self(Repr::Several(frames.into_iter().collect()))
    }
}

/// An event without ack, ready for any socket of one namespace. Cheap to clone, and small enough to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPacket {
    frames: Frames,
    namespace: Room,
}

impl EventPacket {
    /// Encodes an event for a namespace, by this parser or by the default one. Where clients may be recovered it should
    /// be [`without_offset`](Self::without_offset).
    pub fn new<A: Serialize>(
        parser: Option<&dyn Parser>,
        namespace: impl Into<Arc<str>>,
        event: &str,
        args: &A,
    ) -> Result<Self, EncodeError> {
        let namespace = namespace.into();
        let frames = Draft::event(event, args)?.write(parser, &namespace, None);
        Ok(Self { frames, namespace })
    }

    /// Encodes an event for a namespace whose clients may be recovered: one that would end in a string ends with `null`
    /// instead, so that no client takes it for an [offset](crate::recovery::Offset).
    pub fn without_offset<A: Serialize>(
        parser: Option<&dyn Parser>,
        namespace: impl Into<Arc<str>>,
        event: &str,
        args: &A,
    ) -> Result<Self, EncodeError> {
        let namespace = namespace.into();
        let draft = Draft::event(event, args)?;
        let end: &[u8] = if draft.ends_in_string() {
            b",null]"
        } else {
            b"]"
        };
        let frames = draft.write_ended(parser, &namespace, None, end);
        Ok(Self { frames, namespace })
    }

    /// The frames on the wire.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// The bytes of all frames.
    pub fn byte_len(&self) -> usize {
        self.frames.byte_len()
    }

    /// Whether the packet was made for this namespace.
    pub fn is_for(&self, namespace: &str) -> bool {
        *self.namespace == *namespace
    }
}
