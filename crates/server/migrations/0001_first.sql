-- People, rooms, what was said and how long was studied. The same text for SQLite and PostgreSQL: TEXT and BIGINT only; times
-- are milliseconds since the Unix epoch, truths are 0 and 1, ids are random and opaque.
-- A person is "u:" and an account's id, or "g:" and a guest's id.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    -- In lower case; NULL where only OpenID Connect is used.
    email TEXT UNIQUE,
    -- argon2id, as a PHC string.
    password_hash TEXT,
    display_name TEXT NOT NULL,
    is_admin BIGINT NOT NULL DEFAULT 0,
    -- IANA name.
    time_zone TEXT NOT NULL DEFAULT 'UTC',
    on_leaderboard BIGINT NOT NULL DEFAULT 0,
    -- Days of the week that do not end a streak: bit 0 is Monday.
    rest_days BIGINT NOT NULL DEFAULT 0,
    oidc_issuer TEXT,
    oidc_subject TEXT,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (oidc_issuer, oidc_subject)
);

CREATE TABLE guests (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    -- The account that took over what the guest had studied.
    claimed_by TEXT REFERENCES users (id) ON DELETE SET NULL
);
CREATE INDEX guests_by_claim ON guests (claimed_by);

CREATE TABLE refresh_tokens (
    -- SHA-256 in hexadecimal: the token itself is never stored.
    token_hash TEXT PRIMARY KEY,
    -- All that came of one login.
    family TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issued_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    -- When it was exchanged for its successor.
    used_at_ms BIGINT,
    revoked_at_ms BIGINT
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_by_user ON refresh_tokens (user_id);

CREATE TABLE rooms (
    id TEXT PRIMARY KEY,
    -- Seeded rooms come first, in this order; 0 for those that people made.
    position BIGINT NOT NULL DEFAULT 0,
    name TEXT NOT NULL,
    topic TEXT NOT NULL DEFAULT '',
    -- BCP 47, such as "en"; empty: not said.
    language TEXT NOT NULL DEFAULT '',
    -- 0: as configured.
    capacity BIGINT NOT NULL,
    -- public, unlisted or private.
    visibility TEXT NOT NULL DEFAULT 'public',
    password_hash TEXT,
    owner_id TEXT REFERENCES users (id) ON DELETE SET NULL,
    -- JSON, as in the protocol.
    policy TEXT NOT NULL,
    locked BIGINT NOT NULL DEFAULT 0,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE memberships (
    room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- host, moderator or member.
    role TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, user_id)
);

-- Guests who came into a private room by its password or an invitation once.
CREATE TABLE passes (
    room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    person TEXT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (room_id, person)
);

CREATE TABLE invites (
    token_hash TEXT PRIMARY KEY,
    room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    uses_left BIGINT NOT NULL
);

CREATE TABLE bans (
    id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    -- person, or address: then the subject is a keyed hash of its prefix.
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    display_name TEXT NOT NULL DEFAULT '',
    by_person TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    created_at_ms BIGINT NOT NULL,
    -- NULL: for good.
    expires_at_ms BIGINT
);
CREATE INDEX bans_by_room ON bans (room_id);

CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    person TEXT NOT NULL,
    participant_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    content TEXT NOT NULL,
    kind TEXT NOT NULL,
    sent_at_ms BIGINT NOT NULL
);
CREATE INDEX messages_by_room ON messages (room_id, sent_at_ms, id);
CREATE INDEX messages_by_person ON messages (person, sent_at_ms);

CREATE TABLE goals (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    room_id TEXT NOT NULL,
    text TEXT NOT NULL,
    done BIGINT NOT NULL DEFAULT 0,
    recap TEXT,
    set_at_ms BIGINT NOT NULL,
    done_at_ms BIGINT
);
CREATE INDEX goals_by_person ON goals (person, set_at_ms);

-- The clock of each room as it was last changed, so that a restart shows the same phase.
CREATE TABLE clocks (
    room_id TEXT PRIMARY KEY,
    -- JSON, of the server's own making.
    state TEXT NOT NULL,
    changed_at_ms BIGINT NOT NULL
);

-- One visit of a person to a room, as far as it was studied.
CREATE TABLE study_sessions (
    id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    room_id TEXT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT NOT NULL,
    studied_ms BIGINT NOT NULL
);
CREATE INDEX study_sessions_by_person ON study_sessions (person, started_at_ms);
CREATE INDEX study_sessions_by_room ON study_sessions (room_id, started_at_ms);

-- Its stretches of uninterrupted study: what summaries by day are made of.
CREATE TABLE study_phases (
    session_id TEXT NOT NULL REFERENCES study_sessions (id) ON DELETE CASCADE,
    started_at_ms BIGINT NOT NULL,
    ended_at_ms BIGINT NOT NULL,
    -- focus, or free where no clock ran.
    kind TEXT NOT NULL,
    PRIMARY KEY (session_id, started_at_ms)
);

CREATE TABLE moderation_log (
    id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    by_person TEXT NOT NULL,
    by_name TEXT NOT NULL,
    action TEXT NOT NULL,
    target_person TEXT NOT NULL DEFAULT '',
    target_name TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    at_ms BIGINT NOT NULL
);
CREATE INDEX moderation_log_by_room ON moderation_log (room_id, at_ms);

CREATE TABLE reports (
    id TEXT PRIMARY KEY,
    room_id TEXT NOT NULL,
    by_person TEXT NOT NULL,
    by_name TEXT NOT NULL,
    target_person TEXT NOT NULL,
    target_name TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- JSON: the last messages.
    context TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    handled_at_ms BIGINT,
    handled_by TEXT
);
CREATE INDEX reports_by_time ON reports (at_ms);

CREATE TABLE audit_log (
    id TEXT PRIMARY KEY,
    -- A person, or empty: the server itself.
    by_person TEXT NOT NULL,
    action TEXT NOT NULL,
    -- JSON.
    detail TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (at_ms);

-- Small values that must survive a restart, such as the hash of the administrator's one-time code.
CREATE TABLE kept_values (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
