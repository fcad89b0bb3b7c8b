-- What a worker looks for: sessions that have something to do.

create index sessions_to_do on sessions (updated_at)
 where caller is null and (status = 'running' or input_n > taken_n) and status not in ('poisoned', 'corrupt');
