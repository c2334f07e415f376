//! File descriptors: as many as the system allows, and no more visitors than there are.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Kept for the database, for requests that are no session, and for those that are being refused.
const SHARE_OF_SESSIONS: (u64, u64) = (8, 10);

/// Raises the limit to the highest that is allowed without a privilege, and says how many sessions fit under it: 80 %.
pub fn max_sessions(wanted: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of file descriptors stays as it is");
    }
    sessions_within(getrlimit(Resource::Nofile).current, wanted)
}

fn sessions_within(descriptors: Option<u64>, wanted: usize) -> usize {
    let (part, whole) = SHARE_OF_SESSIONS;
    let sessions = descriptors.map(|descriptors| descriptors / whole * part);
    // Without a limit there is nothing to fit under.
    sessions.map_or(wanted, |sessions| {
        wanted.min(usize::try_from(sessions).unwrap_or(wanted))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_a_fifth_of_the_descriptors() {
        assert_eq!(sessions_within(Some(1_024), 100_000), 816);
        assert_eq!(sessions_within(Some(1_000_000), 100_000), 100_000);
        assert_eq!(sessions_within(None, 100_000), 100_000);
    }
}
