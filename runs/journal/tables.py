"""The journal's tables. `user_version` counts the layout; an older one is renewed, an unknown one is refused."""

from __future__ import annotations

LAYOUT_VERSION = 3

DDL = """
CREATE TABLE IF NOT EXISTS runs (
    run_id      TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    cloud       TEXT NOT NULL,
    created_at  REAL NOT NULL,
    run_file    TEXT NOT NULL,
    spec_text   TEXT NOT NULL,
    spec_sha256 TEXT NOT NULL,
    state       TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS stages (
    run_id     TEXT NOT NULL REFERENCES runs (run_id),
    stage      TEXT NOT NULL,
    state      TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at   REAL,
    summary    TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, stage)
) STRICT;

-- One row per cloud resource; each time is written before (intended) or after (confirmed) the effect.
CREATE TABLE IF NOT EXISTS effects (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id             TEXT NOT NULL REFERENCES runs (run_id),
    kind               TEXT NOT NULL,
    name               TEXT NOT NULL,
    resource_id        TEXT NOT NULL,
    create_intended_at REAL,
    created_at         REAL,
    delete_intended_at REAL,
    gone_at            REAL,
    UNIQUE (run_id, resource_id)
) STRICT;

-- What a stage learned and the next ones need: one JSON object per kind of fact.
CREATE TABLE IF NOT EXISTS facts (
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    kind   TEXT NOT NULL,
    at     REAL NOT NULL,
    value  TEXT NOT NULL,
    PRIMARY KEY (run_id, kind)
) STRICT;

CREATE TABLE IF NOT EXISTS events (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    at     REAL NOT NULL,
    text   TEXT NOT NULL,
    kind   TEXT NOT NULL DEFAULT ''
) STRICT;

-- One row per try to rent a machine somewhere; `outcome` is empty while it goes on, or when its client was killed.
CREATE TABLE IF NOT EXISTS attempts (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id   TEXT NOT NULL REFERENCES runs (run_id),
    at       REAL NOT NULL,
    ended_at REAL,
    region   TEXT NOT NULL,
    zone     TEXT,
    size     TEXT NOT NULL,
    spot     INTEGER NOT NULL,
    outcome  TEXT NOT NULL DEFAULT '',
    code     TEXT NOT NULL DEFAULT '',
    fact     TEXT NOT NULL DEFAULT ''
) STRICT;

-- One row per stretch of time in which something cost money; `ended_at` is empty while it goes on.
CREATE TABLE IF NOT EXISTS charges (
    seq              INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id           TEXT NOT NULL REFERENCES runs (run_id),
    component        TEXT NOT NULL,
    detail           TEXT NOT NULL,
    resource_id      TEXT NOT NULL,
    dollars_per_hour REAL NOT NULL,
    basis            TEXT NOT NULL,
    began_at         REAL NOT NULL,
    ended_at         REAL
) STRICT;

CREATE TABLE IF NOT EXISTS leases (
    run_id       TEXT PRIMARY KEY REFERENCES runs (run_id),
    holder       TEXT NOT NULL,
    host         TEXT NOT NULL,
    pid          INTEGER NOT NULL,
    heartbeat_at REAL NOT NULL
) STRICT;
"""

# What makes the next layout of each older one.
RENEWALS = {2: "ALTER TABLE events ADD COLUMN kind TEXT NOT NULL DEFAULT ''"}
