-- The temporary table account: what curation says of each source and entity of the run (JSON lines).
-- Values: accounts_uri, warehouse_role.
CREATE TEMPORARY TABLE account (
    source VARCHAR(128) NOT NULL,
    entity VARCHAR(64) NOT NULL,
    run_id VARCHAR(128) NOT NULL,
    dt DATE NOT NULL,
    read BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    deduplicated BIGINT NOT NULL
) DISTSTYLE ALL;

COPY account
FROM {{ accounts_uri | sql_s3_uri }}
IAM_ROLE {{ warehouse_role | sql_role_arn }}
FORMAT AS JSON 'auto';
