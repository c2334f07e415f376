//! What it costs in time to join and to leave rooms, and to find whom a broadcast reaches and queue it for them, with the
//! allocations of each: `cargo bench -p socketio --bench rooms`.

use std::{sync::Arc, time::Instant};

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use engineio::{
    Config, Sid, Transport,
    dialect::Dialect,
    session::{Session, Wire},
};
use socketio::{
    encode::Draft,
    rooms::{Member, Room, RoomLimits, Rooms, Target},
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// How many members a room has.
const MEMBERS: [usize; 3] = [10, 100, 1_000];

#[divan::bench(args = MEMBERS)]
fn join_and_leave(bencher: Bencher<'_, '_>, count: usize) {
    let (mut rooms, members) = filled(count);
    let (member, room) = (members[count / 2], Room::from("big"));
    bencher.bench_local(|| {
        rooms.leave(member, black_box("big"));
        rooms.join(member, room.clone())
    });
}

#[divan::bench(args = MEMBERS)]
fn come_and_go(bencher: Bencher<'_, '_>, count: usize) {
    let (mut rooms, _) = filled(count);
    let (id, room) = (Room::from("somebody"), Room::from("big"));
    bencher.bench_local(|| {
        let member = rooms.insert(id.clone(), 1);
        rooms.join(member, room.clone()).expect("room for one more");
        rooms.remove(member)
    });
}

#[divan::bench(args = MEMBERS)]
fn select_room(bencher: Bencher<'_, '_>, count: usize) {
    select(bencher, count, &["big"], &[]);
}

#[divan::bench(args = MEMBERS)]
fn select_everybody(bencher: Bencher<'_, '_>, count: usize) {
    select(bencher, count, &[], &[]);
}

#[divan::bench(args = MEMBERS)]
fn select_all_but_a_room(bencher: Bencher<'_, '_>, count: usize) {
    select(bencher, count, &[], &["small"]);
}

fn select(bencher: Bencher<'_, '_>, count: usize, rooms: &[&str], except: &[&str]) {
    let names = |names: &[&str]| names.iter().map(|name| Room::from(*name)).collect();
    let target = Target {
        rooms: names(rooms),
        except: names(except),
    };
    let (rooms, _) = filled(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut sum = 0;
        rooms.select(black_box(&target), |number| sum += number);
        sum
    });
}

/// An event is encoded once, then queued for each session and taken for its wire.
#[divan::bench(args = MEMBERS)]
fn broadcast(bencher: Bencher<'_, '_>, count: usize) {
    let mut sessions: Vec<(Session, Wire)> = (0..count).map(|_| session()).collect();
    let mut batch = Vec::new();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let draft = Draft::event("news", black_box(&("some text",))).expect("JSON");
        let frames = draft.frames("/", None);
        for (session, wire) in &mut sessions {
            session.send(frames.as_slice()).expect("open");
            batch.clear();
            session.poll_transmit(*wire, &mut batch);
        }
        batch.len()
    });
}

/// So many members in a room, and one of them in another one.
fn filled(count: usize) -> (Rooms<u64>, Vec<Member>) {
    let mut rooms = Rooms::new(RoomLimits::default());
    let (big, small) = (Room::from("big"), Room::from("small"));
    let members = (0..count).map(|number| {
        let member = rooms.insert(format!("name-{number:06}").into(), number as u64);
        rooms.join(member, big.clone()).expect("room for all");
        if number == 0 {
            rooms.join(member, small.clone()).expect("room for one");
        }
        member
    });
    let members = members.collect();
    (rooms, members)
}

/// One by WebSocket that has said who it is.
fn session() -> (Session, Wire) {
    let config = Arc::new(Config::default());
    let (sid, transport) = (Sid::from_random([0; 15]), Transport::WebSocket);
    let mut session = Session::new(now(), sid, transport, Dialect::V4, config);
    let wire = Wire::WebSocket(session.websocket_id());
    session.poll_transmit(wire, &mut Vec::new());
    (session, wire)
}

#[expect(
    clippy::disallowed_methods,
    reason = "some instant, to have one at all"
)]
fn now() -> Instant {
    Instant::now()
}
