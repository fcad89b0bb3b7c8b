-- `past` is what an imported session was before: zlib of JSON, under the row's seal; null in every other session.
-- From `floor_superstep` on all rows of a session are there; below it a collection has left some checkpoints.
alter table sessions add column past bytea, add column floor_superstep bigint not null default 0;
create index sessions_family on sessions (family);
