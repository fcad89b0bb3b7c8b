-- The first schema. Ids are 16 bytes, hashes 32, times integer microseconds (UTC).
--
-- `seal` is the first 8 bytes of SHA-256 over the columns that never change after the row is written, so that a
-- flipped bit is found when the row is read. `codec` has one bit per body of its row: set means zlib.

create table meta (
    key text primary key,
    value text not null
) strict, without rowid;

create table migrations (
    version integer primary key,
    name text not null,
    checksum blob not null,
    applied_at integer not null
) strict;

-- The authority rows. Columns up to `seal` never change, the rest does. `open_n` counts the journal rows of the open
-- superstep, so that one that a damaged index hides is missed before its effect is executed again.
create table sessions (
    sid blob primary key not null,
    family blob not null,
    plan blob not null,
    graph text not null,
    seed blob not null,
    mode text not null,
    origin blob,
    origin_ckp blob,
    lineage blob not null,
    caller blob,
    caller_superstep integer,
    caller_path text,
    created_at integer not null,
    graph_version text,
    graph_file text,
    seal blob not null,
    name text,
    tags text not null,
    status text not null,
    reason text,
    epoch integer not null,
    owner blob,
    attempts integer not null,
    commit_n integer not null,
    commit_token blob,
    head_ckp blob not null,
    head_superstep integer not null,
    head_digest blob not null,
    event_n integer not null,
    input_n integer not null,
    taken_n integer not null,
    run_n integer not null,
    updated_at integer not null,
    open_n integer not null default 0
) strict;
create index sessions_updated on sessions (updated_at);
create index sessions_caller on sessions (caller, caller_superstep) where caller is not null;
create index sessions_origin on sessions (origin) where origin is not null;

-- `plan` is null where it is the plan of the session. `kind` is a place in the list of kinds.
create table checkpoints (
    ckp blob primary key not null,
    sid blob not null,
    superstep integer not null,
    kind integer not null,
    parent blob,
    plan blob,
    manifest blob not null,
    codec integer not null,
    digest blob not null,
    opened_at integer not null,
    committed_at integer not null,
    seal blob not null
) strict;
create unique index checkpoints_superstep on checkpoints (sid, superstep);

-- The hash is the check of the data.
create table blobs (
    family blob not null,
    hash blob not null,
    codec integer not null,
    size integer not null,
    data blob not null,
    primary key (family, hash)
) strict;

create table deltas (
    sid blob not null,
    channel text not null,
    superstep integer not null,
    codec integer not null,
    items blob not null,
    seal blob not null,
    primary key (sid, channel, superstep)
) strict;

create table events (
    sid blob not null,
    superstep integer not null,
    first integer not null,
    count integer not null,
    codec integer not null,
    body blob not null,
    at integer not null,
    seal blob not null,
    primary key (sid, superstep, first)
) strict;

create table effects (
    sid blob not null,
    superstep integer not null,
    path text not null,
    attempt integer not null,
    ord integer not null,
    kind text not null,
    name text not null,
    class integer not null,
    state integer not null,
    request_hash blob not null,
    codec integer not null,
    request blob,
    outcome blob,
    cost blob,
    write_key blob,
    attempt_token blob,
    tries integer not null,
    fingerprint blob,
    started_at integer not null,
    ended_at integer,
    seal blob not null,
    primary key (sid, superstep, path, attempt, ord)
) strict;
create unique index effects_write_key on effects (write_key) where write_key is not null;

create table inputs (
    sid blob not null,
    n integer not null,
    kind text not null,
    message_id text not null,
    codec integer not null,
    body blob not null,
    principal text,
    accepted_at integer not null,
    seal blob not null,
    taken_by integer,
    primary key (sid, n),
    unique (sid, message_id)
) strict;

-- `seal` covers the answer too and is written anew with it; `status` is outside.
create table interrupts (
    iid blob primary key not null,
    sid blob not null,
    superstep integer not null,
    path text not null,
    node text not null,
    kind text not null,
    codec integer not null,
    question blob not null,
    opened_at integer not null,
    expires_at integer,
    answer blob,
    answered_by text,
    answered_at integer,
    seal blob not null,
    status text not null
) strict;
create index interrupts_session on interrupts (sid);
create index interrupts_open on interrupts (opened_at) where status = 'open';
