//! A folder on a disk: what is certain to be there after a loss of power, and what is only on its way.
//!
//! Nothing here touches a real disk. The rules are the weakest that SQLite is written for: a flush of a file makes its
//! bytes and its length durable, a flush of the folder the names in it; whatever was not flushed may be there or not,
//! each sector for itself and in no order; and the sectors that a write does not touch keep what they hold.

use std::collections::{BTreeMap, HashMap};

use crate::loss::{Fate, Loss};
use crate::record::Operation;

/// What a disk writes as a whole.
pub const SECTOR: usize = 512;

/// The files of a folder after a loss of power, by name.
pub type Remains = BTreeMap<String, Vec<u8>>;

/// The folder at one moment of a record.
#[derive(Debug, Default, Clone)]
pub struct Disk {
    files: Vec<File>,
    by_inode: HashMap<u64, FileId>,
    /// The names as the running system sees them.
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    changed_names: Vec<NameChange>,
    /// A disk that says it has flushed and has not.
    lies: bool,
}

type FileId = usize;

#[derive(Debug, Default, Clone)]
struct File {
    durable: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, FileId),
    Remove(String),
    Rename(String, String, FileId),
}

impl Disk {
    /// An empty folder.
    pub fn new(lies: bool) -> Self {
        Self {
            lies,
            ..Self::default()
        }
    }

    /// A folder with these files in it, all of it certain: what is found when the power comes back.
    pub fn found(lies: bool, remains: &Remains, inode: impl Fn(&str) -> u64) -> Self {
        let mut disk = Self::new(lies);
        for (id, (name, bytes)) in remains.iter().enumerate() {
            disk.by_inode.insert(inode(name), id);
            disk.names.insert(name.clone(), id);
            disk.files.push(File {
                durable: bytes.clone(),
                changes: Vec::new(),
            });
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    /// The same folder, in which the files are now these inodes. What was on its way to the disk still is.
    pub fn moved(&self, inode: impl Fn(&str) -> u64) -> Self {
        let names = self.names.iter();
        let by_inode = names.map(|(name, file)| (inode(name), *file)).collect();
        Self {
            by_inode,
            ..self.clone()
        }
    }

    /// Moves on by one operation.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Create { name, inode } => {
                self.by_inode.insert(*inode, self.files.len());
                self.change_name(NameChange::Set(name.clone(), self.files.len()));
                self.files.push(File::default());
            }
            Operation::Write {
                inode,
                offset,
                bytes,
            } => self.file(*inode)?.changes.push(Change::Write {
                offset: *offset,
                bytes: bytes.clone(),
            }),
            Operation::Truncate { inode, length } => self
                .file(*inode)?
                .changes
                .push(Change::Truncate { length: *length }),
            Operation::Sync { .. } | Operation::SyncFolder if self.lies => {}
            Operation::Sync { inode } => self.file(*inode)?.sync(),
            Operation::SyncFolder => {
                for change in self.changed_names.drain(..) {
                    change.apply(&mut self.durable_names);
                }
            }
            Operation::Unlink { name } => self.change_name(NameChange::Remove(name.clone())),
            Operation::Rename { from, to } => {
                let unknown = || format!("{from} is renamed and was never made");
                let file = *self.names.get(from).ok_or_else(unknown)?;
                self.change_name(NameChange::Rename(from.clone(), to.clone(), file));
            }
            Operation::Answered { .. } => {}
        }
        Ok(())
    }

    /// What is there when the power comes back.
    pub fn after(&self, loss: &mut Loss) -> Remains {
        let mut names = self.durable_names.clone();
        loss.begin("the folder");
        for change in &self.changed_names {
            if loss.name_is_kept() {
                change.apply(&mut names);
            }
        }
        let files = names.into_iter().map(|(name, file)| {
            loss.begin(&name);
            // Written through a map of the memory, which is not in the record; any content is possible.
            let bytes = if name.ends_with("-shm") {
                loss.rubbish(32 << 10)
            } else {
                self.files[file].after(loss)
            };
            (name, bytes)
        });
        files.collect()
    }

    fn file(&mut self, inode: u64) -> Result<&mut File, String> {
        let file = self.by_inode.get(&inode);
        let file = file.ok_or_else(|| format!("inode {inode} is written and was never made"))?;
        Ok(&mut self.files[*file])
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.changed_names.push(change);
    }
}

impl File {
    fn sync(&mut self) {
        for change in self.changes.drain(..) {
            match change {
                Change::Write { offset, bytes } => overwrite(&mut self.durable, offset, &bytes),
                Change::Truncate { length } => self.durable.resize(length, 0),
            }
        }
    }

    fn after(&self, loss: &mut Loss) -> Vec<u8> {
        let mut content = self.durable.clone();
        for (change, left) in self.changes.iter().zip((0..self.changes.len()).rev()) {
            let fate = loss.fate(left == 0);
            match change {
                Change::Truncate { length } => {
                    if fate == Fate::Kept {
                        content.resize(*length, 0);
                    }
                }
                Change::Write { offset, bytes } => match fate {
                    Fate::Kept => overwrite(&mut content, *offset, bytes),
                    Fate::Dropped => {}
                    Fate::Torn => tear(&mut content, *offset, bytes, loss),
                },
            }
        }
        content
    }
}

/// Writes some sectors of a write and not the others; the length may get there before the bytes do.
fn tear(content: &mut Vec<u8>, offset: usize, bytes: &[u8], loss: &mut Loss) {
    let end = offset + bytes.len();
    if content.len() < end && loss.length_is_kept() {
        let old = content.len();
        content.resize(end, 0);
        loss.fill(&mut content[old..]);
    }
    let mut at = offset;
    while at < end {
        let sector_end = ((at / SECTOR + 1) * SECTOR).min(end);
        if loss.sector_is_kept() {
            overwrite(content, at, &bytes[at - offset..sector_end - offset]);
        }
        at = sector_end;
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Set(name, file) => {
                names.insert(name.clone(), *file);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Rename(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

#[cfg(test)]
mod tests;
