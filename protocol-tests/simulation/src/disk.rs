//! The simulated disk: one file, whose unflushed writes are dropped, kept or torn when the power goes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chaos::rng::Rng;

/// What is written or lost as a whole.
const SECTOR: usize = 64;

/// A disk that outlives processes. Clones are the same disk.
#[derive(Clone)]
pub struct Disk(Arc<Mutex<State>>);

struct State {
    /// What processes read: with all that was written.
    cached: Vec<u8>,
    /// What is there after a power loss at the least.
    flushed: Vec<u8>,
    /// Written and not flushed: where, and how much.
    unflushed: Vec<(usize, usize)>,
    /// No write works until this is taken back.
    is_full: bool,
    /// So many operations from now on are done, and the process dies in the next.
    dies_after: Option<u32>,
    is_dead: bool,
    /// Says that it has flushed, and does nothing.
    lies: bool,
}

/// Why an operation was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    Full,
    /// The process died in this operation; what it did is done or not.
    Died,
}

impl Disk {
    pub fn new(lies: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            cached: Vec::new(),
            flushed: Vec::new(),
            unflushed: Vec::new(),
            is_full: false,
            dies_after: None,
            is_dead: false,
            lies,
        })))
    }

    pub fn read(&self) -> Vec<u8> {
        self.lock().cached.clone()
    }

    pub fn write(&self, at: usize, bytes: &[u8]) -> Result<(), DiskError> {
        let mut state = self.lock();
        let dies = state.count_down()?;
        // A full disk takes what still fits, and who dies has written a part.
        let part = if dies || state.is_full {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        let end = at + part;
        if state.cached.len() < end {
            state.cached.resize(end, 0);
        }
        state.cached[at..end].copy_from_slice(&bytes[..part]);
        state.unflushed.push((at, part));
        match (dies, state.is_full) {
            (true, _) => Err(DiskError::Died),
            (_, true) => Err(DiskError::Full),
            _ => Ok(()),
        }
    }

    pub fn flush(&self) -> Result<(), DiskError> {
        let mut state = self.lock();
        if state.count_down()? {
            return Err(DiskError::Died);
        }
        if !state.lies {
            let State {
                cached,
                flushed,
                unflushed,
                ..
            } = &mut *state;
            flushed.resize(cached.len(), 0);
            for (at, len) in unflushed.drain(..) {
                flushed[at..at + len].copy_from_slice(&cached[at..at + len]);
            }
        }
        Ok(())
    }

    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// The process is to die in an operation, after so many others.
    pub fn die_after(&self, operations: u32) {
        self.lock().dies_after = Some(operations);
    }

    /// What is certain to be there.
    pub fn flushed(&self) -> Vec<u8> {
        self.lock().flushed.clone()
    }

    /// Puts another file in the place of this one.
    pub fn replace(&self, file: &[u8]) {
        let mut state = self.lock();
        state.cached = file.to_vec();
        state.flushed = file.to_vec();
        state.unflushed.clear();
    }

    /// Nothing is planned any more.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.is_full = false;
        state.dies_after = None;
    }

    /// Whether something was written and not flushed, on a disk that does what it says.
    pub fn is_unflushed(&self) -> bool {
        let state = self.lock();
        !state.lies && !state.unflushed.is_empty()
    }

    /// Whether the process has died in an operation.
    pub fn has_killed(&self) -> bool {
        self.lock().is_dead
    }

    /// A new process begins. What the last one had written is still in the system's cache.
    pub fn restart(&self) {
        let mut state = self.lock();
        state.is_dead = false;
        state.dies_after = None;
    }

    /// The power goes: each sector that was not flushed is on the disk, or is not, or is neither.
    pub fn lose_power(&self, rng: &mut Rng) {
        let mut state = self.lock();
        let mut left = state.flushed.clone();
        for (at, len) in std::mem::take(&mut state.unflushed) {
            let mut from = at;
            while from < at + len {
                let to = (from - from % SECTOR + SECTOR).min(at + len);
                if left.len() < to {
                    left.resize(to, 0);
                }
                match rng.within(0..10) {
                    0..5 => left[from..to].copy_from_slice(&state.cached[from..to]),
                    5 => left[from..to].fill(0xa5),
                    _ => {}
                }
                from = to;
            }
        }
        state.flushed = left.clone();
        state.cached = left;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Says whether the process dies in this operation; an error if it is dead.
    fn count_down(&mut self) -> Result<bool, DiskError> {
        if self.is_dead {
            return Err(DiskError::Died);
        }
        match &mut self.dies_after {
            Some(0) => {
                self.is_dead = true;
                Ok(true)
            }
            Some(left) => {
                *left -= 1;
                Ok(false)
            }
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_flushed_survives_and_the_rest_may_not() {
        let mut lost = 0;
        for seed in 0..50 {
            let disk = Disk::new(false);
            assert_eq!(disk.write(0, &[1; 100]), Ok(()));
            assert_eq!(disk.flush(), Ok(()));
            assert_eq!(disk.write(100, &[2; 300]), Ok(()));
            disk.lose_power(&mut Rng::of(seed, "disk"));
            let left = disk.read();
            assert_eq!(left[..100], [1; 100]);
            lost += u32::from(left.get(100..) != Some(&[2; 300]));
        }
        assert!((1..=50).contains(&lost), "{lost}");
    }

    #[test]
    fn a_process_that_dies_in_a_write_leaves_a_part_of_it() {
        let disk = Disk::new(false);
        disk.die_after(1);
        assert_eq!(disk.write(0, &[1; 8]), Ok(()));
        assert_eq!(disk.write(8, &[2; 8]), Err(DiskError::Died));
        assert_eq!(disk.flush(), Err(DiskError::Died));
        assert!(disk.has_killed());
        disk.restart();
        assert_eq!(disk.read(), [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]);
    }

    #[test]
    fn a_full_disk_takes_a_part() {
        let disk = Disk::new(false);
        disk.set_full(true);
        assert_eq!(disk.write(0, &[1; 4]), Err(DiskError::Full));
        disk.set_full(false);
        assert_eq!(disk.write(0, &[2; 4]), Ok(()));
        assert_eq!(disk.read(), [2; 4]);
    }
}
