-- What a family keeps outside of the store, under the hash of its bytes. `kept` is 0 where they were left out of the file
-- that the session was imported from.
create table artifacts (
    family blob not null,
    aid blob not null,
    sid blob not null,
    superstep integer not null,
    name text,
    media_type text not null,
    size integer not null,
    hash blob not null,
    kept integer not null,
    seal blob not null,
    primary key (family, aid)
) strict;
