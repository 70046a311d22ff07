-- quality.schema_version: one applied migration; checksum is the SHA-256 of its file, which never changes afterwards.
-- Key number. Read whole at each start of load_warehouse, hence small and on every node. Source: warehouse/migrations.py.
-- Owner: data-platform.
CREATE TABLE IF NOT EXISTS quality.schema_version (
    number INTEGER NOT NULL,
    name VARCHAR(128) NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    applied_at TIMESTAMP NOT NULL
) DISTSTYLE ALL SORTKEY (number);
