//! Which start of the machine this is: after another one, what was not flushed may be gone.

/// A name that is another one after each start, where the system gives one.
pub(super) fn id() -> Option<String> {
    // Linux. Elsewhere this path is not there.
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim_end();
    (id.len() == ID_LEN && id.is_ascii()).then(|| id.to_owned())
}

/// The length of a UUID as text.
pub(super) const ID_LEN: usize = 36;
