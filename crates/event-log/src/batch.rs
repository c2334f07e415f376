//! The rules of storing: which offset an append gets, and when it is a retry or a conflict.
//!
//! Pure: a store opens its transaction, calls [`apply`], and commits.

use bytes::Bytes;

use crate::{Append, Offset, Outcome, StoreError, sabotage};

/// What [`apply`] asks of a transaction, which sees its own inserts.
pub trait Transaction {
    /// The newest offset ever given in a stream, or zero.
    fn last(&mut self, stream: &str) -> Result<Offset, StoreError>;

    /// The event an author stored under a key.
    fn find(&mut self, stream: &str, author: &str, key: &str) -> Result<Option<Found>, StoreError>;

    /// Adds an event at an offset, which is the newest one from now on.
    fn insert(&mut self, append: &Append, offset: Offset) -> Result<(), StoreError>;
}

/// An event found by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub offset: Offset,
    /// Its content, or `None` if that is no longer what was written.
    pub content: Option<Bytes>,
}

/// Stores a batch inside a transaction: dense offsets, each key once.
///
/// The first error ends it, and the transaction is then to be rolled back.
pub fn apply(
    transaction: &mut impl Transaction,
    batch: &[Append],
) -> Result<Vec<Outcome>, StoreError> {
    batch
        .iter()
        .map(|append| {
            let known = transaction.find(&append.stream, &append.author, &append.key)?;
            Ok(match known {
                Some(Found { content: None, .. }) => Outcome::Unreadable,
                Some(Found {
                    offset,
                    content: Some(content),
                }) if content == append.content => Outcome::Duplicate(offset),
                Some(_) => Outcome::Conflict,
                None => {
                    let offset = transaction.last(&append.stream)?.next();
                    transaction.insert(&sabotage::stored_as(append, offset), offset)?;
                    Outcome::Stored(offset)
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A transaction over plain lists, which can be told to fail at its nth call.
    #[derive(Default)]
    struct Rows {
        rows: Vec<(Append, Offset)>,
        unreadable: bool,
        calls: usize,
        fail_at: Option<usize>,
    }

    impl Rows {
        fn call(&mut self) -> Result<(), StoreError> {
            self.calls += 1;
            if self.fail_at == Some(self.calls) {
                return Err(StoreError::Busy);
            }
            Ok(())
        }
    }

    impl Transaction for Rows {
        fn last(&mut self, stream: &str) -> Result<Offset, StoreError> {
            self.call()?;
            let of_stream = self
                .rows
                .iter()
                .filter(|(append, _)| append.stream == stream);
            Ok(of_stream
                .map(|(_, offset)| *offset)
                .max()
                .unwrap_or_default())
        }

        fn find(
            &mut self,
            stream: &str,
            author: &str,
            key: &str,
        ) -> Result<Option<Found>, StoreError> {
            self.call()?;
            let row = self.rows.iter().find(|(append, _)| {
                (
                    append.stream.as_str(),
                    append.author.as_str(),
                    append.key.as_str(),
                ) == (stream, author, key)
            });
            Ok(row.map(|(append, offset)| Found {
                offset: *offset,
                content: (!self.unreadable).then(|| append.content.clone()),
            }))
        }

        fn insert(&mut self, append: &Append, offset: Offset) -> Result<(), StoreError> {
            self.call()?;
            self.rows.push((append.clone(), offset));
            Ok(())
        }
    }

    fn append(stream: &str, author: &str, key: &str, content: &'static str) -> Append {
        Append {
            stream: stream.to_owned(),
            author: author.to_owned(),
            key: key.to_owned(),
            content: Bytes::from_static(content.as_bytes()),
            at: 0,
        }
    }

    #[test]
    fn offsets_are_dense_in_each_stream() {
        let batch = [
            append("a", "ann", "1", "x"),
            append("b", "ann", "1", "x"),
            append("a", "ann", "2", "x"),
        ];
        let outcomes = apply(&mut Rows::default(), &batch);
        let expected = [1, 1, 2].map(|offset| Outcome::Stored(Offset(offset)));
        assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn a_retry_in_the_same_batch_is_a_duplicate_and_burns_no_offset() {
        let batch = [
            append("a", "ann", "1", "x"),
            append("a", "ann", "1", "x"),
            append("a", "ann", "2", "x"),
        ];
        let outcomes = apply(&mut Rows::default(), &batch);
        let expected = [
            Outcome::Stored(Offset(1)),
            Outcome::Duplicate(Offset(1)),
            Outcome::Stored(Offset(2)),
        ];
        assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn the_time_of_a_retry_may_differ() {
        let mut retry = append("a", "ann", "1", "x");
        retry.at = 99;
        let outcomes = apply(&mut Rows::default(), &[append("a", "ann", "1", "x"), retry]);
        assert_eq!(
            outcomes.map(|all| all[1]),
            Ok(Outcome::Duplicate(Offset(1)))
        );
    }

    #[test]
    fn other_content_under_the_same_key_is_a_conflict() {
        let batch = [append("a", "ann", "1", "x"), append("a", "ann", "1", "y")];
        let mut rows = Rows::default();
        assert_eq!(
            apply(&mut rows, &batch).map(|all| all[1]),
            Ok(Outcome::Conflict)
        );
        assert_eq!(rows.rows.len(), 1);
    }

    #[test]
    fn keys_of_other_authors_never_meet() {
        let batch = [append("a", "ann", "1", "x"), append("a", "bob", "1", "y")];
        let outcomes = apply(&mut Rows::default(), &batch);
        assert_eq!(outcomes.map(|all| all[1]), Ok(Outcome::Stored(Offset(2))));
    }

    #[test]
    fn an_unreadable_row_spoils_only_its_own_retry() {
        let mut rows = Rows {
            rows: vec![(append("a", "ann", "1", "x"), Offset(1))],
            unreadable: true,
            ..Rows::default()
        };
        let batch = [append("a", "ann", "1", "x"), append("a", "ann", "2", "x")];
        let outcomes = apply(&mut rows, &batch);
        let expected = [Outcome::Unreadable, Outcome::Stored(Offset(2))];
        assert_eq!(outcomes.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn an_error_at_any_call_ends_the_batch() {
        let batch = [append("a", "ann", "1", "x"), append("a", "ann", "2", "x")];
        for fail_at in 1..=6 {
            let mut rows = Rows {
                fail_at: Some(fail_at),
                ..Rows::default()
            };
            assert_eq!(apply(&mut rows, &batch), Err(StoreError::Busy));
            assert_eq!(rows.calls, fail_at);
        }
    }
}
