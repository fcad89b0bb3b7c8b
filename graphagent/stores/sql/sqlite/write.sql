-- Everything that changes a session. Parameters are positional; the row types are in rows.py.

-- name: insert_session
-- A new authority row; no row if the id is there.
insert into sessions (sid, family, plan, graph, seed, mode, origin, origin_ckp, lineage, caller, caller_superstep,
                      caller_path, created_at, graph_version, graph_file, seal, name, tags, status, reason, epoch,
                      owner, attempts, commit_n, commit_token, head_ckp, head_superstep, head_digest, event_n, input_n,
                      taken_n, run_n, updated_at, carried, past, floor_superstep)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
        ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36)
on conflict (sid) do nothing
returning 1

-- name: gate
-- What a commit must know of the authority row.
select epoch, commit_n, commit_token, event_n, taken_n, family, plan, head_superstep from sessions where sid = ?1

-- name: advance
-- The compare-and-swap of ?11 commits of which one has a checkpoint.
update sessions
   set commit_n = commit_n + ?11, commit_token = ?4, status = ?5, reason = ?6, head_superstep = ?7,
       event_n = event_n + ?8, taken_n = max(taken_n, ?9), updated_at = ?10,
       attempts = 0, head_ckp = ?12, head_digest = ?13,
       open_n = (select count(*) from effects e where e.sid = ?1 and e.superstep = ?7)
 where sid = ?1 and epoch = ?2 and commit_n = ?3

-- name: park
-- The compare-and-swap of ?11 commits without a checkpoint.
update sessions
   set commit_n = commit_n + ?11, commit_token = ?4, status = ?5, reason = ?6, head_superstep = ?7,
       event_n = event_n + ?8, taken_n = max(taken_n, ?9), updated_at = ?10
 where sid = ?1 and epoch = ?2 and commit_n = ?3

-- name: insert_checkpoint
insert into checkpoints (ckp, sid, superstep, kind, parent, plan, manifest, codec, digest, opened_at, committed_at,
                         seal)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)

-- name: insert_blob
-- Equal bytes are stored once.
insert into blobs (family, hash, codec, size, data) values (?1, ?2, ?3, ?4, ?5) on conflict (family, hash) do nothing

-- name: insert_artifact
-- Equal bytes have one row; one whose bytes aren't here gives way.
insert into artifacts (family, aid, sid, superstep, name, media_type, size, hash, kept, seal)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
on conflict (family, aid) do update
   set sid = excluded.sid, superstep = excluded.superstep, name = excluded.name, media_type = excluded.media_type,
       size = excluded.size, hash = excluded.hash, kept = excluded.kept, seal = excluded.seal
 where artifacts.kept = 0 and excluded.kept = 1

-- name: insert_delta
insert into deltas (sid, channel, superstep, codec, items, seal) values (?1, ?2, ?3, ?4, ?5, ?6)

-- name: insert_events
insert into events (sid, superstep, first, count, codec, body, at, seal) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)

-- name: insert_effect
-- A row of the journal; no row if its key is there.
insert into effects (sid, superstep, path, attempt, ord, kind, name, class, state, request_hash, codec, request,
                     outcome, cost, write_key, attempt_token, tries, fingerprint, started_at, ended_at, seal)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
on conflict (sid, superstep, path, attempt, ord) do nothing

-- name: raise_effect
-- An outcome (state 3 or 4) stays; without one the later try counts, and of one try the higher state.
update effects
   set kind = ?6, name = ?7, class = ?8, state = ?9, request_hash = ?10, codec = ?11, request = ?12, outcome = ?13,
       cost = ?14, write_key = ?15, attempt_token = ?16, tries = ?17, fingerprint = ?18, started_at = ?19,
       ended_at = ?20, seal = ?21
 where sid = ?1 and superstep = ?2 and path = ?3 and attempt = ?4 and ord = ?5
   and state < 3 and (?9 >= 3 or (tries, state) < (?17, ?9))

-- name: count_open
-- So many more journal rows belong to the open superstep.
update sessions set open_n = open_n + ?3 where sid = ?1 and epoch = ?2

-- name: upsert_interrupt
-- A question; one that is no longer open stays as it is.
insert into interrupts (iid, sid, superstep, path, node, kind, codec, question, opened_at, expires_at, answer,
                        answered_by, answered_at, seal, status)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
on conflict (iid) do update
   set sid = excluded.sid, superstep = excluded.superstep, path = excluded.path, node = excluded.node,
       kind = excluded.kind, codec = excluded.codec, question = excluded.question, opened_at = excluded.opened_at,
       expires_at = excluded.expires_at, answer = excluded.answer, answered_by = excluded.answered_by,
       answered_at = excluded.answered_at, seal = excluded.seal, status = excluded.status
 where interrupts.status = 'open'

-- name: close_interrupt
update interrupts set status = ?2 where iid = ?1 and status = 'open'

-- name: answer_interrupt
-- Only an open question can be answered.
update interrupts
   set status = 'answered', codec = ?2, answer = ?3, answered_by = ?4, answered_at = ?5, seal = ?6
 where iid = ?1 and status = 'open'

-- name: take_inputs
-- Inputs ?2 < n <= ?3 were taken by the superstep ?4.
update inputs set taken_by = ?4 where sid = ?1 and n > ?2 and n <= ?3

-- name: count_input
-- The number of a new input, in order of acceptance.
update sessions set input_n = input_n + 1, run_n = run_n + ?2 where sid = ?1 returning input_n

-- name: insert_input
insert into inputs (sid, n, kind, message_id, codec, body, principal, accepted_at, seal)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)

-- name: take_over
-- A new owner. The gate is the owner that was seen, so that a second one who saw the same finds it changed.
update sessions set epoch = epoch + 1, owner = ?2, attempts = attempts + 1 where sid = ?1 and owner is ?3 and epoch = ?4

-- name: release
-- A clean release takes back what the takeover added to `attempts`.
update sessions set owner = null, attempts = max(attempts - 1, 0) where sid = ?1 and epoch = ?2

-- name: bind
-- Another plan from this commit on.
update sessions set bound = ?2 where sid = ?1

-- name: label
-- Null leaves name or tags as they are.
update sessions set name = coalesce(?2, name), tags = coalesce(?3, tags) where sid = ?1

-- name: insert_cached
insert into cache (key, hash, codec, data, expires_at) values (?1, ?2, ?3, ?4, ?5)
    on conflict (key) do update set hash = ?2, codec = ?3, data = ?4, expires_at = ?5

-- name: drop_expired
delete from cache where expires_at <= ?1

-- name: take_input
-- An imported input that a superstep had taken.
update inputs set taken_by = ?3 where sid = ?1 and n = ?2

-- name: recount_open
-- How many journal rows the open superstep of an imported session has.
update sessions
   set open_n = (select count(*) from effects e where e.sid = ?1 and e.superstep = sessions.head_superstep)
 where sid = ?1

-- name: delete_session
delete from sessions where sid = ?1

-- name: delete_checkpoints
delete from checkpoints where sid = ?1

-- name: delete_deltas
delete from deltas where sid = ?1

-- name: delete_events
delete from events where sid = ?1

-- name: delete_effects
delete from effects where sid = ?1

-- name: delete_inputs
delete from inputs where sid = ?1

-- name: delete_interrupts
delete from interrupts where sid = ?1

-- name: delete_family_blobs
-- Once no session of the family is left.
delete from blobs where family = ?1 and not exists (select 1 from sessions where family = ?1)

-- name: delete_family_artifacts
-- Once no session of the family is left.
delete from artifacts where family = ?1 and not exists (select 1 from sessions where family = ?1)

-- name: raise_floor
update sessions set floor_superstep = max(floor_superstep, ?2) where sid = ?1

-- name: sweep_effects
delete from effects where sid = ?1 and superstep >= ?2 and superstep < ?3

-- name: sweep_events
delete from events where sid = ?1 and superstep >= ?2 and superstep < ?3

-- name: sweep_checkpoint
delete from checkpoints where ckp = ?1

-- name: sweep_deltas
delete from deltas where sid = ?1 and superstep >= ?2 and superstep < ?3 and channel = ?4

-- name: sweep_blob
delete from blobs where family = ?1 and hash = ?2

-- name: sweep_artifact
delete from artifacts where family = ?1 and aid = ?2
