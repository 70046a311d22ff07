-- staging.lock_*: empty tables whose lock a load takes first, so that two loads of one entity follow each other while
-- readers of core are left alone: a lock on the fact itself would keep them out. LOCK takes no snapshot, hence the second
-- load sees what the first has written. Owner: data-platform.
CREATE TABLE IF NOT EXISTS staging.lock_artist (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_venue (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_event (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_setlist (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_box_office (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_interaction (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_identity_match (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_dimension (nothing INTEGER) DISTSTYLE ALL;
CREATE TABLE IF NOT EXISTS staging.lock_mart (nothing INTEGER) DISTSTYLE ALL;
