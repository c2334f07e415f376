//! Rooms against a plain list of who is where.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn rooms() -> Rooms<&'static str> {
    Rooms::new(RoomLimits::default())
}

fn target(rooms: &[&str], except: &[&str]) -> Target {
    let list = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
    Target {
        rooms: list(rooms),
        except: list(except),
    }
}

fn selected(rooms: &Rooms<&'static str>, target: &Target) -> Vec<&'static str> {
    let mut list = Vec::new();
    rooms.select(target, |value| list.push(*value));
    list
}

/// `a` and `b` in room x, `b` and `c` in room y.
fn three() -> (Rooms<&'static str>, [Member; 3]) {
    let mut rooms = rooms();
    let members = ["a", "b", "c"].map(|id| rooms.insert(id.into(), id));
    for (member, room) in [(0, "x"), (1, "x"), (1, "y"), (2, "y")] {
        rooms.join(members[member], room.into()).unwrap();
    }
    (rooms, members)
}

#[test]
fn a_target_is_a_union_without_the_excepted() {
    let (rooms, _) = three();
    let table: [(&[&str], &[&str], &[&str]); 10] = [
        (&[], &[], &["a", "b", "c"]),
        (&["x"], &[], &["a", "b"]),
        (&["x", "y"], &[], &["a", "b", "c"]),
        (&["x", "x"], &[], &["a", "b"]),
        (&["x", "y"], &["b"], &["a", "c"]),
        (&[], &["x"], &["c"]),
        (&["y"], &["x", "c"], &[]),
        (&["a", "y"], &[], &["a", "b", "c"]),
        (&["nobody"], &[], &[]),
        (&["x"], &["nobody"], &["a", "b"]),
    ];
    for (to, except, expected) in table {
        assert_eq!(
            selected(&rooms, &target(to, except)),
            expected,
            "{to:?} except {except:?}"
        );
    }
}

#[test]
fn a_member_is_in_its_own_room_until_it_leaves_it() {
    let (mut rooms, [a, b, _]) = three();
    assert_eq!(rooms.rooms_of(a), ["a".into(), "x".into()]);
    assert_eq!(selected(&rooms, &target(&["a"], &[])), ["a"]);
    rooms.join(b, "a".into()).unwrap();
    assert_eq!(
        selected(&rooms, &target(&["a"], &[])),
        ["a", "b"],
        "others may join it"
    );
    rooms.leave(a, "a");
    assert_eq!(selected(&rooms, &target(&["a"], &[])), ["b"]);
    assert_eq!(rooms.rooms_of(a), ["x".into()]);
    rooms.join(a, "a".into()).unwrap();
    assert_eq!(selected(&rooms, &target(&["a"], &[])), ["a", "b"]);
}

#[test]
fn empty_rooms_vanish() {
    let (mut rooms, [a, b, c]) = three();
    assert_eq!(rooms.room_count(), 2);
    rooms.leave(a, "x");
    rooms.leave(a, "x");
    assert_eq!(rooms.room_count(), 2);
    assert_eq!(rooms.remove(b), Some("b"));
    assert_eq!(rooms.room_count(), 1);
    assert_eq!(rooms.remove(c), Some("c"));
    assert_eq!(rooms.room_count(), 0);
    assert_eq!(
        (rooms.member_count(), rooms.get("b"), rooms.get("a")),
        (1, None, Some(&"a"))
    );
}

#[test]
fn a_key_is_of_no_use_once_its_member_is_gone() {
    let mut rooms = rooms();
    let old = rooms.insert("old".into(), "old");
    rooms.remove(old);
    let new = rooms.insert("new".into(), "new");
    assert_eq!(rooms.join(old, "x".into()), Err(JoinError::Disconnected));
    rooms.leave(old, "new");
    assert_eq!(rooms.remove(old), None);
    assert_eq!(rooms.rooms_of(old), [] as [Room; 0]);
    assert_eq!(rooms.rooms_of(new), ["new".into()]);
}

#[test]
fn joins_are_bounded() {
    let limits = RoomLimits {
        max_rooms_per_socket: 2,
        max_rooms: 3,
    };
    let mut rooms = Rooms::new(limits);
    let [a, b] = ["a", "b"].map(|id| rooms.insert(id.into(), ()));
    for room in ["1", "2", "2", "a"] {
        assert_eq!(rooms.join(a, room.into()), Ok(()), "{room}");
    }
    assert_eq!(rooms.join(a, "3".into()), Err(JoinError::TooManyRooms));
    assert_eq!(rooms.join(b, "3".into()), Ok(()));
    assert_eq!(rooms.join(b, "4".into()), Err(JoinError::RoomLimit));
    assert_eq!(
        rooms.join(b, "1".into()),
        Ok(()),
        "an existing room is no new one"
    );
    rooms.leave(b, "3");
    assert_eq!(
        rooms.join(b, "4".into()),
        Ok(()),
        "a room that vanished makes place"
    );
    assert_eq!(
        rooms.join(b, "n".repeat(256).into()),
        Err(JoinError::NameTooLong)
    );
}

#[test]
fn memory_is_given_back_after_a_mass_disconnect() {
    let mut rooms = Rooms::new(RoomLimits::default());
    let members: Vec<_> = (0..10_000)
        .map(|n| rooms.insert(n.to_string().into(), n))
        .collect();
    for (n, member) in members.iter().enumerate() {
        rooms.join(*member, format!("room {n}").into()).unwrap();
    }
    for member in &members[3..] {
        rooms.remove(*member);
    }
    assert!(rooms.slots.capacity() < 100, "{}", rooms.slots.capacity());
    assert!(rooms.free.capacity() < 100, "{}", rooms.free.capacity());
    assert!(rooms.by_id.capacity() < 100, "{}", rooms.by_id.capacity());
    assert!(rooms.rooms.capacity() < 100, "{}", rooms.rooms.capacity());
    assert_eq!(rooms.member_count(), 3);
}

#[derive(Debug, Clone)]
enum Step {
    Insert,
    Remove(usize),
    Join(usize, &'static str),
    Leave(usize, &'static str),
    Select(Vec<&'static str>, Vec<&'static str>),
}

fn step() -> impl Strategy<Value = Step> {
    let room = prop::sample::select(&["x", "y", "z", "0", "1", "2"][..]);
    let some = prop::collection::vec(room.clone(), 0..3);
    prop_oneof![
        Just(Step::Insert),
        (0..8_usize).prop_map(Step::Remove),
        (0..8_usize, room.clone()).prop_map(|(member, room)| Step::Join(member, room)),
        (0..8_usize, room).prop_map(|(member, room)| Step::Leave(member, room)),
        (some.clone(), some).prop_map(|(to, except)| Step::Select(to, except)),
    ]
}

proptest! {
    /// The obvious way: for each member the list of its rooms, its own among them.
    #[test]
    fn selection_agrees_with_the_obvious_way(steps in prop::collection::vec(step(), 0..40)) {
        let mut rooms = Rooms::new(RoomLimits::default());
        let mut members: Vec<Member> = Vec::new();
        let mut naive: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert => {
                    let number = members.len();
                    members.push(rooms.insert(number.to_string().into(), number));
                    naive.insert(number, [number.to_string()].into());
                }
                Step::Remove(number) => {
                    let Some(&member) = members.get(number) else { continue };
                    prop_assert_eq!(rooms.remove(member).is_some(), naive.remove(&number).is_some());
                }
                Step::Join(number, room) => {
                    let Some(&member) = members.get(number) else { continue };
                    let joined = rooms.join(member, room.into()).is_ok();
                    let expected = naive.get_mut(&number).map(|list| list.insert(room.into()));
                    prop_assert_eq!(joined, expected.is_some());
                }
                Step::Leave(number, room) => {
                    let Some(&member) = members.get(number) else { continue };
                    rooms.leave(member, room);
                    naive.get_mut(&number).map(|list| list.remove(room));
                }
                Step::Select(to, except) => {
                    let mut found = Vec::new();
                    rooms.select(&target(&to, &except), |number| found.push(*number));
                    found.sort_unstable();
                    let expected = naive.iter().filter(|(_, list)| {
                        let wanted = to.is_empty() || to.iter().any(|&room| list.contains(room));
                        wanted && !except.iter().any(|&room| list.contains(room))
                    });
                    prop_assert_eq!(found, expected.map(|(number, _)| *number).collect::<Vec<_>>());
                }
            }
        }
        for (number, member) in members.iter().enumerate() {
            let found: BTreeSet<String> =
                rooms.rooms_of(*member).iter().map(|room| room.to_string()).collect();
            prop_assert_eq!(found, naive.get(&number).cloned().unwrap_or_default());
        }
        prop_assert_eq!(rooms.member_count(), naive.len());
    }
}

#[test]
fn a_room_exists_while_somebody_is_in_it() {
    let mut rooms = Rooms::new(RoomLimits::default());
    let member = rooms.insert("id".into(), ());
    assert!(rooms.exists("id") && rooms.is_in(member, "id"));
    assert!(!rooms.exists("room") && !rooms.is_in(member, "room"));
    rooms.join(member, "room".into()).unwrap();
    assert!(rooms.exists("room") && rooms.is_in(member, "room"));
    rooms.leave(member, "room");
    rooms.leave(member, "id");
    assert!(!rooms.exists("room") && !rooms.exists("id") && !rooms.is_in(member, "id"));
    rooms.remove(member);
    assert!(!rooms.is_in(member, "id"));
}

#[test]
fn an_id_in_use_becomes_that_of_the_new_member() {
    let mut rooms = Rooms::new(RoomLimits::default());
    let old = rooms.insert("id".into(), "old");
    let new = rooms.insert("id".into(), "new");
    assert_eq!(rooms.remove(old), Some("old"));
    assert_eq!(rooms.get("id"), Some(&"new"));
    assert!(rooms.exists("id") && rooms.is_in(new, "id"));
    rooms.remove(new);
    assert!(!rooms.exists("id"));
}
