-- Load the interaction rows of one partition into core.fact_interaction: one user's interaction with an artist. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "fact_interaction" %}
{% set key = ["source", "user_id", "source_artist_id"] %}
{% set kept = [] %}
{% set columns = [
    "artist_id", "artist", "weight"
] %}
LOCK staging.lock_interaction;

CREATE TEMPORARY TABLE staged (
    source VARCHAR(128) NOT NULL,
    user_id VARCHAR(256) NOT NULL,
    source_artist_id VARCHAR(256) NOT NULL,
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    weight DOUBLE PRECISION,
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (artist_id);

{% include "load/shared/copy_staged.sql" %}

{% include "load/shared/stage_account.sql" %}

{% include "load/shared/find_known.sql" %}

{% include "load/shared/withdraw.sql" %}

{% include "load/shared/find_winner.sql" %}

{% include "load/shared/merge.sql" %}

{% include "load/shared/audit.sql" %}
