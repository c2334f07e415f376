//! What is compared with what.

mod engine;
mod socket;
mod tables;

use bytes::Bytes;

use super::Comparison;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = engine::comparisons();
    all.extend(socket::comparisons());
    all.extend(tables::comparisons());
    all
}

/// At most so many times what something else takes.
fn compare(
    what: &'static str,
    ours: impl FnMut() + 'static,
    most: f64,
    than: &'static str,
    other: impl FnMut() + 'static,
) -> Comparison {
    Comparison {
        what,
        than,
        most,
        ours: Box::new(ours),
        other: Box::new(other),
    }
}

/// Something done with 1,000 of what it is about, and with 100: it takes ten times as long, and half of that more where
/// a tree is built. What is quadratic takes a hundred times as long.
fn linear<F: FnMut() + 'static>(what: &'static str, of: impl Fn(usize) -> F) -> Comparison {
    compare(what, of(1_000), 20.0, "of 100", of(100))
}

/// Something done where 10,000 of something are there, and where 1,000 are: it makes no difference but for the depth of
/// a tree. What goes through all of them takes ten times as long.
fn flat<F: FnMut() + 'static>(what: &'static str, of: impl Fn(usize) -> F) -> Comparison {
    compare(what, of(10_000), 3.0, "where 1,000 are", of(1_000))
}

/// Bytes as a read buffer has them.
fn shared(bytes: &[u8]) -> Bytes {
    let bytes = Bytes::copy_from_slice(bytes);
    // The first clone of what is not shared yet makes the count of references.
    drop(bytes.clone());
    bytes
}
