-- Reads. Rows are unpacked, and their seals verified, in rows.py.

-- name: session
select * from sessions where sid = ?1

-- name: find
-- Ids between two bounds, newest first.
select sid from sessions where sid >= ?1 and sid <= ?2 order by sid desc limit 3

-- name: list_sessions
-- Every filter is off when its parameter is null; ?1 and ?2 are the bounds of ids that ?3 may stand for.
select s.*, (select count(*) from interrupts i where i.sid = s.sid and i.status = 'open')
  from sessions s
 where (?3 is null or s.sid between ?1 and ?2 or instr(lower(s.name), ?3) > 0 or instr(lower(s.graph), ?3) > 0)
   and (?4 is null or s.status = ?4)
   and (?5 is null or s.graph = ?5)
   and (?6 is null or exists (select 1 from json_each(s.tags) where value = ?6))
   and s.updated_at >= coalesce(?7, s.updated_at)
   and s.updated_at < coalesce(?8, 9223372036854775807)
   and (?9 or s.caller is null)
 order by s.updated_at desc, s.sid desc
 limit ?10

-- name: to_do
-- Sessions whose run is running or that have inputs nobody has taken, those that wait longest first, with their owners.
select sid, owner from sessions
 where caller is null and (status = 'running' or input_n > taken_n) and status not in ('poisoned', 'corrupt')
 order by updated_at, sid

-- name: children
select * from sessions where caller = ?1 order by created_at, sid

-- name: family
select * from sessions where family = ?1 order by created_at, sid

-- name: family_commits
select sid, commit_n from sessions where family = ?1

-- name: floor
select floor_superstep from sessions where sid = ?1

-- name: blob_hashes
select hash from blobs where family = ?1 order by hash

-- name: artifact
select * from artifacts where family = ?1 and aid = ?2

-- name: artifacts
select * from artifacts where family = ?1 order by aid

-- name: forks
select * from sessions where origin = ?1 order by created_at, sid

-- name: checkpoint
select c.*, s.plan from checkpoints c left join sessions s on s.sid = c.sid where c.ckp = ?1

-- name: checkpoints
select c.*, s.plan from checkpoints c join sessions s on s.sid = c.sid
 where c.sid = ?1 and c.superstep >= ?2 and c.superstep < ?3 order by c.superstep limit ?4

-- name: newest_checkpoints
select c.*, s.plan from checkpoints c join sessions s on s.sid = c.sid
 where c.sid = ?1 and c.superstep >= ?2 and c.superstep < ?3 order by c.superstep desc limit ?4

-- name: blob
select codec, size, data from blobs where family = ?1 and hash = ?2

-- name: deltas
select channel, superstep, codec, items, seal from deltas
 where sid = ?1 and channel = ?4 and superstep >= ?2 and superstep < ?3 order by superstep

-- name: events
select superstep, first, count, codec, body, at, seal from events
 where sid = ?1 and superstep >= ?2 and superstep < ?3 order by superstep, first limit ?4

-- name: last_event
-- The number after the last event.
select first + count from events where sid = ?1 order by superstep desc, first desc limit 1

-- name: effects
select * from effects where sid = ?1 and superstep >= ?2 and superstep < ?3
 order by superstep, path, attempt, ord

-- name: inputs
select * from inputs where sid = ?1 and n > ?2 order by n

-- name: input_of_message
select * from inputs where sid = ?1 and message_id = ?2

-- name: interrupt
select * from interrupts where iid = ?1

-- name: session_interrupts
select * from interrupts where sid = ?1 and status = coalesce(?2, status) order by opened_at, iid

-- name: all_interrupts
select * from interrupts where status = coalesce(?1, status) order by opened_at, iid

-- name: open_interrupts
select * from interrupts where status = 'open' order by opened_at, iid

-- name: cached
select hash, codec, data from cache where key = ?1 and (expires_at is null or expires_at > ?2)
