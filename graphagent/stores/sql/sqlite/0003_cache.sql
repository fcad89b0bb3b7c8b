-- Results of nodes with `cache`, of all sessions. `hash` is SHA-256 of the data as it was given.
create table cache (
    key blob primary key not null,
    hash blob not null,
    codec integer not null,
    data blob not null,
    expires_at integer
) strict;

create index cache_expires on cache (expires_at) where expires_at is not null;
