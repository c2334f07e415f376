//! The file beside the database that keeps a second process out, and remembers how far the first one came.
//!
//! It is a file of its own, because closing any handle of the database file would release the locks that SQLite
//! holds on it for the whole process. The operating system releases the lock when the process ends, however it ends.
//! The file stays: to remove it would let two processes hold a lock of that name.
//!
//! Its first line is the mark. Its second is a note that the database is written without a flush for each commit, and
//! since which start of the machine: it stands while that is so. Both are flushed before the first commit.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::boot;
use crate::Epoch;

/// The lock, held as long as this lives.
pub(super) struct LockFile {
    // Held for one small write after a commit.
    file: Mutex<File>,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum LockError {
    Held,
    Failed(io::Error),
}

/// How many events a history had at least.
///
/// It is written whenever a database is opened, and after each commit. A database that has fewer events, or another name,
/// or no mark, was replaced by an older copy, or its write-ahead log was taken away, or may have been: offsets that
/// somebody may have seen are about to be given to other events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub epoch: Epoch,
    pub events: u64,
}

impl LockFile {
    /// Where the lock of a database is.
    pub fn path(database: &Path) -> PathBuf {
        super::beside(database, "-lock")
    }

    /// Takes a lock whose file is there already, if it is.
    pub fn take_existing(database: &Path) -> Result<Option<Self>, LockError> {
        match OpenOptions::new()
            .read(true)
            .write(true)
            .open(Self::path(database))
        {
            Ok(file) => Self::take(file).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LockError::Failed(error)),
        }
    }

    /// Makes the file if need be, and takes the lock.
    pub fn create(database: &Path) -> Result<Self, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Self::take(
            options
                .open(Self::path(database))
                .map_err(LockError::Failed)?,
        )
    }

    fn take(file: File) -> Result<Self, LockError> {
        match file.try_lock() {
            Ok(()) => Ok(Self {
                file: Mutex::new(file),
            }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(LockError::Failed(error)),
        }
    }

    /// What was remembered last, if it can be read.
    pub fn mark(&self) -> Option<Mark> {
        let text = self.text()?;
        let (epoch, events) = text.lines().next()?.split_once(' ')?;
        Some(Mark {
            epoch: Epoch::parse(epoch)?,
            events: events.parse().ok()?,
        })
    }

    /// Whether commits were not flushed, and the machine has started anew since then.
    pub fn may_have_lost(&self, boot: Option<&str>) -> bool {
        let text = self.text().unwrap_or_default();
        let note = text.get(MARK_LEN..).unwrap_or_default();
        let since = note.trim_end().strip_prefix(UNFLUSHED);
        since.is_some_and(|since| Some(since) != boot)
    }

    /// Notes that commits are not flushed from now on. Of use only where starts can be told apart, and when it is
    /// [flushed](Self::flush).
    pub fn note_unflushed(&self, boot: Option<&str>) -> io::Result<()> {
        let Some(boot) = boot else { return Ok(()) };
        self.write_note(&format!("{UNFLUSHED}{boot}"))
    }

    /// Brings what is written here to the disk.
    pub fn flush(&self, database: &Path) -> io::Result<()> {
        self.file().sync_all()?;
        // And its name in the folder, should it be new.
        if cfg!(unix) {
            File::open(database.parent().unwrap_or(database))?.sync_all()?;
        }
        Ok(())
    }

    /// Takes the note back. Call it when everything is flushed. It need not be flushed itself: a note too many costs
    /// the readers a new beginning, and nothing else.
    pub fn all_is_flushed(&self) -> io::Result<()> {
        self.write_note("")
    }

    fn write_note(&self, note: &str) -> io::Result<()> {
        let mut file = self.file();
        if file.metadata()?.len() < MARK_LEN as u64 {
            let blank = format!("{:1$}\n", "", MARK_LEN - 1);
            file.seek(SeekFrom::Start(0))?;
            file.write_all(blank.as_bytes())?;
        }
        file.seek(SeekFrom::Start(MARK_LEN as u64))?;
        file.write_all(format!("{note:0$}\n", NOTE_LEN - 1).as_bytes())
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Both lines. Where the power went before the second was flushed, that may be anything, and the first is as good.
    fn text(&self) -> Option<String> {
        let mut file = self.file();
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        let length = MARK_LEN + NOTE_LEN;
        let read = Read::by_ref(&mut *file)
            .take(length as u64)
            .read_to_end(&mut bytes);
        read.ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Remembers how far a history has come. Not forced to the disk: that would be a second flush for each commit.
    pub fn remember(&self, mark: Mark) -> io::Result<()> {
        let mut file = self.file();
        // Always of the same length, so that nothing of an older mark is left behind it.
        let text = format!("{} {:020}\n", mark.epoch, mark.events);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    }
}

const UNFLUSHED: &str = "unflushed since start ";

/// The lengths of the two lines: an epoch and a number, and a note.
const MARK_LEN: usize = 20 + 1 + 20 + 1;
const NOTE_LEN: usize = UNFLUSHED.len() + boot::ID_LEN + 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_at_a_time_and_again_after_it_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        assert!(LockFile::take_existing(&database).is_ok_and(|lock| lock.is_none()));
        let lock = LockFile::create(&database).expect("free");
        assert!(matches!(
            LockFile::take_existing(&database),
            Err(LockError::Held)
        ));
        assert!(matches!(LockFile::create(&database), Err(LockError::Held)));
        drop(lock);
        assert!(LockFile::take_existing(&database).is_ok_and(|lock| lock.is_some()));
    }

    #[test]
    fn the_last_mark_is_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        let lock = LockFile::create(&database).expect("free");
        assert_eq!(lock.mark(), None);
        for events in [u64::MAX, 7] {
            let mark = Mark {
                epoch: Epoch::from_random([3; 15]),
                events,
            };
            lock.remember(mark).expect("written");
            assert_eq!(lock.mark(), Some(mark));
        }
    }

    #[test]
    fn a_note_of_unflushed_commits_stands_beside_the_mark_until_it_is_taken_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        let [one, other] = ["1", "2"].map(|digit| digit.repeat(boot::ID_LEN));
        let lock = LockFile::create(&database).expect("free");
        assert!(!lock.may_have_lost(Some(&one)));
        lock.note_unflushed(None).expect("nothing to note");
        assert!(!lock.may_have_lost(Some(&one)));
        lock.note_unflushed(Some(&one)).expect("noted");
        assert_eq!(lock.mark(), None);
        let mark = Mark {
            epoch: Epoch::from_random([3; 15]),
            events: u64::MAX,
        };
        lock.remember(mark).expect("written");
        assert!(!lock.may_have_lost(Some(&one)));
        assert!(lock.may_have_lost(Some(&other)) && lock.may_have_lost(None));
        lock.all_is_flushed().expect("taken back");
        assert!(!lock.may_have_lost(Some(&other)));
        assert_eq!(lock.mark(), Some(mark));
    }

    #[test]
    fn a_note_that_did_not_reach_the_disk_takes_no_mark_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        let lock = LockFile::create(&database).expect("free");
        let mark = Mark {
            epoch: Epoch::from_random([3; 15]),
            events: 7,
        };
        lock.remember(mark).expect("written");
        let mut file = OpenOptions::new()
            .append(true)
            .open(LockFile::path(&database));
        let file = file.as_mut().expect("the lock");
        file.write_all(&[0xb5; NOTE_LEN]).expect("written");
        assert_eq!(lock.mark(), Some(mark));
        assert!(!lock.may_have_lost(None));
    }

    #[test]
    fn a_mark_that_cannot_be_read_says_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("a.db");
        for text in [
            "",
            "x",
            "AAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAA -1",
            "\u{0}\u{0} 5",
        ] {
            std::fs::write(LockFile::path(&database), text).expect("written");
            let lock = LockFile::create(&database).expect("free");
            assert_eq!(lock.mark(), None, "{text:?}");
        }
    }
}
