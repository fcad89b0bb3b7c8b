-- The first schema. Its tables hold what those of SQLite hold: ids are 16 bytes, hashes 32, times integer microseconds
-- (UTC), seals the same. Only leases compare times inside the database, by its own clock.
--
-- Texts that are ordered or searched have the collation "C": Python's order, whatever the locale of the database.

create table meta (
    key text primary key,
    value text not null
);

create table migrations (
    version integer primary key,
    name text not null,
    checksum bytea not null,
    applied_at timestamptz not null default clock_timestamp()
);

-- `server_start` is when the server started that held the worker's lock: another one can't hold it.
create table workers (
    worker bytea primary key,
    address text not null,
    server_start timestamptz not null,
    lease_until timestamptz not null
);

-- The authority rows. Columns up to `seal` never change, nor does `carried`; the rest does.
create table sessions (
    sid bytea primary key,
    family bytea not null,
    plan bytea not null,
    graph text collate "C" not null,
    seed bytea not null,
    mode text not null,
    origin bytea,
    origin_ckp bytea,
    lineage bytea not null,
    caller bytea,
    caller_superstep bigint,
    caller_path text,
    created_at bigint not null,
    graph_version text,
    graph_file text,
    seal bytea not null,
    name text collate "C",
    tags text not null,
    status text not null,
    reason text,
    epoch bigint not null,
    owner bytea,
    attempts integer not null,
    commit_n bigint not null,
    commit_token bytea,
    head_ckp bytea not null,
    head_superstep bigint not null,
    head_digest bytea not null,
    event_n bigint not null,
    input_n bigint not null,
    taken_n bigint not null,
    run_n bigint not null,
    updated_at bigint not null,
    carried bytea
) with (fillfactor = 70);
create index sessions_updated on sessions (updated_at);
create index sessions_caller on sessions (caller, caller_superstep) where caller is not null;
create index sessions_origin on sessions (origin) where origin is not null;
create index sessions_to_do on sessions (updated_at)
    where caller is null and (status = 'running' or input_n > taken_n) and status not in ('poisoned', 'corrupt');

-- `kind` is a place in the list of kinds.
create table checkpoints (
    ckp bytea primary key,
    sid bytea not null,
    superstep bigint not null,
    kind smallint not null,
    parent bytea,
    plan bytea,
    manifest bytea not null,
    codec smallint not null,
    digest bytea not null,
    opened_at bigint not null,
    committed_at bigint not null,
    seal bytea not null
);
create unique index checkpoints_superstep on checkpoints (sid, superstep);

-- The hash is the check of the data.
create table blobs (
    family bytea not null,
    hash bytea not null,
    codec smallint not null,
    size bigint not null,
    data bytea not null,
    primary key (family, hash)
);

create table deltas (
    sid bytea not null,
    channel text collate "C" not null,
    superstep bigint not null,
    codec smallint not null,
    items bytea not null,
    seal bytea not null,
    primary key (sid, channel, superstep)
);

-- `first` is outside the seal.
create table events (
    sid bytea not null,
    superstep bigint not null,
    first bigint not null,
    count integer not null,
    codec smallint not null,
    body bytea not null,
    at bigint not null,
    seal bytea not null,
    primary key (sid, superstep, first)
);

create table effects (
    sid bytea not null,
    superstep bigint not null,
    path text collate "C" not null,
    attempt integer not null,
    ord integer not null,
    kind text not null,
    name text not null,
    class smallint not null,
    state smallint not null,
    request_hash bytea not null,
    codec smallint not null,
    request bytea,
    outcome bytea,
    cost bytea,
    write_key bytea,
    attempt_token bytea,
    tries integer not null,
    fingerprint bytea,
    started_at bigint not null,
    ended_at bigint,
    seal bytea not null,
    primary key (sid, superstep, path, attempt, ord)
);
create unique index effects_write_key on effects (write_key) where write_key is not null;

-- `n` is outside the seal. `content` is a hash of kind and body: what makes two messages of one id the same.
create table inputs (
    sid bytea not null,
    n bigint not null,
    kind text not null,
    message_id text collate "C" not null,
    codec smallint not null,
    body bytea not null,
    principal text,
    accepted_at bigint not null,
    seal bytea not null,
    taken_by bigint,
    content bytea not null,
    primary key (sid, n),
    unique (sid, message_id)
);
create index inputs_untaken on inputs (sid, n) where taken_by is null;

-- `seal` covers the answer too and is written anew with it; `status` is outside.
create table interrupts (
    iid bytea primary key,
    sid bytea not null,
    superstep bigint not null,
    path text not null,
    node text not null,
    kind text not null,
    codec smallint not null,
    question bytea not null,
    opened_at bigint not null,
    expires_at bigint,
    answer bytea,
    answered_by text,
    answered_at bigint,
    seal bytea not null,
    status text not null
);
create index interrupts_session on interrupts (sid);
create index interrupts_open on interrupts (opened_at) where status = 'open';

-- Results of nodes with `cache`, of all sessions. `hash` is SHA-256 of the data as it was given.
create table cache (
    key bytea primary key,
    hash bytea not null,
    codec smallint not null,
    data bytea not null,
    expires_at bigint
);
create index cache_expires on cache (expires_at) where expires_at is not null;

-- The clock of leases. A test moves it by a setting of its own.
create function ga_now() returns timestamptz language sql volatile as $$
    select clock_timestamp() + coalesce(nullif(current_setting('graphagent.clock_offset', true), ''), '0')::interval
$$;

-- The key of a worker's lock.
create function ga_lock(p_worker bytea) returns bigint language sql immutable as $$
    select ('x' || encode(substr(p_worker, 1, 8), 'hex'))::bit(64)::bigint
$$;

-- Be alive as a worker while this connection lives and its lease is renewed. False if another connection is.
create function ga_hold(p_worker bytea, p_address text, p_ttl interval) returns boolean language plpgsql volatile as $$
begin
    if not pg_try_advisory_lock(ga_lock(p_worker)) then
        return false;
    end if;
    insert into workers values (p_worker, p_address, pg_postmaster_start_time(), ga_now() + p_ttl)
    on conflict (worker) do update
        set address = excluded.address, server_start = excluded.server_start, lease_until = excluded.lease_until;
    return true;
end $$;

-- The address of a worker that lives; null if it is dead: its lease has ended, or the connection that held its lock.
create function ga_alive(p_worker bytea) returns text language plpgsql volatile as $$
declare
    w workers;
begin
    select * into w from workers where worker = p_worker;
    if not found or w.lease_until <= ga_now() then
        return null;
    end if;
    if w.server_start = pg_postmaster_start_time() and pg_try_advisory_xact_lock_shared(ga_lock(p_worker)) then
        return null;
    end if;
    return w.address;
end $$;

-- Number and store an input; the row that is there if it came before. GA404: no session. GA409: another content.
create function ga_accept(
    p_sid bytea, p_kind text, p_message_id text, p_codec smallint, p_body bytea, p_principal text, p_at bigint,
    p_seal bytea, p_content bytea
) returns inputs language plpgsql volatile as $$
declare
    r inputs;
    v_n bigint;
begin
    perform 1 from sessions where sid = p_sid for no key update;
    if not found then
        raise exception 'no such session' using errcode = 'GA404', detail = encode(p_sid, 'hex');
    end if;
    -- Another statement: it sees what whoever held the row has stored.
    select * into r from inputs where sid = p_sid and message_id = p_message_id;
    if found then
        if r.content <> p_content then
            raise exception 'another content' using errcode = 'GA409', detail = p_message_id;
        end if;
        return r;
    end if;
    update sessions set input_n = input_n + 1, run_n = run_n + (p_kind = 'run')::int where sid = p_sid
        returning input_n into v_n;
    insert into inputs
        values (p_sid, v_n, p_kind, p_message_id, p_codec, p_body, p_principal, p_at, p_seal, null, p_content)
        returning * into r;
    perform pg_notify('graphagent_work', '');
    return r;
end $$;

-- A new owner, and everything that it needs to run on; before that an input, unless p_kind is null. The reads are a
-- statement of their own: as part of the update they would see the journal as it was before the row was waited for.
-- GA423: a living worker owns the session; the detail is its address. With p_again the same takeover may have happened
-- before, and counts as one attempt.
create function ga_takeover(
    p_sid bytea, p_worker bytea, p_again boolean, p_kind text, p_message_id text, p_codec smallint, p_body bytea,
    p_principal text, p_at bigint, p_seal bytea, p_content bytea
) returns table (
    session sessions, head checkpoints, journal effects[], untaken inputs[], asked interrupts[], last_event bigint
) language plpgsql volatile as $$
declare
    r sessions;
    v_address text;
begin
    select * into r from sessions where sid = p_sid for no key update;
    if not found then
        raise exception 'no such session' using errcode = 'GA404', detail = encode(p_sid, 'hex');
    end if;
    if r.owner is not null and r.owner <> p_worker then
        v_address := ga_alive(r.owner);
        if v_address is not null then
            raise exception 'owned by a living worker' using errcode = 'GA423', detail = v_address;
        end if;
    end if;
    if p_kind is not null then
        perform ga_accept(p_sid, p_kind, p_message_id, p_codec, p_body, p_principal, p_at, p_seal, p_content);
    end if;
    update sessions s
       set epoch = s.epoch + 1, owner = p_worker,
           attempts = s.attempts + case when p_again and r.owner = p_worker then 0 else 1 end
     where s.sid = p_sid returning * into r;
    return query select
        r,
        (select c from checkpoints c where c.ckp = r.head_ckp),
        array(select e from effects e where e.sid = p_sid and e.superstep = r.head_superstep
               order by e.path, e.attempt, e.ord),
        array(select i from inputs i where i.sid = p_sid and i.n > r.taken_n order by i.n),
        array(select q from interrupts q where q.sid = p_sid and q.status = 'open' order by q.opened_at, q.iid),
        (select e.first + e.count from events e where e.sid = p_sid order by e.superstep desc, e.first desc limit 1);
end $$;

-- Answer a question that is still what was read, and store the inputs that follow. False if it isn't open any more.
create function ga_answer(
    p_iid bytea, p_read_seal bytea, p_codec smallint, p_answer bytea, p_by text, p_at bigint, p_seal bytea,
    p_sid bytea[], p_kind text[], p_message_id text[], p_input_codec smallint[], p_body bytea[], p_principal text[],
    p_input_seal bytea[], p_content bytea[]
) returns boolean language plpgsql volatile as $$
begin
    update interrupts
       set status = 'answered', codec = p_codec, answer = p_answer, answered_by = p_by, answered_at = p_at,
           seal = p_seal
     where iid = p_iid and status = 'open' and seal = p_read_seal;
    if not found then
        return false;
    end if;
    for i in 1 .. cardinality(p_sid) loop
        perform ga_accept(p_sid[i], p_kind[i], p_message_id[i], p_input_codec[i], p_body[i], p_principal[i], p_at,
                          p_input_seal[i], p_content[i]);
    end loop;
    return true;
end $$;

-- Hold the checkpoint of a fork: nobody may collect its family until the fork is stored. GA410: it is gone.
create function ga_hold_origin(p_family bytea, p_ckp bytea) returns boolean language plpgsql volatile as $$
begin
    perform 1 from sessions where sid = p_family for share;
    perform 1 from checkpoints where ckp = p_ckp;
    if not found then
        raise exception 'the checkpoint is gone' using errcode = 'GA410';
    end if;
    return true;
end $$;
