"""The tables of `promptsim.db`, as the numbered migrations lay them down.

Numbers (`prompt_no`, `account_no`, `event_no`) are dense and stay inside; ids go outside. There is no b-tree over
random keys on purpose: one insert a key into such a tree writes a whole page each, which at millions of events costs
more than all the rest; `keys.py` finds fingerprints and event ids instead, and `columns.py` an account's events.
"""

from __future__ import annotations

EVENTS = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE accounts (
  account_no INTEGER PRIMARY KEY,
  account_id TEXT UNIQUE            -- NULL: erased
);
CREATE TABLE prompts (
  prompt_no INTEGER PRIMARY KEY,    -- dense from 0: the row of its vector in vectors.f16
  fingerprint BLOB,                 -- NULL: erased
  first_seen INTEGER NOT NULL,
  system TEXT NOT NULL,
  user TEXT NOT NULL
);
CREATE TABLE erased_prompts (prompt_no INTEGER PRIMARY KEY);
CREATE TABLE metadata (
  metadata_no INTEGER PRIMARY KEY,  -- 0 is never used: it means none
  body TEXT NOT NULL
);
CREATE TABLE events (
  event_no INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  account_no INTEGER NOT NULL,
  prompt_no INTEGER NOT NULL,
  time INTEGER NOT NULL,
  metadata_no INTEGER NOT NULL,
  turns_left_out INTEGER NOT NULL
);
-- covers "who sent this prompt, how often, when"; new prompts go to its end
CREATE INDEX events_by_prompt ON events (prompt_no, account_no, time);
CREATE TABLE batches (
  first_prompt INTEGER PRIMARY KEY,
  prompts INTEGER NOT NULL,
  digest BLOB NOT NULL              -- xxh3-64 of the batch's rows in vectors.f16
);
"""

FINDINGS = """
CREATE TABLE families (
  family_no INTEGER PRIMARY KEY,
  family_id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL, role TEXT NOT NULL, template TEXT NOT NULL, slots TEXT NOT NULL, wordings TEXT NOT NULL,
  event_count INTEGER NOT NULL, prompt_count INTEGER NOT NULL, account_count INTEGER NOT NULL,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
  commonplace REAL NOT NULL, flagged INTEGER NOT NULL, score REAL NOT NULL, p_value REAL,
  evidence TEXT NOT NULL, status TEXT NOT NULL, network_ids TEXT NOT NULL, lineage TEXT NOT NULL
);
CREATE TABLE skeletons (
  position INTEGER PRIMARY KEY,
  wording_id TEXT NOT NULL, family_id TEXT NOT NULL, shingles BLOB NOT NULL, weights BLOB NOT NULL, text TEXT NOT NULL
);
-- Rows of `Members` in blocks of raw little-endian arrays: a prompt's rows stand together and never span two blocks.
CREATE TABLE member_blocks (
  last_prompt INTEGER PRIMARY KEY, rows INTEGER NOT NULL, body BLOB NOT NULL
);
-- The same, by family: its prompts in ascending order.
CREATE TABLE family_prompts (
  family_no INTEGER NOT NULL, first_prompt INTEGER NOT NULL, prompts BLOB NOT NULL,
  PRIMARY KEY (family_no, first_prompt)
) WITHOUT ROWID;
-- Prompts that ingest put into a family since the last run.
CREATE TABLE late_members (
  prompt_no INTEGER NOT NULL, rank INTEGER NOT NULL, family_no INTEGER NOT NULL, wording INTEGER NOT NULL,
  relation INTEGER NOT NULL, filling INTEGER NOT NULL,
  PRIMARY KEY (prompt_no, rank)
) WITHOUT ROWID;
CREATE INDEX late_by_family ON late_members (family_no, prompt_no);
CREATE TABLE networks (
  position INTEGER PRIMARY KEY,
  network_id TEXT NOT NULL UNIQUE, account_ids TEXT NOT NULL, family_ids TEXT NOT NULL,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
  flagged INTEGER NOT NULL, score REAL NOT NULL, p_value REAL,
  evidence TEXT NOT NULL, status TEXT NOT NULL, membership TEXT NOT NULL
);
CREATE TABLE account_findings (
  subject_id TEXT PRIMARY KEY,
  flagged INTEGER NOT NULL, score REAL NOT NULL, p_value REAL, evidence TEXT NOT NULL, network_ids TEXT NOT NULL
) WITHOUT ROWID;
"""

REVIEW = """
CREATE TABLE runs (
  run_id TEXT PRIMARY KEY, state TEXT NOT NULL, started INTEGER NOT NULL, finished INTEGER, full INTEGER NOT NULL,
  counts TEXT NOT NULL, seconds TEXT NOT NULL, changes TEXT NOT NULL, error TEXT
);
CREATE INDEX runs_by_start ON runs (started);
CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE verdicts (
  position INTEGER PRIMARY KEY,
  verdict_id TEXT NOT NULL UNIQUE, subject_id TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
  "by" TEXT NOT NULL, time INTEGER NOT NULL
);
CREATE INDEX verdicts_by_subject ON verdicts (subject_id, position);
CREATE TRIGGER verdicts_are_not_changed BEFORE UPDATE ON verdicts
  BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
CREATE TRIGGER verdicts_are_not_deleted BEFORE DELETE ON verdicts
  BEGIN SELECT RAISE(ABORT, 'verdicts are append-only'); END;
"""

ACCESS = """
CREATE TABLE access_keys (
  key_id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, created INTEGER NOT NULL, revoked INTEGER,
  digest BLOB NOT NULL UNIQUE       -- keyed hash: the key itself is never stored
) WITHOUT ROWID;
"""

ENFORCEMENT = """
-- 'proposed': waits for a second person; accounts and events: what it touched when it was given
ALTER TABLE verdicts ADD COLUMN state TEXT NOT NULL DEFAULT 'given';
ALTER TABLE verdicts ADD COLUMN confirms TEXT;
ALTER TABLE verdicts ADD COLUMN accounts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE verdicts ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
-- Which earlier family each family goes on from, of all runs: a verdict outlives the id that it was given to.
CREATE TABLE ancestry (
  subject_id TEXT NOT NULL, ancestor_id TEXT NOT NULL, how TEXT NOT NULL,
  PRIMARY KEY (subject_id, ancestor_id)
) WITHOUT ROWID;
-- Accounts that turned up in a coordinated family after the verdict: each is told of once.
CREATE TABLE joined (
  family_id TEXT NOT NULL, account_id TEXT NOT NULL, time INTEGER NOT NULL, prompt_id TEXT NOT NULL,
  PRIMARY KEY (family_id, account_id)
) WITHOUT ROWID;
CREATE TABLE webhooks (
  webhook_id TEXT PRIMARY KEY, url TEXT NOT NULL, types TEXT NOT NULL, secret TEXT NOT NULL,
  created INTEGER NOT NULL, "by" TEXT NOT NULL, disabled INTEGER, why_disabled TEXT
) WITHOUT ROWID;
CREATE TABLE outbox (
  message_no INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, time INTEGER NOT NULL,
  account_id TEXT, body TEXT NOT NULL   -- the account that it names, if any: erasure takes such messages away
);
CREATE TABLE deliveries (
  message_no INTEGER NOT NULL, webhook_id TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,
  due INTEGER NOT NULL, last_status INTEGER, last_error TEXT, ended INTEGER,
  PRIMARY KEY (webhook_id, message_no)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (due) WHERE state = 'pending';
CREATE TABLE audit (
  entry_no INTEGER PRIMARY KEY, time INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, detail TEXT NOT NULL, digest BLOB NOT NULL
);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""

WORTH = """
ALTER TABLE skeletons ADD COLUMN worth REAL NOT NULL DEFAULT 1.0; -- how far it counts beside another: see records
"""
