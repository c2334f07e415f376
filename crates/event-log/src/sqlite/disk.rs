//! How much room is left on the disk.

use std::path::Path;

/// The bytes that may still be written where a path is, if the system says so.
#[cfg(unix)]
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Not known on this system: a full disk is then noticed only when a write fails.
#[cfg(not(unix))]
pub(super) fn free_bytes(_: &Path) -> Option<u64> {
    None
}
