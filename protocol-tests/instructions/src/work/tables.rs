//! What a namespace and its sockets remember: rooms, acks, the history of recovery.

use std::time::Duration;

use engineio::Frame;
use socketio::{
    acks::Acks,
    encode::Frames,
    recovery::{Address, Epoch, History, Limits, Pid, Seen},
    rooms::{Member, Room, RoomLimits, Rooms, Target},
};

use super::{compare, engine::now, flat, linear, shared};
use crate::Comparison;

pub fn comparisons() -> Vec<Comparison> {
    let mut all = rooms();
    all.extend(histories());
    all.push(flat("wait for an answer and get it", |count| {
        let mut acks = Acks::default();
        for id in 0..count as u64 {
            acks.insert(id, (), count + 1).expect("room for all");
        }
        let id = count as u64;
        move || {
            acks.insert(id, (), count + 1).expect("room for one more");
            assert!(acks.take(id).is_some());
        }
    }));
    all
}

fn rooms() -> Vec<Comparison> {
    vec![
        compare(
            "select a room of 1,000",
            select(1_000),
            1.9,
            "go through a tree of 1,000",
            {
                let members = std::collections::BTreeSet::from_iter(0..1_000_u64);
                move || assert!(members.iter().sum::<u64>() > 0)
            },
        ),
        linear("select a room of 1,000", select),
        linear("select all but a room of 1,000", |count| {
            let (rooms, _) = filled(2 * count, |number| number % 2 == 0);
            let target = Target {
                rooms: Vec::new(),
                except: vec!["big".into()],
            };
            move || assert!(sum(&rooms, &target) > 0)
        }),
        flat("join a room and leave it", |count| {
            let (mut rooms, members) = filled(count, |_| true);
            let (member, room) = (members[count / 2], Room::from("big"));
            move || {
                rooms.leave(member, &room);
                rooms.join(member, room.clone()).expect("room for one more");
            }
        }),
        flat("come and go", |count| {
            let (mut rooms, _) = filled(count, |_| true);
            let (id, room) = (Room::from("somebody"), Room::from("big"));
            move || {
                let member = rooms.insert(id.clone(), 1);
                rooms.join(member, room.clone()).expect("room for one more");
                assert!(rooms.remove(member).is_some());
            }
        }),
        linear("come, join 1,000 rooms and go", |count| {
            let (mut rooms, _) = filled(1, |_| true);
            let id = Room::from("somebody");
            let names = names(count);
            move || {
                let member = rooms.insert(id.clone(), 1);
                for name in &names {
                    rooms.join(member, name.clone()).expect("room for all");
                }
                assert!(rooms.remove(member).is_some());
            }
        }),
    ]
}

fn select(count: usize) -> impl FnMut() {
    let (rooms, _) = filled(count, |_| true);
    let target = Target {
        rooms: vec!["big".into()],
        except: Vec::new(),
    };
    move || assert!(sum(&rooms, &target) > 0)
}

fn sum(rooms: &Rooms<u64>, target: &Target) -> u64 {
    let mut sum = 0;
    rooms.select(target, |number| sum += number);
    sum
}

/// So many members, of whom some are in a room.
fn filled(count: usize, is_in: impl Fn(usize) -> bool) -> (Rooms<u64>, Vec<Member>) {
    let mut rooms = Rooms::new(RoomLimits::default());
    let big = Room::from("big");
    let names = names(count).into_iter().enumerate();
    let members = names.map(|(number, name)| {
        let member = rooms.insert(name, number as u64 + 1);
        if is_in(number) {
            rooms.join(member, big.clone()).expect("room for all");
        }
        member
    });
    let members = members.collect();
    (rooms, members)
}

fn names(count: usize) -> Vec<Room> {
    (0..count)
        .map(|number| format!("name-{number:06}").into())
        .collect()
}

fn histories() -> Vec<Comparison> {
    vec![
        flat("note an event for recovery", |count| {
            let mut history = history(count, 0);
            let frames = frames();
            move || {
                let offset = history.next();
                let address = Address::Rooms(Target::default());
                history.append(now(), address, frames.clone());
                assert_eq!(history.newest(), offset);
            }
        }),
        linear("bring back a client that has missed 1,000", |count| {
            let mut history = history(10_000, count);
            let pid = Pid::from_random([7; 15]);
            move || {
                let found = history.claim(now(), pid, Seen::Nothing).expect("known");
                let resumption = history.resumption(found.claim).expect("all is there");
                assert_eq!(resumption.missed.len(), count);
                history.release(now(), found.claim);
            }
        }),
    ]
}

/// A history that is full, whose one client was cut off so many events ago.
fn history(events: usize, missed: usize) -> History<()> {
    let mut history = History::new(
        Epoch::from_random([1; 8]),
        Limits {
            max_disconnection_duration: Duration::from_secs(86_400),
            retention: Duration::from_secs(86_400),
            max_packets: events,
            max_bytes: usize::MAX,
            max_sessions: 10,
        },
    );
    for number in 0..events {
        if number + missed == events {
            let sid = Room::from("somebody");
            let tenure = history.begin(now(), Pid::from_random([7; 15]), sid.clone());
            history.leave(now(), tenure, vec![sid], ());
        }
        history.append(now(), Address::Rooms(Target::default()), frames());
    }
    history
}

fn frames() -> Frames {
    Frame::Text(shared(br#"42["news","some text","offset"]"#)).into()
}
