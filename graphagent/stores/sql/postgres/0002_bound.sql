-- The plan that a session was bound to after its birth: zlib of JSON, with a seal of its own.
alter table sessions add column bound bytea;
