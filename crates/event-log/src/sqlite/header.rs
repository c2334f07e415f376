//! Tells whose database a file is from its first 100 bytes, without opening it as a database.
//!
//! This can be trusted because the two numbers it looks at are only ever written in rollback-journal mode
//! (see `migrate`), so that they never stand in a write-ahead log while the file says something older.

/// How many bytes [`inspect`] wants to see.
pub(super) const HEADER_LEN: usize = 100;

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A database of this application, with its schema version.
    Ours(u32),
    OtherApplication,
    NotADatabase,
}

/// Looks at the beginning of a file, of which there may be less than [`HEADER_LEN`].
pub(super) fn inspect(start: &[u8], application_id: u32) -> Found {
    if start.is_empty() {
        return Found::Empty;
    }
    // Offsets as in the description of the file format, sqlite.org/fileformat2.html section 1.3.
    if start.len() < HEADER_LEN || !start.starts_with(b"SQLite format 3\0") {
        return Found::NotADatabase;
    }
    if number_at(start, 68) != application_id {
        return Found::OtherApplication;
    }
    Found::Ours(number_at(start, 60))
}

fn number_at(header: &[u8], place: usize) -> u32 {
    let bytes = header[place..].iter().take(4);
    bytes.fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: u32 = 0x0102_0304;

    fn header() -> Vec<u8> {
        let mut header = b"SQLite format 3\0".to_vec();
        header.resize(HEADER_LEN, 0);
        header[60..64].copy_from_slice(&[0, 0, 1, 2]);
        header[68..72].copy_from_slice(&[1, 2, 3, 4]);
        header
    }

    #[test]
    fn files_are_told_apart() {
        assert_eq!(inspect(&[], ID), Found::Empty);
        assert_eq!(inspect(b"SQLite format 3\0", ID), Found::NotADatabase);
        assert_eq!(inspect(&[7; HEADER_LEN], ID), Found::NotADatabase);
        assert_eq!(inspect(&header(), ID), Found::Ours(258));
        assert_eq!(inspect(&header(), ID + 1), Found::OtherApplication);
    }
}
