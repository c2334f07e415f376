//! What a history promises, case by case; `model` compares it with one that forgets nothing.

mod model;

use std::time::{Duration, Instant};

use super::*;
use crate::{
    encode::{Draft, Frames},
    rooms::{Room, Target},
};

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some point to start from"
    )]
    Instant::now()
}

fn limits() -> Limits {
    Limits {
        max_disconnection_duration: SECOND * 60,
        retention: SECOND * 100,
        max_packets: 1_000,
        max_bytes: 1_000_000,
        max_sessions: 100,
    }
}

fn history(limits: Limits) -> History<&'static str> {
    History::new(Epoch::from_random([1; 8]), limits)
}

fn pid(n: u8) -> Pid {
    Pid::from_random([n; 15])
}

fn sid(n: u8) -> Room {
    format!("sid-{n}").into()
}

fn frames(text: &str) -> Frames {
    Draft::event("n", &(text,)).unwrap().frames("/", None)
}

fn everybody() -> Address {
    Address::Rooms(Target::default())
}

fn to(room: &str) -> Address {
    Address::Rooms(Target {
        rooms: vec![room.into()],
        except: vec![],
    })
}

fn up_to(history: &History<&'static str>, number: u64) -> Seen {
    Seen::UpTo(Offset {
        number,
        ..history.newest()
    })
}

/// What a client gets that comes back at this time.
fn come_back(
    history: &mut History<&'static str>,
    now: Instant,
    pid: Pid,
    seen: Seen,
) -> Option<(Tenure, Vec<Frames>)> {
    let claim = history.claim(now, pid, seen)?.claim;
    let resumption = history.resumption(claim).ok()?;
    let tenure = history.resume(&resumption)?;
    Some((tenure, resumption.missed))
}

fn dropped(history: &mut History<&'static str>) -> Vec<&'static str> {
    let over = history.take_over();
    over.into_iter().filter_map(|over| over.data).collect()
}

#[test]
fn a_session_expires_to_the_instant() {
    let now = start();
    for (away, is_there) in [
        (SECOND * 60, false),
        (SECOND * 60 - Duration::from_nanos(1), true),
    ] {
        let mut history = history(limits());
        let tenure = history.begin(now, pid(1), sid(1));
        history.leave(now, tenure, vec![sid(1)], "data");
        let found = history.claim(now + away, pid(1), Seen::Nothing);
        assert_eq!(found.is_some(), is_there);
        assert_eq!(
            dropped(&mut history),
            if is_there { vec![] } else { vec!["data"] }
        );
    }
}

#[test]
fn a_claimed_session_expires_when_the_claim_is_given_up() {
    let now = start();
    let mut history = history(limits());
    let tenure = history.begin(now, pid(1), sid(1));
    history.leave(now, tenure, vec![], "data");
    let claim = history.claim(now, pid(1), Seen::Nothing).unwrap().claim;
    let late = now + SECOND * 61;
    history.begin(late, pid(2), sid(2));
    assert_eq!(history.check(claim), Ok(()));
    assert_eq!(history.data(claim), Some(&"data"));
    history.release(late, claim);
    assert_eq!(history.check(claim), Err(Lost::Gone));
    assert_eq!(dropped(&mut history), ["data"]);
}

#[test]
fn above_the_bound_the_session_goes_that_was_away_longest() {
    let now = start();
    let mut history = history(Limits {
        max_sessions: 2,
        ..limits()
    });
    for n in 0..4 {
        let tenure = history.begin(now, pid(n), sid(n));
        history.leave(now + SECOND * u32::from(n), tenure, vec![], "");
        if n == 0 {
            history.claim(now, pid(0), Seen::Nothing).unwrap();
        }
    }
    let mut is_there = |n| history.claim(now, pid(n), Seen::Nothing).is_some();
    assert_eq!([0, 1, 2, 3].map(&mut is_there), [true, false, true, true]);
}

#[test]
fn only_the_last_claim_counts_and_it_is_used_once() {
    let now = start();
    let mut history = history(limits());
    let tenure = history.begin(now, pid(1), sid(1));
    history.leave(now, tenure, vec![], "");
    let first = history.claim(now, pid(1), Seen::Nothing).unwrap().claim;
    let second = history.claim(now, pid(1), Seen::Nothing).unwrap().claim;
    assert_eq!(history.resumption(first).err(), Some(Lost::Superseded));
    history.release(now, first);
    history.discard(first);
    let resumption = history.resumption(second).unwrap();
    assert!(history.resume(&resumption).is_some());
    assert_eq!(history.resumption(second).err(), Some(Lost::Superseded));
    assert!(history.resume(&resumption).is_none());
}

#[test]
fn who_held_a_session_earlier_has_no_say_any_more() {
    let now = start();
    let mut history = history(limits());
    let old = history.begin(now, pid(1), sid(1));
    history.leave(now, old, vec![sid(1)], "");
    let (new, _) = come_back(&mut history, now, pid(1), Seen::Nothing).unwrap();
    history.leave(now, old, vec![], "from the old one");
    history.end(old);
    history.room_changed(old, &sid(9), true);
    assert!(history.is_known(old), "its emits still reach the client");
    history.leave(now, new, vec![sid(1)], "");
    let (new, _) = come_back(&mut history, now, pid(1), Seen::Nothing).unwrap();
    history.end(new);
    assert!(!history.is_known(old));
    assert!(history.claim(now, pid(1), Seen::Nothing).is_none());
}

#[test]
fn rooms_are_those_of_the_time_of_the_event() {
    let now = start();
    let mut history = history(limits());
    let tenure = history.begin(now, pid(1), sid(1));
    let emit = |history: &mut History<_>, text: &str, is_for_it: bool| {
        history.append(now, to("room"), frames(text));
        if is_for_it {
            history.sent(tenure);
        }
    };
    emit(&mut history, "before", false);
    history.room_changed(tenure, &"room".into(), true);
    emit(&mut history, "in", true);
    history.room_changed(tenure, &"room".into(), false);
    emit(&mut history, "out", false);
    history.room_changed(tenure, &"room".into(), true);
    emit(&mut history, "in again", true);
    history.leave(now, tenure, vec![sid(1), "room".into()], "");
    emit(&mut history, "away", false);
    let (_, missed) = come_back(&mut history, now, pid(1), Seen::Nothing).unwrap();
    assert_eq!(missed, ["in", "in again", "away"].map(frames));
}

#[test]
fn what_is_gone_and_may_have_been_for_it_is_not_skipped() {
    let now = start();
    let limits = Limits {
        max_packets: 3,
        ..limits()
    };
    // Of ten events those for it, and the offset it has: whether it is recovered, and what it gets then.
    type Case = (&'static [u64], u64, Option<&'static [&'static str]>);
    let cases: [Case; 8] = [
        (&[1], 1, Some(&[])),
        (&[1], 0, None),
        (&[1, 2], 1, None),
        (&[1, 9], 1, Some(&["9"])),
        (&[1, 9, 10], 1, Some(&["9", "10"])),
        (&[1, 7, 8, 10], 7, Some(&["8", "10"])),
        (&[1, 7, 8, 10], 1, None),
        (&[], 0, Some(&[])),
    ];
    for (for_it, seen, expected) in cases {
        let mut history = history(limits.clone());
        let tenure = history.begin(now, pid(1), sid(1));
        for n in 1..=10 {
            let room = if for_it.contains(&n) { "in" } else { "out" };
            history.append(now, to(room), frames(&n.to_string()));
            if for_it.contains(&n) {
                history.sent(tenure);
            }
        }
        history.leave(now, tenure, vec!["in".into()], "");
        let seen = up_to(&history, seen);
        let missed = come_back(&mut history, now, pid(1), seen).map(|(_, missed)| missed);
        let expected =
            expected.map(|texts| texts.iter().map(|text| frames(text)).collect::<Vec<_>>());
        assert_eq!(missed, expected, "{for_it:?} after {seen:?}");
    }
}

#[test]
fn what_was_sent_again_and_lost_again_is_not_skipped() {
    let now = start();
    let mut history = history(Limits {
        max_packets: 2,
        ..limits()
    });
    let tenure = history.begin(now, pid(1), sid(1));
    history.leave(now, tenure, vec![], "");
    history.append(now, everybody(), frames("1"));
    let (tenure, missed) = come_back(&mut history, now, pid(1), Seen::Nothing).unwrap();
    assert_eq!(missed, [frames("1")]);
    for _ in 0..3 {
        history.append(now, to("others"), frames("other"));
    }
    history.leave(now, tenure, vec![], "");
    assert!(come_back(&mut history, now, pid(1), Seen::Nothing).is_none());
}

#[test]
fn an_offset_from_the_future_is_not_believed() {
    let now = start();
    let mut history = history(limits());
    let tenure = history.begin(now, pid(1), sid(1));
    history.append(now, everybody(), frames("1"));
    history.leave(now, tenure, vec![], "");
    let seen = up_to(&history, 2);
    assert!(!history.claim(now, pid(1), seen).unwrap().is_whole);
    let seen = up_to(&history, u64::MAX);
    assert!(!history.claim(now, pid(1), seen).unwrap().is_whole);
}

#[test]
fn events_go_by_age_bytes_and_number() {
    let now = start();
    let kept = |limits: Limits| {
        let mut history = history(limits);
        let tenure = history.begin(now, pid(1), sid(1));
        history.leave(now + SECOND * 5, tenure, vec![], "");
        for n in 0..10 {
            history.append(now + SECOND * n, everybody(), frames("text"));
        }
        let at = now + SECOND * 9;
        (0..10)
            .find(|&n| {
                let seen = up_to(&history, n);
                history.claim(at, pid(1), seen).unwrap().is_whole
            })
            .map(|n| 10 - n)
    };
    assert_eq!(kept(limits()), Some(10));
    assert_eq!(
        kept(Limits {
            max_packets: 4,
            ..limits()
        }),
        Some(4)
    );
    assert_eq!(
        kept(Limits {
            max_bytes: 3 * 200,
            ..limits()
        }),
        Some(3)
    );
    assert_eq!(
        kept(Limits {
            retention: SECOND * 2,
            ..limits()
        }),
        Some(2)
    );
}

#[test]
fn changes_of_rooms_are_noted_within_a_bound() {
    let now = start();
    let mut history = history(limits());
    let tenure = history.begin(now, pid(1), sid(1));
    history.append(now, everybody(), frames("1"));
    history.sent(tenure);
    for n in 0..5_000 {
        history.room_changed(tenure, &"room".into(), n % 2 == 0);
    }
    history.append(now, everybody(), frames("2"));
    history.sent(tenure);
    history.leave(now, tenure, vec![], "");
    // What it was in before the first of the noted changes is not known any more.
    assert!(!history.claim(now, pid(1), Seen::Nothing).unwrap().is_whole);
    let seen = up_to(&history, 1);
    let (_, missed) = come_back(&mut history, now, pid(1), seen).unwrap();
    assert_eq!(missed, [frames("2")]);
}

#[test]
fn events_for_too_many_rooms_are_not_looked_through() {
    let now = start();
    for (rooms, is_there) in [(1_000, true), (1_001, false)] {
        let mut history = history(Limits {
            max_bytes: usize::MAX,
            ..limits()
        });
        let tenure = history.begin(now, pid(1), sid(1));
        history.leave(now, tenure, vec![sid(1)], "data");
        for _ in 0..100 {
            let target = Target {
                rooms: vec!["crowd".into(); rooms],
                except: vec![],
            };
            history.append(now, Address::Rooms(target), frames("text"));
        }
        let missed = come_back(&mut history, now, pid(1), Seen::Nothing);
        assert_eq!(missed.is_some(), is_there, "{rooms}");
    }
}
