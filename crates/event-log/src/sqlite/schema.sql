-- Version 1. STRICT, so that a value of another type is refused and not converted.

-- One row: the name of this history, made with the database.
CREATE TABLE log (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL
) STRICT;

-- `last` is the newest offset ever given, also when the event itself is no longer kept.
CREATE TABLE streams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL CHECK (last >= 0)
) STRICT;

-- `at` is in milliseconds since 1970. `crc` is that of all other columns, see sqlite.rs.
CREATE TABLE events (
    stream  INTEGER NOT NULL REFERENCES streams (id),
    offset  INTEGER NOT NULL CHECK (offset >= 1),
    author  TEXT NOT NULL,
    key     TEXT NOT NULL,
    content BLOB NOT NULL,
    at      INTEGER NOT NULL,
    crc     INTEGER NOT NULL,
    PRIMARY KEY (stream, offset)
) STRICT, WITHOUT ROWID;

-- A retry is found by this, and an event cannot be stored twice even if it were not looked for.
CREATE UNIQUE INDEX events_by_key ON events (stream, author, key);
