-- What a family keeps outside of the store, under the hash of its bytes. `kept` is 0 where they were left out of the file
-- that the session was imported from.
create table artifacts (
    family bytea not null,
    aid bytea not null,
    sid bytea not null,
    superstep bigint not null,
    name text,
    media_type text not null,
    size bigint not null,
    hash bytea not null,
    kept smallint not null,
    seal bytea not null,
    primary key (family, aid)
);
