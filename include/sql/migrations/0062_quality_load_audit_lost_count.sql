-- quality.load_audit: lost_count is the number of the run's rows that lost against a newer or equally old row of another
-- run. When that run withdraws a key, the accounts with lost rows become 'partial', so that the next run loads them again.
-- Owner: data-platform.
ALTER TABLE quality.load_audit ADD COLUMN lost_count BIGINT DEFAULT 0;
