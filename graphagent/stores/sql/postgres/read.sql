-- Reads. Rows are unpacked, and their seals verified, in rows.py.

-- name: session
select * from sessions where sid = :sid

-- name: find
-- Ids between two bounds, newest first.
select sid from sessions where sid >= :low and sid <= :high order by sid desc limit 3

-- name: list_sessions
-- Every filter is off when its parameter is null; `low` and `high` are the bounds of ids that `text` may stand for.
select s.*, (select count(*) from interrupts i where i.sid = s.sid and i.status = 'open')
  from sessions s
 where (:text::text is null or s.sid between :low and :high
        or position(:text::text in lower(s.name)) > 0 or position(:text::text in lower(s.graph)) > 0)
   and (:status::text is null or s.status = :status::text)
   and (:graph::text is null or s.graph = :graph::text)
   and (:tag::text is null or s.tags::jsonb ? :tag::text)
   and s.updated_at >= coalesce(:since::bigint, s.updated_at)
   and s.updated_at < coalesce(:before::bigint, 9223372036854775807)
   and (:children::boolean or s.caller is null)
 order by s.updated_at desc, s.sid desc
 limit :limit

-- name: claimable
-- Sessions whose run is running or that have inputs nobody has taken, and no living owner. Each owner is asked for once.
with w as materialized (
    select sid, owner, updated_at from sessions
     where caller is null and (status = 'running' or input_n > taken_n) and status not in ('poisoned', 'corrupt')),
o as materialized (select distinct owner from w where owner is not null),
d as materialized (select owner from o where ga_alive(owner) is null)
select sid from w where owner is null or owner in (select owner from d) order by updated_at, sid limit :limit

-- name: children
select * from sessions where caller = :sid order by created_at, sid

-- name: forks
select * from sessions where origin = :sid order by created_at, sid

-- name: checkpoint
select ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at, seal
  from checkpoints where ckp = :ckp

-- name: checkpoints
select ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at, seal
  from checkpoints where sid = :sid and superstep >= :lo and superstep < :hi order by superstep limit :limit

-- name: newest_checkpoints
select ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at, seal
  from checkpoints where sid = :sid and superstep >= :lo and superstep < :hi order by superstep desc limit :limit

-- name: blobs
select hash, codec, size, data from blobs where family = :family and hash = any(:hashes)

-- name: deltas
select channel, superstep, codec, items, seal from deltas
 where sid = :sid and channel = :channel and superstep >= :lo and superstep < :hi order by superstep

-- name: events
select superstep, first, count, codec, body, at, seal from events
 where sid = :sid and superstep >= :lo and superstep < :hi order by superstep, first limit :limit

-- name: effects
select * from effects where sid = :sid and superstep >= :lo and superstep < :hi
 order by superstep, path, attempt, ord

-- name: inputs
select sid, n, kind, message_id, codec, body, principal, accepted_at, seal, taken_by
  from inputs where sid = :sid and n > :after order by n

-- name: interrupt
select * from interrupts where iid = :iid

-- name: session_interrupts
select * from interrupts where sid = :sid and status = coalesce(:status, status) order by opened_at, iid

-- name: all_interrupts
select * from interrupts where status = coalesce(:status, status) order by opened_at, iid

-- name: open_interrupts
select * from interrupts where status = 'open' order by opened_at, iid

-- name: cached
select hash, codec, data from cache where key = :key and (expires_at is null or expires_at > :now)

-- name: hold
select ga_hold(:worker, :address, :ttl)

-- name: renew
update workers set lease_until = ga_now() + :ttl::interval where worker = any(:workers::bytea[])

-- name: living_workers
select count(*) from workers where lease_until > ga_now()

-- name: let_go
delete from workers where worker = any(:workers::bytea[])

-- name: forget_dead
delete from workers where lease_until < ga_now() - interval '1 day'

-- name: greet
-- What a new connection must know. A commit that was acknowledged is on the disk, whatever the database's default.
select (select value from meta where key = 'store_id'), pg_postmaster_start_time(),
       case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', false) end
