-- staging.lock_stream: an empty table whose lock a load of the stream takes first, as those of staging.lock_* by
-- 0040_load_locks.sql: the second of two loads then sees what the first has written.
-- No key. Source: nobody writes it. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.lock_stream (nothing INTEGER) DISTSTYLE ALL;
