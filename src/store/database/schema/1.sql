-- Topics (sessions of FHIRcast, `hub.topic`) and what is open in them.

CREATE TABLE topic (
    name            TEXT PRIMARY KEY,
    sequence        INTEGER NOT NULL,   -- events accepted so far
    has_current     INTEGER NOT NULL,   -- 1: the context that was opened last is the current one
    is_users        INTEGER NOT NULL,   -- 1: the gateway itself has published here
    touched         TEXT NOT NULL,      -- when an event was accepted last
    told            TEXT,               -- the latest time that the gateway itself has told
    digest          BLOB NOT NULL       -- of name, sequence, has_current and is_users: shows that they are as they were written
) STRICT, WITHOUT ROWID;

CREATE TABLE context (
    topic           TEXT NOT NULL REFERENCES topic (name) ON DELETE CASCADE,
    anchor_type     TEXT NOT NULL,
    anchor_id       TEXT NOT NULL,
    event           TEXT NOT NULL,      -- JSON: the open, as it was published
    resources       TEXT NOT NULL,      -- JSON: the type and id of each resource of the open's context
    fingerprint     INTEGER NOT NULL,   -- of the request that published it
    occurred        TEXT,               -- when it happened, by its source
    version         TEXT NOT NULL,      -- context.versionId
    prior           TEXT,               -- context.priorVersionId
    opened_at       INTEGER NOT NULL,   -- the place of its open in the topic's order
    since           TEXT NOT NULL,      -- what happened before was not meant for it
    digest          BLOB NOT NULL,      -- of topic, anchor, event and resources
    PRIMARY KEY (topic, anchor_type, anchor_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE content (
    id              INTEGER PRIMARY KEY, -- in the order in which it was shared
    topic           TEXT NOT NULL,
    anchor_type     TEXT NOT NULL,
    anchor_id       TEXT NOT NULL,
    resource_type   TEXT NOT NULL,
    resource_id     TEXT NOT NULL,
    resource        TEXT NOT NULL,      -- JSON, as it was shared
    digest          BLOB NOT NULL,      -- of all but id
    UNIQUE (topic, anchor_type, anchor_id, resource_type, resource_id),
    FOREIGN KEY (topic, anchor_type, anchor_id) REFERENCES context ON DELETE CASCADE
) STRICT;

-- The latest events of each topic, by which one that is sent again is known.
CREATE TABLE event (
    topic           TEXT NOT NULL REFERENCES topic (name) ON DELETE CASCADE,
    sequence        INTEGER NOT NULL,
    id              TEXT NOT NULL,
    fingerprint     INTEGER NOT NULL,
    version         TEXT,               -- of the context, as it was distributed
    prior           TEXT,
    answered        TEXT,               -- the version that its publisher was told
    partial         INTEGER NOT NULL,
    id_was_taken    INTEGER NOT NULL,
    failed          INTEGER NOT NULL DEFAULT 0, -- 1: a SyncError was raised about it
    PRIMARY KEY (topic, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE subscription (
    id              INTEGER PRIMARY KEY, -- in the order of subscribing
    endpoint        BLOB NOT NULL UNIQUE, -- SHA-256 of the secret in the endpoint's URL
    topic           TEXT NOT NULL REFERENCES topic (name) ON DELETE CASCADE,
    mount           TEXT NOT NULL,
    events          TEXT NOT NULL,      -- JSON: hub.events, as the subscriber spells them
    expires         TEXT NOT NULL,
    connects_by     TEXT,               -- it has not connected yet, and is dropped if it has not by then
    name            TEXT,               -- subscriber.name
    alias           TEXT,               -- the endpoint that its client has made up
    principal       TEXT NOT NULL,      -- on whose behalf it was made
    scopes          TEXT NOT NULL,
    callback        TEXT,               -- a webhook's URL
    secret          BLOB,               -- a webhook's hub.secret, sealed with the site's key
    digest          BLOB NOT NULL       -- of endpoint, topic, mount, events, principal, scopes and callback
) STRICT;
CREATE INDEX subscription_topic ON subscription (topic);

-- Who sits where, as messages have told it.
CREATE TABLE session (
    topic           TEXT PRIMARY KEY,
    user            TEXT,
    workstation     TEXT,
    seen            TEXT NOT NULL,
    messages        INTEGER NOT NULL,
    digest          BLOB NOT NULL       -- of topic, user and workstation
) STRICT, WITHOUT ROWID;

-- What came in, and what became of it.

CREATE TABLE message (
    id              INTEGER PRIMARY KEY, -- in the order of arrival
    received        TEXT NOT NULL,
    source          TEXT NOT NULL,      -- the configured adapter
    sender          TEXT NOT NULL,      -- HL7: MSH-3 and MSH-4
    control_id      TEXT NOT NULL,      -- HL7: MSH-10
    kind            TEXT NOT NULL,      -- HL7: ORM^O01
    mapping         TEXT,
    outcome         TEXT NOT NULL,      -- accepted, too old, ignored, rejected, unavailable, duplicate
    reason          TEXT,
    topic           TEXT,               -- of its first event
    events          TEXT NOT NULL,      -- JSON: name and id of each event
    microseconds    INTEGER NOT NULL,   -- from its arrival until its answer was committed
    resend_of       INTEGER,            -- the message that this is a resend of
    raw             BLOB                -- as received; none of a resend
) STRICT;
CREATE INDEX message_received ON message (received);
CREATE INDEX message_control_id ON message (control_id);

-- Patients that a message's events are about.
CREATE TABLE message_patient (
    message         INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    identifier      TEXT NOT NULL,      -- Patient.identifier.value
    PRIMARY KEY (identifier, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_patient_message ON message_patient (message);

-- Answers, by which a resend is known and answered as before.
CREATE TABLE answer (
    name            BLOB NOT NULL,      -- of source, sender and control id, hashed
    body            BLOB NOT NULL,      -- SHA-256 of the bytes
    message         INTEGER NOT NULL,
    answered        TEXT NOT NULL,
    outcome         TEXT NOT NULL,      -- JSON
    PRIMARY KEY (name, body)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_answered ON answer (answered);

-- Messages that somebody must look at: refused, or without a mapping where one is required.
CREATE TABLE dead_letter (
    message         INTEGER PRIMARY KEY REFERENCES message (id) ON DELETE CASCADE,
    reason          TEXT NOT NULL,
    handled         TEXT,               -- when somebody said that it is
    handled_by      TEXT,
    note            TEXT
) STRICT;

-- Messages that were handled again, with the mappings of that time.
CREATE TABLE reprocessing (
    id              INTEGER PRIMARY KEY,
    message         INTEGER NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    at              TEXT NOT NULL,
    operator        TEXT NOT NULL,
    mapping         TEXT,
    outcome         TEXT NOT NULL,
    reason          TEXT,
    events          TEXT NOT NULL       -- JSON: name and id of each event
) STRICT;
CREATE INDEX reprocessing_message ON reprocessing (message);
