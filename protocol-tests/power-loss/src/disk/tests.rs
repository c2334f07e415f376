//! What a loss of power may and may not take, on folders small enough to know every outcome.

use std::collections::BTreeSet;

use chaos::rng::Rng;

use super::*;
use crate::loss::Manner;

fn create(name: &str, inode: u64) -> Operation {
    Operation::Create {
        name: name.to_owned(),
        inode,
    }
}

fn write(inode: u64, offset: usize, bytes: &[u8]) -> Operation {
    Operation::Write {
        inode,
        offset,
        bytes: bytes.to_vec(),
    }
}

fn disk(operations: &[Operation]) -> Disk {
    let mut disk = Disk::new(false);
    for operation in operations {
        disk.apply(operation).expect("a possible operation");
    }
    disk
}

fn after(disk: &Disk, manner: Manner) -> Remains {
    disk.after(&mut Loss::new(manner, Rng::of(1, 1)))
}

/// Every outcome that chance finds in a thousand losses.
fn outcomes(disk: &Disk, manner: Manner) -> BTreeSet<Remains> {
    (0..1_000)
        .map(|part| disk.after(&mut Loss::new(manner, Rng::of(1, part))))
        .collect()
}

fn remains(files: &[(&str, &[u8])]) -> Remains {
    let files = files.iter();
    files
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()))
        .collect()
}

const A_SYNCED: [Operation; 2] = [Operation::Sync { inode: 1 }, Operation::SyncFolder];

fn with_a(content: &[u8], then: &[Operation]) -> Disk {
    let begin = [create("a", 1), write(1, 0, content)];
    disk(&[&begin[..], &A_SYNCED, then].concat())
}

#[test]
fn what_was_flushed_is_there_in_every_manner() {
    let disk = with_a(b"one", &[]);
    for manner in Manner::ALL {
        assert_eq!(outcomes(&disk, manner), [remains(&[("a", b"one")])].into());
    }
}

#[test]
fn a_file_is_not_there_before_its_folder_was_flushed() {
    let disk = disk(&[
        create("a", 1),
        write(1, 0, b"one"),
        Operation::Sync { inode: 1 },
    ]);
    assert_eq!(after(&disk, Manner::Nothing), remains(&[]));
    assert_eq!(after(&disk, Manner::Everything), remains(&[("a", b"one")]));
}

#[test]
fn writes_that_were_not_flushed_are_there_in_any_combination() {
    let disk = with_a(b"....", &[write(1, 0, b"x"), write(1, 2, b"y")]);
    let expected: [&[u8]; 4] = [b"....", b"x...", b"..y.", b"x.y."];
    let expected = expected.map(|content| remains(&[("a", content)]));
    assert_eq!(outcomes(&disk, Manner::Some), expected.into());
}

#[test]
fn a_write_is_torn_between_sectors_and_nowhere_else() {
    // It begins in the middle of a sector and reaches over two boundaries.
    let disk = with_a(&[b'.'; 1_536], &[write(1, 500, &[b'x'; 600])]);
    let found = outcomes(&disk, Manner::LastTorn);
    assert_eq!(found.len(), 8);
    for remains in found {
        let content = &remains["a"];
        assert_eq!(content.len(), 1_536);
        for part in [500..512, 512..1_024, 1_024..1_100] {
            let first = content[part.start];
            assert!(content[part].iter().all(|byte| *byte == first));
        }
        assert!(content[..500].iter().all(|byte| *byte == b'.'));
        assert!(content[1_100..].iter().all(|byte| *byte == b'.'));
    }
}

#[test]
fn a_file_may_be_longer_without_what_was_written() {
    let disk = with_a(b"", &[write(1, 0, b"x")]);
    let lengths = outcomes(&disk, Manner::LastTorn);
    let lengths: BTreeSet<_> = lengths.iter().map(|remains| &remains["a"]).collect();
    assert!(lengths.contains(&b"".to_vec()));
    assert!(lengths.contains(&b"x".to_vec()));
    assert!(lengths.contains(&b"\0".to_vec()));
}

#[test]
fn a_truncation_that_was_not_flushed_may_be_undone() {
    let disk = with_a(
        b"long",
        &[Operation::Truncate {
            inode: 1,
            length: 1,
        }],
    );
    let expected: [&[u8]; 2] = [b"long", b"l"];
    let expected = expected.map(|content| remains(&[("a", content)]));
    assert_eq!(outcomes(&disk, Manner::Some), expected.into());
}

#[test]
fn a_removed_file_may_come_back_until_its_folder_is_flushed() {
    let unlink = Operation::Unlink {
        name: "a".to_owned(),
    };
    let gone = with_a(b"one", std::slice::from_ref(&unlink));
    assert_eq!(after(&gone, Manner::Nothing), remains(&[("a", b"one")]));
    assert_eq!(after(&gone, Manner::Everything), remains(&[]));
    let flushed = with_a(b"one", &[unlink, Operation::SyncFolder]);
    assert_eq!(after(&flushed, Manner::Nothing), remains(&[]));
}

#[test]
fn a_file_made_anew_under_an_old_number_is_another_file() {
    let disk = with_a(
        b"old",
        &[
            Operation::Unlink {
                name: "a".to_owned(),
            },
            create("a", 1),
            write(1, 0, b"new"),
            Operation::Sync { inode: 1 },
        ],
    );
    assert_eq!(after(&disk, Manner::Nothing), remains(&[("a", b"old")]));
    assert_eq!(after(&disk, Manner::Everything), remains(&[("a", b"new")]));
}

#[test]
fn a_rename_happens_as_a_whole() {
    let disk = with_a(
        b"one",
        &[Operation::Rename {
            from: "a".to_owned(),
            to: "b".to_owned(),
        }],
    );
    let expected = ["a", "b"].map(|name| remains(&[(name, b"one")]));
    assert_eq!(outcomes(&disk, Manner::Some), expected.into());
}

#[test]
fn a_disk_that_lies_flushes_nothing() {
    let mut disk = Disk::new(true);
    for operation in [create("a", 1), write(1, 0, b"one")]
        .iter()
        .chain(&A_SYNCED)
    {
        disk.apply(operation).expect("a possible operation");
    }
    assert_eq!(after(&disk, Manner::Nothing), remains(&[]));
    assert_eq!(after(&disk, Manner::Everything), remains(&[("a", b"one")]));
}

#[test]
fn what_a_killed_process_has_written_is_on_its_way_until_somebody_flushes_it() {
    let disk = with_a(b"one", &[write(1, 0, b"two")]);
    let mut taken_over = disk.moved(|_| 7);
    assert_eq!(
        after(&taken_over, Manner::Everything),
        remains(&[("a", b"two")])
    );
    assert_eq!(
        after(&taken_over, Manner::Nothing),
        remains(&[("a", b"one")])
    );
    assert!(taken_over.apply(&write(1, 0, b"x")).is_err());
    let sync = Operation::Sync { inode: 7 };
    taken_over.apply(&sync).expect("a file that is there");
    assert_eq!(
        after(&taken_over, Manner::Nothing),
        remains(&[("a", b"two")])
    );
}

#[test]
fn what_cannot_have_happened_is_refused() {
    let mut disk = Disk::new(false);
    assert!(disk.apply(&write(1, 0, b"x")).is_err());
    let rename = Operation::Rename {
        from: "a".to_owned(),
        to: "b".to_owned(),
    };
    assert!(disk.apply(&rename).is_err());
}

#[test]
fn what_was_found_is_certain_and_what_comes_after_is_not() {
    let found = remains(&[("a", b"one"), ("b", b"two")]);
    let inode = |name: &str| if name == "a" { 1 } else { 2 };
    let mut disk = Disk::found(false, &found, inode);
    for operation in [
        write(2, 0, b"new"),
        Operation::Unlink {
            name: "a".to_owned(),
        },
    ] {
        disk.apply(&operation).expect("a possible operation");
    }
    assert_eq!(after(&disk, Manner::Nothing), found);
    assert_eq!(after(&disk, Manner::Everything), remains(&[("b", b"new")]));
}
