//! Histories written by hand: a good one, and for each check some that break it and no other.

mod forgetting;
mod refusals;

use super::*;
use crate::history::{Facts, Op};

/// A history in the making; each entry is a millisecond later than the one before.
#[derive(Default)]
struct Story(Vec<Entry>);

impl Story {
    fn add(mut self, proc: &str, op: Op, kind: Kind, key: &str, value: Facts) -> Self {
        let t = self.0.last().map_or(0, |entry| entry.t) + 1_000;
        let key = (!key.is_empty()).then(|| key.to_owned());
        let proc = proc.to_owned();
        self.0.push(Entry {
            t,
            proc,
            op,
            kind,
            key,
            value,
        });
        self
    }

    /// The next entries are later by so many milliseconds.
    fn wait(mut self, milliseconds: u64) -> Self {
        self = self.add("nemesis", Op::Fault, Kind::Info, "", Facts::what("nothing"));
        if let Some(last) = self.0.last_mut() {
            last.t += milliseconds * 1_000;
        }
        self
    }

    fn sends(self, key: &str) -> Self {
        let (author, seq) = key.split_once('-').expect("a key is author-seq");
        let value = Facts {
            seq: seq.parse().ok(),
            hash: Some(hash_of(key)),
            ..Facts::default()
        };
        self.add(author, Op::Send, Kind::Invoke, key, value)
            .tries(key)
    }

    /// What the server has to refuse.
    fn sends_invalid(self, key: &str) -> Self {
        let mut sent = self.sends(key);
        let invoked = sent.0.iter_mut().rev();
        let mut invoked = invoked.filter(|entry| entry.op == Op::Send);
        invoked.next().expect("it was sent").value.what = Some("invalid".to_owned());
        sent
    }

    fn tries(self, key: &str) -> Self {
        self.add(author_of(key), Op::Try, Kind::Invoke, key, Facts::default())
    }

    fn acked(self, key: &str, offset: u64) -> Self {
        self.answered(Op::Send, key, offset, false)
    }

    fn answered(self, op: Op, key: &str, offset: u64, duplicate: bool) -> Self {
        let value = Facts {
            epoch: Some("e".to_owned()),
            duplicate: Some(duplicate),
            ..Facts::offset(offset)
        };
        self.add(author_of(key), op, Kind::Ok, key, value)
    }

    fn refused(self, key: &str) -> Self {
        let value = Facts::what("invalid");
        self.add(author_of(key), Op::Send, Kind::Fail, key, value)
    }

    fn pending(self, key: &str) -> Self {
        self.add(author_of(key), Op::Send, Kind::Info, key, Facts::default())
    }

    fn stores(self, key: &str) -> Self {
        let sent = self.sends(key);
        let offset = 1 + sent
            .0
            .iter()
            .filter(|entry| entry.op == Op::Send && entry.kind == Kind::Ok)
            .count();
        sent.acked(key, offset as u64)
    }

    fn subscribes(self, reader: &str, offset: u64) -> Self {
        self.add(reader, Op::Subscribe, Kind::Ok, "", Facts::offset(offset))
    }

    fn receives(mut self, reader: &str, messages: &[(u64, &str)]) -> Self {
        for (offset, key) in messages {
            let value = Facts {
                hash: Some(hash_of(key)),
                ..Facts::offset(*offset)
            };
            self = self.add(reader, Op::Receive, Kind::Ok, key, value);
        }
        self
    }

    fn heals(self) -> Self {
        self.add("nemesis", Op::Heal, Kind::Info, "", Facts::default())
    }

    fn rows(mut self, rows: &[(u64, &str)]) -> Self {
        for (offset, key) in rows {
            let value = Facts {
                hash: Some(hash_of(key)),
                ..Facts::offset(*offset)
            };
            self = self.add("file", Op::Row, Kind::Ok, key, value);
        }
        self
    }

    /// Breaks this check and no other.
    #[track_caller]
    fn breaks(self, expected: Check) -> Verdict {
        let verdict = check(&self.0);
        let mut broken: Vec<_> = verdict.faults.iter().map(|fault| fault.check).collect();
        broken.dedup();
        assert_eq!(broken, [expected], "{:#?}", verdict.faults);
        for fault in &verdict.faults {
            assert!(!fault.excerpt(&self.0).is_empty());
            assert!(fault.evidence.len() <= 4, "{fault:?}");
        }
        verdict
    }

    #[track_caller]
    fn good(self) -> Verdict {
        let verdict = check(&self.0);
        assert_eq!(verdict.faults, []);
        verdict
    }
}

fn author_of(key: &str) -> &str {
    key.split('-').next().unwrap_or_default()
}

fn hash_of(key: &str) -> u32 {
    crate::rng::hash(key.as_bytes())
}

const A0: (u64, &str) = (1, "a-0");
const A1: (u64, &str) = (2, "a-1");
const B0: (u64, &str) = (3, "b-0");
const ROWS: [(u64, &str); 3] = [A0, A1, B0];

/// Three messages of two authors, acknowledged, followed by two readers.
fn three() -> Story {
    Story::default()
        .subscribes("r", 0)
        .stores("a-0")
        .receives("r", &[A0])
        .stores("a-1")
        .stores("b-0")
        .heals()
        .subscribes("late", 1)
        .receives("late", &[A1, B0])
        .receives("r", &[A1, B0])
}

#[test]
fn a_good_history_is_good() {
    let verdict = three().rows(&ROWS).good();
    let expected = Counts {
        sent: 3,
        acked: 3,
        tries: 3,
        stored: 3,
        readers: 2,
        received: 5,
        ..Counts::default()
    };
    assert_eq!(verdict.counts, expected);
}

#[test]
fn without_rows_the_final_reader_tells_what_is_stored() {
    let verdict = three().subscribes(FINAL, 0).receives(FINAL, &ROWS).good();
    assert_eq!(verdict.counts.stored, 3);
    // The same, but one is not there any more.
    let story = Story::default().stores("a-0").stores("a-1");
    let story = story.subscribes(FINAL, 0).receives(FINAL, &[A0]);
    story.breaks(Check::Lost);
}

#[test]
fn retries_refusals_and_what_is_pending_without_a_claim_are_good() {
    Story::default()
        .sends("a-0")
        .tries("a-0")
        .answered(Op::Send, "a-0", 1, true)
        .answered(Op::Again, "a-0", 1, true)
        .sends_invalid("a-1")
        .refused("a-1")
        .sends("a-2")
        .acked("a-2", 2)
        .sends("b-0")
        .pending("b-0")
        .rows(&[(1, "a-0"), (2, "a-2"), (3, "b-0")])
        .good();
}

#[test]
fn an_acknowledged_message_that_is_not_stored_is_lost() {
    let story = Story::default().stores("a-0").stores("a-1");
    let verdict = story.rows(&[A0]).breaks(Check::Lost);
    assert_eq!(verdict.counts.lost, 1);
}

#[test]
fn a_message_that_is_stored_twice_is_repeated() {
    let story = Story::default().stores("a-0").rows(&[A0, (2, "a-0")]);
    assert_eq!(story.breaks(Check::Repeated).counts.repeated, 1);
}

#[test]
fn a_row_that_nobody_sent_is_unexpected() {
    Story::default()
        .stores("a-0")
        .rows(&[A0, A1])
        .breaks(Check::Unexpected);
}

#[test]
fn a_row_with_other_content_is_unexpected() {
    let mut story = Story::default().stores("a-0").rows(&[A0]);
    story.0.last_mut().expect("a row").value.hash = Some(1);
    story.breaks(Check::Unexpected);
}

#[test]
fn a_refused_message_that_is_stored_is_unexpected() {
    let story = Story::default().sends_invalid("a-0").refused("a-0");
    story.rows(&[A0]).breaks(Check::Unexpected);
}

#[test]
fn an_author_whose_messages_are_stored_the_other_way_round_is_out_of_order() {
    // Both in flight at once, so that time says nothing.
    Story::default()
        .sends("a-0")
        .sends("a-1")
        .acked("a-0", 2)
        .acked("a-1", 1)
        .rows(&[(1, "a-1"), (2, "a-0")])
        .breaks(Check::AuthorOrder);
}

#[test]
fn an_author_with_a_hole_is_out_of_order() {
    Story::default()
        .sends("a-0")
        .pending("a-0")
        .sends("a-1")
        .acked("a-1", 1)
        .rows(&[(1, "a-1")])
        .breaks(Check::AuthorOrder);
}

#[test]
fn an_offset_that_is_left_out_is_not_dense() {
    Story::default()
        .stores("a-0")
        .sends("a-1")
        .acked("a-1", 3)
        .rows(&[A0, (3, "a-1")])
        .breaks(Check::Dense);
}

#[test]
fn an_offset_given_twice_is_not_dense() {
    Story::default()
        .stores("a-0")
        .sends("b-0")
        .acked("b-0", 1)
        .rows(&[A0, (1, "b-0")])
        .breaks(Check::Dense);
}

#[test]
fn two_names_of_one_history_are_one_too_many() {
    let mut story = Story::default().stores("a-0").stores("a-1");
    story.0.last_mut().expect("an answer").value.epoch = Some("f".to_owned());
    story.rows(&[A0, A1]).breaks(Check::Dense);
}

fn read(messages: &[(u64, &str)]) -> Story {
    let story = Story::default().stores("a-0").stores("a-1").stores("b-0");
    story.heals().subscribes("r", 0).receives("r", messages)
}

#[test]
fn a_reader_that_misses_a_message_has_a_gap() {
    let verdict = read(&[A0, B0]).rows(&ROWS).breaks(Check::Readers);
    assert_eq!(verdict.counts.gaps, 1);
}

#[test]
fn a_reader_that_is_given_a_message_twice_has_a_repeat() {
    let verdict = read(&[A0, A1, A1, B0]).rows(&ROWS).breaks(Check::Readers);
    assert_eq!(verdict.counts.repeats, 1);
}

#[test]
fn a_reader_that_is_given_messages_the_other_way_round_has_an_inversion() {
    let verdict = read(&[A1, A0, B0]).rows(&ROWS).breaks(Check::Readers);
    assert_eq!((verdict.counts.gaps, verdict.counts.inversions), (1, 1));
}

#[test]
fn a_reader_that_never_reaches_the_tail_has_missed_it() {
    read(&[A0, A1]).rows(&ROWS).breaks(Check::Readers);
    read(&[]).rows(&ROWS).breaks(Check::Readers);
}

#[test]
fn a_reader_that_leaves_for_good_need_not_reach_the_tail() {
    let story = read(&[A0]);
    let story = story.add("r", Op::Subscribe, Kind::Info, "", Facts::default());
    story.rows(&ROWS).good();
}

#[test]
fn a_reader_that_is_given_what_is_not_stored_was_told_too_early() {
    read(&[A0, A1, B0, (4, "b-1")])
        .rows(&ROWS)
        .breaks(Check::Readers);
    read(&[A0, A1, (3, "b-1")])
        .rows(&ROWS)
        .breaks(Check::Readers);
}

#[test]
fn a_reader_that_has_to_start_anew_for_no_reason_is_told_wrongly() {
    let story = read(&ROWS).add("r", Op::Resync, Kind::Info, "", Facts::default());
    story.rows(&ROWS).breaks(Check::Readers);
}

#[test]
fn what_is_sent_after_an_answer_is_stored_behind_it() {
    Story::default()
        .sends("a-0")
        .acked("a-0", 2)
        .sends("b-0")
        .acked("b-0", 1)
        .rows(&[(1, "b-0"), (2, "a-0")])
        .breaks(Check::RealTime);
}

#[test]
fn an_answer_with_another_offset_is_wrong() {
    let story = Story::default().sends("a-0").acked("a-0", 2).rows(&[A0]);
    story.breaks(Check::Answers);
}

#[test]
fn the_first_attempt_is_no_repeat() {
    let story = Story::default().sends("a-0");
    let story = story.answered(Op::Send, "a-0", 1, true);
    story.rows(&[A0]).breaks(Check::Answers);
}

#[test]
fn an_attempt_after_the_answer_is_a_repeat() {
    let story = Story::default().stores("a-0");
    let story = story.answered(Op::Again, "a-0", 1, false);
    story.rows(&[A0]).breaks(Check::Answers);
}

#[test]
fn other_content_under_the_same_key_is_never_answered_as_stored() {
    let story = Story::default().stores("a-0");
    let mut story = story.answered(Op::Again, "a-0", 1, true);
    story.0.last_mut().expect("an answer").value.hash = Some(1);
    story.rows(&[A0]).breaks(Check::Answers);
}

#[test]
fn what_is_pending_for_long_after_the_last_fault_does_not_converge() {
    let story = || Story::default().sends("a-0").heals();
    let late = story().wait(5_001).acked("a-0", 1);
    late.rows(&[A0]).breaks(Check::Convergence);
    let never = story().pending("a-0");
    never.rows(&[A0]).breaks(Check::Convergence);
    let in_time = story().wait(4_000).acked("a-0", 1);
    in_time.rows(&[A0]).good();
}

#[test]
fn a_reader_that_is_behind_for_long_after_the_last_fault_does_not_converge() {
    let story = |wait| {
        let story = Story::default().subscribes("r", 0).stores("a-0").heals();
        story.wait(wait).receives("r", &[A0]).rows(&[A0])
    };
    story(5_001).breaks(Check::Convergence);
    story(4_000).good();
}

#[test]
fn a_message_without_or_with_two_outcomes_was_not_reported() {
    let story = Story::default().sends("a-0").rows(&[A0]);
    story.breaks(Check::Outcomes);
    let story = Story::default().sends_invalid("a-0").acked("a-0", 1);
    story.refused("a-0").rows(&[A0]).breaks(Check::Outcomes);
    let story = Story::default().acked("a-0", 1);
    story.breaks(Check::Outcomes);
}

#[test]
fn the_plainest_fault_is_the_one_with_the_least_evidence() {
    let story = Story::default().stores("a-0").rows(&[A0, A1, (3, "a-0")]);
    let verdict = check(&story.0);
    let plainest = verdict.plainest().expect("two faults");
    assert_eq!(plainest.check, Check::Unexpected);
    assert_eq!(plainest.excerpt(&story.0).len(), 1);
}
