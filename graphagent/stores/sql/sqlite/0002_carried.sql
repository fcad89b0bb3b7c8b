-- A fork at an open superstep names the rows of its ancestors' journals that count as its own: zlib of JSON, under the
-- row's seal. Null in every other session.
alter table sessions add column carried blob;
