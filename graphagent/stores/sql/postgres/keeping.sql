-- Whole sessions: import, deletion, collection. Several statements in one transaction each.

-- name: family
select * from sessions where family = :family order by created_at, sid

-- name: lock_family
-- Nobody commits to the family, forks from it or calls a child in it until this transaction ends. What is read after
-- this statement is how it stands then.
select 1 from sessions where family = :family order by sid for update

-- name: family_of
select family from sessions where sid = any(:sids::bytea[])

-- name: living
-- Sessions among these whose owner lives, and where it does.
select sid, ga_alive(owner) from sessions
 where sid = any(:sids::bytea[]) and owner is not null and ga_alive(owner) is not null

-- name: floor
select floor_superstep from sessions where sid = :sid

-- name: blob_hashes
select hash from blobs where family = :family order by hash

-- name: artifacts
select * from artifacts where family = :family order by aid

-- name: artifact
select * from artifacts where family = :family and aid = :aid

-- name: adopt
-- The rows of an imported session beside those that `insert_session` stores.
with e as (
    insert into events (sid, superstep, first, count, codec, body, at, seal)
    select :sid::bytea, t.*
      from unnest(:event_superstep::bigint[], :event_before::bigint[], :event_count::int[], :event_codec::smallint[],
                  :event_body::bytea[], :event_at::bigint[], :event_seal::bytea[]) t),
d as (
    insert into deltas (sid, channel, superstep, codec, items, seal)
    select :sid::bytea, t.*
      from unnest(:delta_channel::text[], :delta_superstep::bigint[], :delta_codec::smallint[],
                  :delta_items::bytea[], :delta_seal::bytea[]) t),
x as (
    insert into effects (sid, superstep, path, attempt, ord, kind, name, class, state, request_hash, codec, request,
                         outcome, cost, write_key, attempt_token, tries, fingerprint, started_at, ended_at, seal)
    select :sid::bytea, t.*
      from unnest(:superstep_::bigint[], :path_::text[], :attempt_::int[], :ord_::int[], :kind_::text[],
                  :name_::text[], :class_::smallint[], :state_::smallint[], :request_hash_::bytea[],
                  :codec_::smallint[], :request_::bytea[], :outcome_::bytea[], :cost_::bytea[],
                  :write_key_::bytea[], :attempt_token_::bytea[], :tries_::int[], :fingerprint_::bytea[],
                  :started_at_::bigint[], :ended_at_::bigint[], :seal_::bytea[]) t),
q as (
    insert into interrupts (iid, sid, superstep, path, node, kind, codec, question, opened_at, expires_at, answer,
                            answered_by, answered_at, seal, status)
    select t.*
      from unnest(:q_iid::bytea[], :q_sid::bytea[], :q_superstep::bigint[], :q_path::text[], :q_node::text[],
                  :q_kind::text[], :q_codec::smallint[], :q_question::bytea[], :q_opened_at::bigint[],
                  :q_expires_at::bigint[], :q_answer::bytea[], :q_answered_by::text[], :q_answered_at::bigint[],
                  :q_seal::bytea[], :q_status::text[]) t),
a as (
    insert into artifacts (family, aid, sid, superstep, name, media_type, size, hash, kept, seal)
    select :family::bytea, t.*
      from unnest(:a_aid::bytea[], :a_sid::bytea[], :a_superstep::bigint[], :a_name::text[], :a_media_type::text[],
                     :a_size::bigint[], :a_hash::bytea[], :a_kept::smallint[], :a_seal::bytea[]) t
    on conflict (family, aid) do update
       set sid = excluded.sid, superstep = excluded.superstep, name = excluded.name, media_type = excluded.media_type,
           size = excluded.size, hash = excluded.hash, kept = excluded.kept, seal = excluded.seal
     where artifacts.kept = 0 and excluded.kept = 1)
insert into inputs (sid, n, kind, message_id, codec, body, principal, accepted_at, seal, content, taken_by)
select :sid::bytea, t.*
  from unnest(:i_n::bigint[], :i_kind::text[], :i_message_id::text[], :i_codec::smallint[], :i_body::bytea[],
              :i_principal::text[], :i_at::bigint[], :i_seal::bytea[], :i_content::bytea[], :i_taken_by::bigint[]) t

-- name: delete_sessions
with c as (delete from checkpoints where sid = any(:sids::bytea[])),
d as (delete from deltas where sid = any(:sids::bytea[])),
e as (delete from events where sid = any(:sids::bytea[])),
x as (delete from effects where sid = any(:sids::bytea[])),
i as (delete from inputs where sid = any(:sids::bytea[])),
q as (delete from interrupts where sid = any(:sids::bytea[]))
delete from sessions where sid = any(:sids::bytea[])

-- name: delete_family_blobs
-- And its artifacts, once no session of the family is left.
with a as (
    delete from artifacts where family = :family and not exists (select 1 from sessions s where s.family = :family))
delete from blobs where family = :family and not exists (select 1 from sessions s where s.family = :family)

-- name: sweep
-- One batch of a collection; spans and rows go as arrays.
with s as (
    update sessions set floor_superstep = greatest(sessions.floor_superstep, t.floor)
      from unnest(:floor_sid::bytea[], :floor::bigint[]) t (sid, floor) where sessions.sid = t.sid),
x as (
    delete from effects using unnest(:journal_sid::bytea[], :journal_lo::bigint[], :journal_hi::bigint[]) t (sid, lo, hi)
     where effects.sid = t.sid and effects.superstep >= t.lo and effects.superstep < t.hi),
e as (
    delete from events using unnest(:events_sid::bytea[], :events_lo::bigint[], :events_hi::bigint[]) t (sid, lo, hi)
     where events.sid = t.sid and events.superstep >= t.lo and events.superstep < t.hi),
c as (delete from checkpoints where ckp = any(:ckp::bytea[])),
d as (
    delete from deltas
     using unnest(:delta_channel::text[], :delta_sid::bytea[], :delta_lo::bigint[], :delta_hi::bigint[])
           t (channel, sid, lo, hi)
     where deltas.sid = t.sid and deltas.channel = t.channel and deltas.superstep >= t.lo and deltas.superstep < t.hi),
a as (delete from artifacts where family = :family and aid = any(:aids::bytea[]))
delete from blobs where family = :family and hash = any(:hashes::bytea[])
