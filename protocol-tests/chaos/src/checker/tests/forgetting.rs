//! Histories with a retention, or with a database that was set back: good ones, and some that hide something behind that.

use super::*;

/// A history of which the newest `keep` have to be kept.
fn keeping(keep: u64) -> Story {
    Story::default().add("nemesis", Op::Keep, Kind::Info, "", Facts::offset(keep))
}

impl Story {
    /// A reader connects that has everything up to here of an epoch.
    fn comes(self, reader: &str, offset: u64, epoch: &str) -> Self {
        let value = Facts {
            epoch: Some(epoch.to_owned()),
            ..Facts::offset(offset)
        };
        self.add(reader, Op::Subscribe, Kind::Ok, "", value)
    }

    fn told(self, reader: &str, epoch: &str) -> Self {
        let value = Facts {
            epoch: Some(epoch.to_owned()),
            ..Facts::default()
        };
        self.add(reader, Op::Epoch, Kind::Info, "", value)
    }

    fn starts_anew(self, reader: &str, epoch: &str, first: u64, last: u64) -> Self {
        let value = Facts {
            epoch: Some(epoch.to_owned()),
            first: Some(first),
            ..Facts::offset(last)
        };
        self.add(reader, Op::Resync, Kind::Info, "", value)
    }

    fn set_back(self, from: &str, offset: u64, to: &str) -> Self {
        let value = |epoch: &str| Facts {
            epoch: Some(epoch.to_owned()),
            ..Facts::offset(offset)
        };
        self.add("nemesis", Op::Restore, Kind::Invoke, "", value(from))
            .add("nemesis", Op::Restore, Kind::Ok, "", value(to))
    }

    fn acked_in(mut self, epoch: &str, key: &str, offset: u64) -> Self {
        self = self.acked(key, offset);
        self.0.last_mut().expect("an answer").value.epoch = Some(epoch.to_owned());
        self
    }

    fn file(self, epoch: &str, rows: &[(u64, &str)]) -> Self {
        self.told("file", epoch).rows(rows)
    }
}

/// Five messages, of which a reader is given those it does not have.
fn five(keep: u64) -> Story {
    let story = keeping(keep).comes("r", 0, "e").told("r", "e");
    let story = story.stores("a-0").receives("r", &[A0]).stores("a-1");
    story.stores("b-0").stores("b-1").stores("b-2")
}

const B1: (u64, &str) = (4, "b-1");
const B2: (u64, &str) = (5, "b-2");

#[test]
fn what_the_retention_forgets_is_neither_lost_nor_a_gap_for_who_is_told() {
    let story = five(2).comes("r", 1, "e").starts_anew("r", "e", 4, 5);
    let story = story.receives("r", &[B1, B2]).heals();
    let verdict = story.file("e", &[B1, B2]).good();
    let expected = Counts {
        sent: 5,
        acked: 5,
        tries: 5,
        stored: 2,
        forgotten: 3,
        readers: 1,
        received: 3,
        resyncs: 1,
        ..Counts::default()
    };
    assert_eq!(verdict.counts, expected);
}

#[test]
fn a_reader_that_is_not_told_what_is_gone_has_a_gap() {
    let story = five(2).comes("r", 1, "e").receives("r", &[B1, B2]);
    let verdict = story.heals().file("e", &[B1, B2]).breaks(Check::Readers);
    assert_eq!(verdict.counts.gaps, 1);
    // And one that is given nothing at all any more was not told either.
    let story = five(2).comes("r", 1, "e").heals();
    story.file("e", &[B1, B2]).breaks(Check::Readers);
}

#[test]
fn a_reader_that_is_told_of_a_gap_where_there_is_none_is_told_wrongly() {
    // It has everything up to the oldest that is kept.
    let story = five(2).receives("r", &[A1, B0]).comes("r", 3, "e");
    let story = story.starts_anew("r", "e", 4, 5).receives("r", &[B1, B2]);
    story.file("e", &[B1, B2]).breaks(Check::Readers);
    // And here more is said to be gone than may be.
    let story = five(4).comes("r", 1, "e").starts_anew("r", "e", 4, 5);
    let story = story.receives("r", &[B1, B2]);
    story.file("e", &[A1, B0, B1, B2]).breaks(Check::Readers);
}

#[test]
fn who_starts_anew_is_given_nothing_twice() {
    let story = five(2).starts_anew("r", "e", 4, 5).receives("r", &[A0]);
    let story = story.receives("r", &[B1, B2]);
    let verdict = story.file("e", &[B1, B2]).breaks(Check::Readers);
    assert_eq!(verdict.counts.repeats, 1);
}

#[test]
fn what_is_within_the_window_is_lost_if_it_is_gone() {
    let story = five(3).file("e", &[B0, B1]);
    let verdict = check(&story.0);
    assert!(verdict.count(Check::Lost) == 1, "{:#?}", verdict.faults);
    assert_eq!(verdict.counts.lost, 1);
}

#[test]
fn more_is_forgotten_than_the_window_allows() {
    five(3).file("e", &[B1, B2]).breaks(Check::Dense);
}

#[test]
fn what_has_to_be_forgotten_is_still_there() {
    five(2).file("e", &[B0, B1, B2]).breaks(Check::Dense);
}

#[test]
fn a_hole_in_the_window_is_a_hole() {
    let story = five(3).file("e", &[B0, B2]);
    let verdict = check(&story.0);
    assert_eq!(verdict.count(Check::Dense), 1, "{:#?}", verdict.faults);
}

/// The answer to `a-0` was cut off, and it is tried again when so many others are stored.
fn tried_again(keep: u64, kept: &[(u64, &str)]) -> Story {
    let story = keeping(keep)
        .told("r", "e")
        .sends("a-0")
        .receives("r", &[A0]);
    let story = story
        .sends("b-0")
        .acked("b-0", 2)
        .sends("b-1")
        .acked("b-1", 3);
    let story = story.receives("r", &[(2, "b-0"), (3, "b-1")]).tries("a-0");
    let story = story.acked("a-0", 4).receives("r", &[(4, "a-0")]);
    story.file("e", kept)
}

#[test]
fn a_retry_of_what_was_forgotten_is_stored_as_new() {
    tried_again(2, &[(3, "b-1"), (4, "a-0")]).good();
}

#[test]
fn a_retry_of_what_has_to_be_known_is_not_stored_again() {
    let story = tried_again(4, &[(1, "a-0"), (2, "b-0"), (3, "b-1"), (4, "a-0")]);
    assert_eq!(check(&story.0).counts.repeated, 1);
    // Also if that is behind the window in the end.
    let mut story = tried_again(3, &[]);
    for (key, offset) in [("b-2", 5), ("b-3", 6)] {
        story = story.sends(key).acked(key, offset);
    }
    let story = story.receives("r", &[(5, "b-2"), (6, "b-3")]);
    let story = story.rows(&[(4, "a-0"), (5, "b-2"), (6, "b-3")]);
    let verdict = story.breaks(Check::Repeated);
    assert_eq!(verdict.counts.repeated, 1);
}

#[test]
fn what_is_said_anew_after_it_was_forgotten_is_no_repeat() {
    let story = |keep, duplicate| {
        let story = keeping(keep).stores("a-0").stores("b-0").stores("b-1");
        let story = story.add("a", Op::Again, Kind::Invoke, "a-0", Facts::default());
        story.answered(Op::Again, "a-0", 4, duplicate)
    };
    let kept = [(3, "b-1"), (4, "a-0")];
    story(2, false).file("e", &kept).good();
    let story = story(3, false).file("e", &[(2, "b-0"), (3, "b-1"), (4, "a-0")]);
    assert!(check(&story.0).count(Check::Answers) > 0);
}

#[test]
fn two_messages_in_one_place_that_is_gone_are_one_too_many() {
    // Two authors were answered the same offset, which nobody can look up any more.
    let story = keeping(1)
        .sends("a-0")
        .acked("a-0", 1)
        .sends("c-0")
        .acked("c-0", 1);
    let story = story.sends("b-0").acked("b-0", 2);
    story.file("e", &[(2, "b-0")]).breaks(Check::Answers);
    // Two readers were given different messages.
    let story = keeping(1).sends("a-0").acked("a-0", 1).sends("b-0");
    let story = story
        .told("r", "e")
        .receives("r", &[(1, "b-0"), (2, "b-0")]);
    let story = story.acked("b-0", 2).file("e", &[(2, "b-0")]);
    assert!(check(&story.0).count(Check::Readers) > 0);
    // And what a reader was given was not sent by anybody.
    let story = keeping(1).told("r", "e").receives("r", &[(1, "x-0")]);
    let story = story
        .sends("b-0")
        .acked("b-0", 2)
        .receives("r", &[(2, "b-0")]);
    story.file("e", &[(2, "b-0")]).breaks(Check::Readers);
}

/// Three are stored, the database is set back to the first, and what was pending is stored.
fn restored() -> Story {
    let story = Story::default().comes("r", 0, "e").told("r", "e");
    let story = story.stores("a-0").stores("a-1").receives("r", &[A0, A1]);
    let story = story
        .sends("b-0")
        .receives("r", &[B0])
        .set_back("e", 1, "f");
    story.tries("b-0").acked_in("f", "b-0", 2)
}

const AFTER: [(u64, &str); 2] = [(1, "a-0"), (2, "b-0")];

#[test]
fn what_was_pending_is_stored_again_under_the_new_epoch_and_readers_are_told() {
    let story = restored().comes("r", 3, "e").told("r", "f");
    let story = story.starts_anew("r", "f", 1, 2).receives("r", &AFTER);
    let verdict = story.heals().file("f", &AFTER).good();
    assert_eq!((verdict.counts.undone, verdict.counts.lost), (1, 0));
    // Who is cut off between the name and the rest comes again with nothing.
    let story = restored().comes("r", 3, "e").told("r", "f");
    let story = story.add("r", Op::Subscribe, Kind::Ok, "", Facts::default());
    story.receives("r", &AFTER).heals().file("f", &AFTER).good();
}

#[test]
fn who_first_comes_with_a_cursor_of_the_old_epoch_and_is_told_begins_anywhere() {
    let story = ["r", "new"].iter().fold(restored(), |story, name| {
        let story = story.comes(name, 3, "e").told(name, "f");
        story.starts_anew(name, "f", 1, 2).receives(name, &AFTER)
    });
    story.heals().file("f", &AFTER).good();
}

#[test]
fn what_is_said_anew_after_it_was_undone_is_no_repeat() {
    let story = |up_to, duplicate| {
        let story = Story::default().stores("a-0").set_back("e", up_to, "f");
        let said = Facts {
            hash: Some(hash_of("x-0")),
            ..Facts::default()
        };
        let story = story.add("a", Op::Again, Kind::Invoke, "a-0", said.clone());
        let mut story = story
            .answered(Op::Again, "a-0", 1, duplicate)
            .told("file", "f");
        let answer = &mut story.0.iter_mut().rev().nth(1).expect("an answer").value;
        (answer.epoch, answer.hash) = (Some("f".to_owned()), said.hash);
        let row = Facts {
            offset: Some(1),
            ..said
        };
        story.add("file", Op::Row, Kind::Ok, "a-0", row)
    };
    story(0, false).good();
    // The backup had it, and what else is said under its name is to be refused.
    let verdict = check(&story(1, false).0);
    assert!(verdict.count(Check::Answers) > 0, "{:#?}", verdict.faults);
    assert!(
        verdict.count(Check::Unexpected) > 0,
        "{:#?}",
        verdict.faults
    );
}

#[test]
fn what_the_backup_had_is_lost_if_it_is_gone() {
    let story = restored().file("f", &[(1, "b-0")]);
    assert_eq!(check(&story.0).counts.lost, 1);
}

#[test]
fn what_is_answered_under_the_new_epoch_is_lost_if_it_is_gone() {
    restored().file("f", &[A0]).breaks(Check::Lost);
}

#[test]
fn a_reader_of_the_old_epoch_that_is_not_told_was_misled() {
    // It is given more under the new name, as if nothing had happened.
    let story = restored().sends("b-1").acked_in("f", "b-1", 3);
    let story = story.sends("b-2").acked_in("f", "b-2", 4);
    let rows = [AFTER[0], AFTER[1], (3, "b-1"), (4, "b-2")];
    let silent = story
        .comes("r", 3, "e")
        .told("r", "f")
        .receives("r", &[(4, "b-2")]);
    silent.heals().file("f", &rows).breaks(Check::Readers);
    // It is given nothing, and not even the name.
    restored().heals().file("f", &AFTER).breaks(Check::Readers);
}

#[test]
fn a_database_that_is_set_back_and_keeps_its_name_is_found_out() {
    let story = Story::default().told("r", "e").stores("a-0").stores("a-1");
    let story = story.receives("r", &[A0, A1]).set_back("e", 1, "e");
    let story = story.sends("b-0").acked("b-0", 2);
    let story = story.heals().file("e", &AFTER);
    let verdict = check(&story.0);
    assert_eq!(verdict.counts.lost, 1, "{:#?}", verdict.faults);
    assert!(verdict.count(Check::Readers) > 0);
}

#[test]
fn a_new_name_without_a_reason_is_one_too_many() {
    let story = Story::default().stores("a-0").told("r", "f");
    let story = story.receives("r", &[A0]);
    let story = story.rows(&[A0]);
    story.breaks(Check::Dense);
}

#[test]
fn a_message_that_the_backup_had_is_not_stored_again() {
    let story = Story::default()
        .stores("a-0")
        .stores("a-1")
        .set_back("e", 1, "f");
    let story = story.tries("a-0").add("r", Op::Epoch, Kind::Info, "", {
        Facts {
            epoch: Some("f".to_owned()),
            ..Facts::default()
        }
    });
    let story = story.receives("r", &[A0, (2, "a-0")]);
    let verdict = check(&story.file("f", &[A0, (2, "a-0")]).0);
    assert_eq!(verdict.counts.repeated, 1, "{:#?}", verdict.faults);
}

#[test]
fn a_database_that_is_set_back_twice_has_three_epochs() {
    let story = Story::default()
        .stores("a-0")
        .stores("a-1")
        .set_back("e", 1, "f");
    let story = story.sends("b-0").acked_in("f", "b-0", 2);
    let story = story
        .sends("b-1")
        .acked_in("f", "b-1", 3)
        .set_back("f", 2, "g");
    let story = story.sends("c-0").acked_in("g", "c-0", 3).told("r", "g");
    let rows = [A0, (2, "b-0"), (3, "c-0")];
    let story = story.receives("r", &rows).file("g", &rows);
    assert_eq!(story.good().counts.undone, 2);
}
