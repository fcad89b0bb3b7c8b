-- The plan that a session was bound to after its birth: zlib of JSON, with a seal of its own. `plan` stays what it was,
-- since checkpoints leave out the plan that stands there.
alter table sessions add column bound blob;
