//! The record of a run: what was done to the files of its folder, in order, as recorder.c writes it.

use std::collections::HashMap;

/// The file in which the recorded program notes what it was answered. It is part of no disk.
pub const ANSWERS: &str = "answers";

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A file came to be.
    Create { name: String, inode: u64 },
    /// Bytes were written.
    Write {
        inode: u64,
        offset: usize,
        bytes: Vec<u8>,
    },
    /// A file was cut, or made longer with zeroes.
    Truncate { inode: u64, length: usize },
    /// What a file held became durable.
    Sync { inode: u64 },
    /// The names in the folder became durable.
    SyncFolder,
    /// A name was taken away.
    Unlink { name: String },
    /// A file got another name.
    Rename { from: String, to: String },
    /// The program was answered: a line of [`ANSWERS`].
    Answered { line: String },
}

/// Reads a record. One that ends in the middle of an entry is that of a process that was killed.
pub fn parse(mut record: &[u8]) -> Result<Vec<Operation>, String> {
    let mut operations = Vec::new();
    let mut names: HashMap<u64, String> = HashMap::new();
    while let Some(entry) = Entry::take(&mut record)? {
        let operation = entry.operation()?;
        match operation {
            Operation::Create { name, inode } => {
                names.insert(inode, name.clone());
                if name != ANSWERS {
                    operations.push(Operation::Create { name, inode });
                }
            }
            Operation::Write { inode, bytes, .. } if is_answers(&names, inode) => {
                let lines = text(&bytes)?;
                let lines = lines.lines().map(str::to_owned);
                operations.extend(lines.map(|line| Operation::Answered { line }));
            }
            Operation::Truncate { inode, .. } | Operation::Sync { inode }
                if is_answers(&names, inode) => {}
            other => operations.push(other),
        }
    }
    Ok(operations)
}

fn is_answers(names: &HashMap<u64, String>, inode: u64) -> bool {
    names.get(&inode).is_some_and(|name| name == ANSWERS)
}

/// `struct entry` of recorder.c, with what follows it.
struct Entry<'a> {
    kind: u8,
    inode: u64,
    offset: usize,
    name: &'a [u8],
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    fn take(record: &mut &'a [u8]) -> Result<Option<Self>, String> {
        let (Some(kind), Some(name_length), Some(inode), Some(offset), Some(data_length)) = (
            number(record, 0, 4),
            number(record, 4, 4),
            number(record, 8, 8),
            number(record, 16, 8),
            number(record, 24, 8),
        ) else {
            return Ok(None);
        };
        let size = |number: u64| usize::try_from(number).map_err(|error| error.to_string());
        let name_end = size(name_length)?.saturating_add(HEADER_LEN);
        let end = size(data_length)?.saturating_add(name_end);
        if record.len() < end {
            return Ok(None);
        }
        let entry = Self {
            kind: u8::try_from(kind).map_err(|_| format!("the kind of an entry is {kind}"))?,
            inode,
            offset: size(offset)?,
            name: &record[HEADER_LEN..name_end],
            data: &record[name_end..end],
        };
        *record = &record[end..];
        Ok(Some(entry))
    }

    fn operation(&self) -> Result<Operation, String> {
        let inode = self.inode;
        Ok(match self.kind {
            b'c' => Operation::Create {
                name: text(self.name)?,
                inode,
            },
            b'w' => Operation::Write {
                inode,
                offset: self.offset,
                bytes: self.data.to_vec(),
            },
            b't' => Operation::Truncate {
                inode,
                length: self.offset,
            },
            b's' => Operation::Sync { inode },
            b'd' => Operation::SyncFolder,
            b'u' => Operation::Unlink {
                name: text(self.name)?,
            },
            b'r' => Operation::Rename {
                from: text(self.name)?,
                to: text(self.data)?,
            },
            other => return Err(format!("the kind of an entry is {other}")),
        })
    }
}

/// The record was written on this machine, so its numbers have this machine's order of bytes.
fn number(record: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = record.get(at..at + length)?;
    Some(match length {
        4 => u32::from_ne_bytes(bytes.try_into().ok()?).into(),
        _ => u64::from_ne_bytes(bytes.try_into().ok()?),
    })
}

fn text(bytes: &[u8]) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())
}

const HEADER_LEN: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, inode: u64, offset: u64, name: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = u32::from(kind).to_ne_bytes().to_vec();
        bytes.extend((name.len() as u32).to_ne_bytes());
        bytes.extend(inode.to_ne_bytes());
        bytes.extend(offset.to_ne_bytes());
        bytes.extend((data.len() as u64).to_ne_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn entries_are_read_in_order_up_to_a_torn_one() {
        let mut record = [
            entry(b'c', 7, 0, "a", b""),
            entry(b'w', 7, 3, "", b"xyz"),
            entry(b't', 7, 4, "", b""),
            entry(b's', 7, 0, "", b""),
            entry(b'r', 0, 0, "a", b"b"),
            entry(b'd', u64::MAX, 0, "", b""),
            entry(b'u', 0, 0, "b", b""),
        ]
        .concat();
        let operations = vec![
            Operation::Create {
                name: "a".to_owned(),
                inode: 7,
            },
            Operation::Write {
                inode: 7,
                offset: 3,
                bytes: b"xyz".to_vec(),
            },
            Operation::Truncate {
                inode: 7,
                length: 4,
            },
            Operation::Sync { inode: 7 },
            Operation::Rename {
                from: "a".to_owned(),
                to: "b".to_owned(),
            },
            Operation::SyncFolder,
            Operation::Unlink {
                name: "b".to_owned(),
            },
        ];
        assert_eq!(parse(&record), Ok(operations.clone()));
        let torn = entry(b'w', 7, 3, "", b"xyz");
        record.extend(&torn[..torn.len() - 1]);
        assert_eq!(parse(&record), Ok(operations));
    }

    #[test]
    fn answers_are_told_from_what_the_disk_holds() {
        let record = [
            entry(b'c', 1, 0, ANSWERS, b""),
            entry(b'w', 1, 0, "", b"one\ntwo\n"),
            entry(b'c', 1, 0, "log.db", b""),
            entry(b's', 1, 0, "", b""),
        ]
        .concat();
        let line = |line: &str| Operation::Answered {
            line: line.to_owned(),
        };
        let create = Operation::Create {
            name: "log.db".to_owned(),
            inode: 1,
        };
        let expected = vec![
            line("one"),
            line("two"),
            create,
            Operation::Sync { inode: 1 },
        ];
        assert_eq!(parse(&record), Ok(expected));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        assert!(parse(&entry(b'?', 1, 0, "", b"")).is_err());
        assert_eq!(parse(b""), Ok(Vec::new()));
    }
}
