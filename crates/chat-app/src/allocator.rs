//! The allocator: one that gives memory back to the system by itself, within seconds after many visitors have left.
//!
//! The C library's keeps nearly all of it, for as long as anything lives behind it in the same arena. Libraries leave the
//! choice to the program, which is why it is made here.

use tikv_jemalloc_ctl::{Access, AsName, Error};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// For how long memory that nobody uses is kept for whoever wants some next, in milliseconds. A thread of the
/// allocator's then gives it back.
const KEPT_MS: isize = 1_000;

/// Keeps unused memory for so long, and not for ten times as long. To be called before there are threads, since the
/// arenas of each begin with what holds then.
pub fn set_up() -> Result<(), Error> {
    for arenas in ["arenas.dirty_decay_ms\0", "arena.0.dirty_decay_ms\0"] {
        arenas.name().write(KEPT_MS)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_memory_is_given_back_within_a_second_by_a_thread_of_its_own() {
        set_up().unwrap();
        for arenas in ["arenas.dirty_decay_ms\0", "arena.0.dirty_decay_ms\0"] {
            let kept: isize = arenas.name().read().unwrap();
            assert_eq!(kept, KEPT_MS, "{arenas:?}");
        }
        let has_thread: bool = "background_thread\0".name().read().unwrap();
        assert!(has_thread);
    }
}
