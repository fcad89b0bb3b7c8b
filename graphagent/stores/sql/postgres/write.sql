-- Everything that changes a session: one statement each, so one transaction and one round trip. Names after a colon
-- become numbered parameters; arrays carry several rows.

-- part: journal_rows
-- Journal rows of the session `f`. An upsert never lowers a state; a later try takes the place of an earlier one.
x as (
    insert into effects (sid, superstep, path, attempt, ord, kind, name, class, state, request_hash, codec, request,
                         outcome, cost, write_key, attempt_token, tries, fingerprint, started_at, ended_at, seal)
    select f.sid, t.*
      from f, unnest(:superstep_::bigint[], :path_::text[], :attempt_::int[], :ord_::int[], :kind_::text[],
                     :name_::text[], :class_::smallint[], :state_::smallint[], :request_hash_::bytea[],
                     :codec_::smallint[], :request_::bytea[], :outcome_::bytea[], :cost_::bytea[],
                     :write_key_::bytea[], :attempt_token_::bytea[], :tries_::int[], :fingerprint_::bytea[],
                     :started_at_::bigint[], :ended_at_::bigint[], :seal_::bytea[]) t
    on conflict (sid, superstep, path, attempt, ord) do update
       set kind = excluded.kind, name = excluded.name, class = excluded.class, state = excluded.state,
           request_hash = excluded.request_hash, codec = excluded.codec, request = excluded.request,
           outcome = excluded.outcome, cost = excluded.cost, write_key = excluded.write_key,
           attempt_token = excluded.attempt_token, tries = excluded.tries, fingerprint = excluded.fingerprint,
           started_at = excluded.started_at, ended_at = excluded.ended_at, seal = excluded.seal
     where effects.state < 3
       and (excluded.state >= 3 or (effects.tries, effects.state) < (excluded.tries, excluded.state)))

-- part: moves
-- The authority row moves on. `head_ckp` is null where there is no superstep among the commits; `event_total` counts the
-- events of all of them.
with f as (
    update sessions
       set commit_n = commit_n + :commits::int, commit_token = :token, status = :status, reason = :reason,
           attempts = case when :head_ckp::bytea is not null then 0
                           when :release::boolean then greatest(attempts - 1, 0) else attempts end,
           owner = case when :release::boolean then null else owner end,
           head_ckp = coalesce(:head_ckp::bytea, head_ckp), head_digest = coalesce(:head_digest::bytea, head_digest),
           head_superstep = :head_superstep::bigint, event_n = event_n + :event_total::int,
           taken_n = greatest(taken_n, :taken_n::bigint), updated_at = :at::bigint,
           bound = coalesce(:bound::bytea, bound)
     where sid = :sid and epoch = :epoch and commit_n = :commit_n
    returning sid, family, event_n)

-- part: superstep
-- What one commit with a superstep has. Values are quicker than arrays of one.
c as (
    insert into checkpoints (ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at,
                             committed_at, seal)
    select :head_ckp, f.sid, :superstep::bigint, :kind::smallint, :parent::bytea, :ckp_plan::bytea, :manifest::bytea,
           :manifest_codec::smallint, :head_digest, :opened_at::bigint, :committed_at::bigint, :ckp_seal::bytea
      from f),
e as (
    insert into events (sid, superstep, first, count, codec, body, at, seal)
    select f.sid, :superstep, f.event_n - :event_total::int, :event_total, :event_codec::smallint, :event_body::bytea,
           :event_at::bigint, :event_seal::bytea
      from f)

-- part: supersteps
-- What several commits have, or one without a superstep.
c as (
    insert into checkpoints (ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at,
                             committed_at, seal)
    select t.ckp, f.sid, t.superstep, t.kind, t.parent, t.plan, t.manifest, t.codec, t.digest, t.opened_at,
           t.committed_at, t.seal
      from f, unnest(:ckp::bytea[], :superstep::bigint[], :kind::smallint[], :parent::bytea[], :ckp_plan::bytea[],
                     :manifest::bytea[], :manifest_codec::smallint[], :digest::bytea[], :opened_at::bigint[],
                     :committed_at::bigint[], :ckp_seal::bytea[])
           t (ckp, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at, seal)),
e as (
    insert into events (sid, superstep, first, count, codec, body, at, seal)
    select f.sid, t.superstep, f.event_n - :event_total::int + t.before, t.count, t.codec, t.body, t.at, t.seal
      from f, unnest(:event_superstep::bigint[], :event_before::int[], :event_count::int[], :event_codec::smallint[],
                     :event_body::bytea[], :event_at::bigint[], :event_seal::bytea[])
           t (superstep, before, count, codec, body, at, seal))

-- part: bodies
-- What supersteps may have added: values, items, and their journal.
b as (
    insert into blobs (family, hash, codec, size, data)
    select f.family, t.*
      from f, unnest(:blob_hash::bytea[], :blob_codec::smallint[], :blob_size::bigint[], :blob_data::bytea[]) t
    on conflict (family, hash) do nothing),
d as (
    insert into deltas (sid, channel, superstep, codec, items, seal)
    select f.sid, t.*
      from f, unnest(:delta_channel::text[], :delta_superstep::bigint[], :delta_codec::smallint[],
                     :delta_items::bytea[], :delta_seal::bytea[]) t),
{journal_rows}

-- part: rest
-- What few commits have: questions, artifacts, inputs that were taken, results for later.
q as (
    insert into interrupts (iid, sid, superstep, path, node, kind, codec, question, opened_at, expires_at, answer,
                            answered_by, answered_at, seal, status)
    select t.*
      from f, unnest(:q_iid::bytea[], :q_sid::bytea[], :q_superstep::bigint[], :q_path::text[], :q_node::text[],
                     :q_kind::text[], :q_codec::smallint[], :q_question::bytea[], :q_opened_at::bigint[],
                     :q_expires_at::bigint[], :q_answer::bytea[], :q_answered_by::text[], :q_answered_at::bigint[],
                     :q_seal::bytea[], :q_status::text[]) t
    on conflict (iid) do update
       set sid = excluded.sid, superstep = excluded.superstep, path = excluded.path, node = excluded.node,
           kind = excluded.kind, codec = excluded.codec, question = excluded.question,
           opened_at = excluded.opened_at, expires_at = excluded.expires_at, answer = excluded.answer,
           answered_by = excluded.answered_by, answered_at = excluded.answered_at, seal = excluded.seal,
           status = excluded.status
     where interrupts.status = 'open'),
a as (
    insert into artifacts (family, aid, sid, superstep, name, media_type, size, hash, kept, seal)
    select f.family, t.*
      from f, unnest(:a_aid::bytea[], :a_sid::bytea[], :a_superstep::bigint[], :a_name::text[], :a_media_type::text[],
                     :a_size::bigint[], :a_hash::bytea[], :a_kept::smallint[], :a_seal::bytea[]) t
    on conflict (family, aid) do update
       set sid = excluded.sid, superstep = excluded.superstep, name = excluded.name, media_type = excluded.media_type,
           size = excluded.size, hash = excluded.hash, kept = excluded.kept, seal = excluded.seal
     where artifacts.kept = 0 and excluded.kept = 1),
s as (
    update interrupts set status = t.status
      from f, unnest(:closed_iid::bytea[], :closed_status::text[]) t (iid, status)
     where interrupts.iid = t.iid and interrupts.status = 'open'),
n as (
    update inputs
       set taken_by = (select min(t.superstep) from unnest(:taken_up_to::bigint[], :taken_by::bigint[]) t (n, superstep)
                        where t.n >= inputs.n)
      from f where inputs.sid = f.sid and inputs.n <= :taken_n::bigint and inputs.taken_by is null),
o as (
    delete from cache using f
     where cardinality(:cache_key::bytea[]) > 0 and cache.expires_at <= :at::bigint
       and cache.key <> all(:cache_key::bytea[])),
k as (
    insert into cache (key, hash, codec, data, expires_at)
    select t.*
      from f, unnest(:cache_key::bytea[], :cache_hash::bytea[], :cache_codec::smallint[], :cache_data::bytea[],
                     :cache_expires_at::bigint[]) t
    on conflict (key) do update
       set hash = excluded.hash, codec = excluded.codec, data = excluded.data, expires_at = excluded.expires_at)

-- name: commit
-- A superstep of a session. 1 if it was stored, 0 if the session isn't at (epoch, commit_n). The next three store what
-- it may have besides: a part that isn't needed costs as much as one that is.
{moves},
{superstep}
select count(*) from f

-- name: commit_bodies
{moves},
{superstep},
{bodies}
select count(*) from f

-- name: commit_rest
{moves},
{superstep},
{rest}
select count(*) from f

-- name: commit_bodies_rest
{moves},
{superstep},
{bodies},
{rest}
select count(*) from f

-- name: commit_all
-- Supersteps and parks of one session, in order.
{moves},
{supersteps},
{bodies},
{rest}
select count(*) from f

-- name: append
-- Journal rows ahead of their barrier; 0 if the epoch isn't the session's. `for share` makes a takeover wait for them:
-- with less, it could read the journal a moment before they appear, and the effect would be executed twice.
with f as (
    select sid from sessions where sid = :sid and epoch = :epoch for share),
{journal_rows}
select count(*) from f

-- name: insert_session
-- A session with its first inputs and blobs, and its genesis, or for a fork the proof that its head is there. 1 if it
-- was stored, 0 if the id is there.
with g as materialized (
    select 1 from sessions where sid = :caller::bytea for share),  -- so that nobody collects its family meanwhile
h as materialized (
    select case when :fork::boolean then ga_hold_origin(:family, :head_ckp) end from (select count(*) from g) g),
f as (
    insert into sessions (sid, family, plan, graph, seed, mode, origin, origin_ckp, lineage, caller, caller_superstep,
                          caller_path, created_at, graph_version, graph_file, seal, name, tags, status, reason, epoch,
                          owner, attempts, commit_n, commit_token, head_ckp, head_superstep, head_digest, event_n,
                          input_n, taken_n, run_n, updated_at, carried, past, floor_superstep)
    select :sid::bytea, :family::bytea, :plan::bytea, :graph::text, :seed::bytea, :mode::text, :origin::bytea,
           :origin_ckp::bytea, :lineage::bytea, :caller::bytea, :caller_superstep::bigint, :caller_path::text,
           :created_at::bigint, :graph_version::text, :graph_file::text, :seal::bytea, :name::text, :tags::text,
           :status::text, :reason::text, :epoch::bigint, :owner::bytea, :attempts::int, :commit_n::bigint,
           :commit_token::bytea, :head_ckp::bytea, :head_superstep::bigint, :head_digest::bytea, :event_n::bigint,
           :input_n::bigint, :taken_n::bigint, :run_n::bigint, :updated_at::bigint, :carried::bytea,
           :past::bytea, :floor_superstep::bigint
      from h
    on conflict (sid) do nothing
    returning sid, family),
c as (
    insert into checkpoints (ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at,
                             committed_at, seal)
    select t.ckp, f.sid, t.superstep, t.kind, t.parent, t.plan, t.manifest, t.codec, t.digest, t.opened_at,
           t.committed_at, t.seal
      from f, unnest(:ckp::bytea[], :superstep::bigint[], :kind::smallint[], :parent::bytea[], :ckp_plan::bytea[],
                     :manifest::bytea[], :manifest_codec::smallint[], :digest::bytea[], :opened_at::bigint[],
                     :committed_at::bigint[], :ckp_seal::bytea[])
           t (ckp, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at, seal)),
b as (
    insert into blobs (family, hash, codec, size, data)
    select f.family, t.*
      from f, unnest(:blob_hash::bytea[], :blob_codec::smallint[], :blob_size::bigint[], :blob_data::bytea[]) t
    on conflict (family, hash) do nothing),
i as (
    insert into inputs (sid, n, kind, message_id, codec, body, principal, accepted_at, seal, content)
    select f.sid, t.*
      from f, unnest(:i_n::bigint[], :i_kind::text[], :i_message_id::text[], :i_codec::smallint[], :i_body::bytea[],
                     :i_principal::text[], :i_at::bigint[], :i_seal::bytea[], :i_content::bytea[]) t)
select count(*) from f

-- name: accept
select sid, n, kind, message_id, codec, body, principal, accepted_at, seal, taken_by
  from ga_accept(:sid, :kind, :message_id, :codec, :body, :principal, :at, :seal, :content)

-- name: take_over
select * from ga_takeover(:sid, :worker, :again, :kind, :message_id, :codec, :body, :principal, :at, :seal, :content)

-- name: answer
select ga_answer(:iid, :read_seal, :codec, :answer, :by, :at, :seal, :i_sid, :i_kind, :i_message_id, :i_codec, :i_body,
                 :i_principal, :i_seal, :i_content)

-- name: release
-- A clean release takes back what the takeover added to `attempts`.
update sessions set owner = null, attempts = greatest(attempts - 1, 0) where sid = :sid and epoch = :epoch

-- name: label
-- Null leaves name or tags as they are.
update sessions set name = coalesce(:name::text, name), tags = coalesce(:tags::text, tags) where sid = :sid returning 1
