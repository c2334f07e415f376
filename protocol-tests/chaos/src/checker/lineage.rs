//! What was forgotten or undone on purpose: where each epoch branched off, and how much has to be kept.
//!
//! An offset alone says little when the database was set back: 120 of the old epoch and 120 of the new one are two
//! messages, and 80 of both is one if the backup went up to 100. A [`Slot`] is what they have in common.

use std::collections::HashMap;

use crate::history::{Entry, Kind, Op};

/// A place in the history that holds one message at most: the epoch in which it was given out, and the offset.
/// The epoch of the beginning has no name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot<'a> {
    pub epoch: &'a str,
    pub offset: u64,
}

/// What has become of a slot in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Kept,
    /// By the retention.
    Forgotten,
    /// The database was set back to before it.
    Undone,
}

/// The epochs of a history, and how much of the last one is there.
#[derive(Debug, Default)]
pub struct Lineage<'a> {
    /// For each epoch but the first: the one before it, and up to where they are the same.
    parents: HashMap<&'a str, (&'a str, u64)>,
    /// The epoch of the rows.
    pub last: Option<&'a str>,
    /// How many of the newest messages have to be kept; all if there is no retention.
    pub keep: Option<u64>,
    /// The oldest offset that is stored.
    pub first: u64,
}

impl<'a> Lineage<'a> {
    pub fn take(&mut self, entry: &'a Entry, before: &mut Option<(&'a str, u64)>) {
        let (epoch, offset) = (entry.value.epoch.as_deref(), entry.value.offset);
        match (entry.op, entry.kind) {
            (Op::Keep, _) => self.keep = offset,
            (Op::Restore, Kind::Invoke) => *before = epoch.zip(offset),
            (Op::Restore, Kind::Ok) => {
                // A name that was there before would lead round in a circle.
                if let (Some(epoch), Some((parent, offset))) = (epoch, before.take())
                    && parent != epoch
                    && !self.parents.contains_key(epoch)
                    && !self.parents.values().any(|(known, _)| *known == epoch)
                {
                    self.parents.insert(epoch, (parent, offset));
                }
            }
            _ => {}
        }
    }

    /// Whether everything that was ever stored has to be there.
    pub fn keeps_everything(&self) -> bool {
        self.keep.is_none() && self.parents.is_empty()
    }

    /// Whether an epoch is one that began when the database was set back.
    pub fn has_begun(&self, epoch: &str) -> bool {
        self.parents.contains_key(epoch)
    }

    /// Where a message stands that has this offset in this epoch.
    pub fn slot(&self, epoch: Option<&'a str>, offset: u64) -> Slot<'a> {
        let mut epoch = epoch.unwrap_or_default();
        while let Some((parent, up_to)) = self.parents.get(epoch) {
            if offset > *up_to {
                return Slot { epoch, offset };
            }
            epoch = parent;
        }
        Slot { epoch: "", offset }
    }

    /// How many epochs came before.
    fn depth(&self, epoch: &str) -> usize {
        let parent = |epoch: &&'a str| self.parents.get(epoch).map(|(parent, _)| *parent);
        let first = self.parents.get(epoch).map(|(parent, _)| *parent);
        std::iter::successors(first, parent).count()
    }

    /// Puts slots of one message into the order in which they came to be.
    pub fn sort(&self, slots: &mut [Slot<'a>]) {
        slots.sort_by_key(|slot| (self.depth(slot.epoch), slot.offset));
    }

    /// Whether whoever is in this epoch has this slot in its past.
    fn is_in(&self, slot: Slot<'a>, epoch: Option<&'a str>) -> bool {
        self.slot(epoch, slot.offset) == slot
    }

    pub fn fate(&self, slot: Slot<'a>) -> Fate {
        if !self.is_in(slot, self.last) {
            Fate::Undone
        } else if self.keep.is_some() && slot.offset < self.first {
            Fate::Forgotten
        } else {
            Fate::Kept
        }
    }

    /// Whether a message that stood in one slot may come to stand in a later one too: it was undone, or forgotten.
    pub fn may_follow(&self, earlier: Slot<'a>, later: Slot<'a>) -> bool {
        let before = later.offset.saturating_sub(1);
        !self.is_in(earlier, Some(later.epoch)) || self.may_forget(earlier.offset, before)
    }

    /// Whether an offset may be gone when the last one is this.
    pub fn may_forget(&self, offset: u64, last: u64) -> bool {
        self.keep
            .is_some_and(|keep| last.saturating_sub(offset) >= keep)
    }
}
