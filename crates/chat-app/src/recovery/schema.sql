-- Sessions of visitors. Each row of content has a checksum over its keys and itself.
CREATE TABLE header (
  -- The start of the machine that all of this was written after.
  boot TEXT NOT NULL,
  -- How many processes there were.
  run INTEGER NOT NULL
) STRICT;

CREATE TABLE namespace (
  namespace TEXT PRIMARY KEY,
  epoch TEXT NOT NULL,
  -- The last run that had a use for it.
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  namespace TEXT NOT NULL,
  number INTEGER NOT NULL,
  content BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (namespace, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
  namespace TEXT NOT NULL,
  pid TEXT NOT NULL,
  content BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (namespace, pid)
) STRICT, WITHOUT ROWID;

CREATE TABLE value (
  namespace TEXT NOT NULL,
  pid TEXT NOT NULL,
  key TEXT NOT NULL,
  content BLOB NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (namespace, pid, key)
) STRICT, WITHOUT ROWID;
