//! What each operation may allocate: the one table to be lowered when something became better.
//!
//! A message that is decoded stays a slice of what was read, an event is encoded once for all its receivers, and what
//! goes through a queue counts references: those are the zeros.

/// Each operation in the order in which they are counted, and its most allocations.
pub const BUDGET: &[(&str, u32)] = &[
    // Engine.IO.
    ("decode a text packet", 0),
    ("decode a payload of 10 packets", 0),
    ("decode a payload of 10 packets of protocol 3", 0),
    ("encode a payload of 1 packet", 0),
    ("encode a payload of 10 packets", 2),
    ("encode a payload of 10 packets of protocol 3", 12),
    ("a session receives a message", 0),
    ("a session sends a message", 0),
    // Socket.IO.
    ("decode an event", 0),
    ("decode an event of another namespace", 0),
    ("put an event with one attachment together", 4),
    ("decode an event by MessagePack", 4),
    ("parse a number", 0),
    ("parse a string", 1),
    ("parse an object with one string", 1),
    ("check that arguments are JSON", 1),
    ("encode an event", 1),
    ("encode an event for another namespace", 1),
    ("encode an answer", 1),
    ("encode an event with one attachment", 3),
    ("encode an event by MessagePack", 6),
    ("select everybody", 0),
    ("ask for a member of a room", 0),
    ("select one room", 0),
    ("select all but one room", 1),
    ("join a room that is there and leave it", 0),
    // A whole server.
    ("answer an event", 4),
    ("answer 8 events that come at once", 32),
    ("answer an event with an object of 1 kB", 10),
    ("answer an event with an attachment of 1 kB", 10),
    ("emit an event to one socket", 2),
    ("a connection by WebSocket into a namespace", 47),
    ("answer an event by long-polling", 15),
    ("answer 8 events of one body by long-polling", 45),
    ("emit an event to everybody", 4),
    ("for each receiver of it", 0),
    ("emit an event to a room", 7),
    ("for each member of the room", 0),
    ("emit an event to everybody, with recovery", 6),
    ("for each receiver of it, with recovery", 0),
];
