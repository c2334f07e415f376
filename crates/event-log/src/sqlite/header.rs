//! Tells whose database a file is from its first 100 bytes, without opening it as a database.
//!
//! This can be trusted because the two numbers it looks at are only ever written in rollback-journal mode
//! (see `migrate`), so that they never stand in a write-ahead log while the file says something older.

/// How many bytes [`inspect`] wants to see.
pub(super) const HEADER_LEN: usize = 100;

/// How many bytes [`journal_of_nothing`] wants to see.
pub(super) const JOURNAL_HEADER_LEN: usize = 28;

const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

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

/// Whether a rollback journal that begins like this takes a database back to before its first transaction.
///
/// SQLite does that to whatever the database file holds as soon as it is opened, so the file is as good as empty.
pub(super) fn journal_of_nothing(start: &[u8]) -> bool {
    // Section 3 of the same description: the number of pages that the database had.
    start.len() >= JOURNAL_HEADER_LEN
        && start.starts_with(&JOURNAL_MAGIC)
        && number_at(start, 16) == 0
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

    #[test]
    fn the_journal_of_the_first_transaction_is_known() {
        let mut journal = JOURNAL_MAGIC.to_vec();
        journal.resize(JOURNAL_HEADER_LEN, 0);
        assert!(journal_of_nothing(&journal));
        assert!(!journal_of_nothing(&journal[1..]));
        assert!(!journal_of_nothing(&journal[..JOURNAL_HEADER_LEN - 1]));
        assert!(!journal_of_nothing(&[0; 512]));
        journal[19] = 1;
        assert!(!journal_of_nothing(&journal));
    }
}
