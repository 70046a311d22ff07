-- Load the venue rows of one partition into core.venue_record: what one source says of a venue. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "venue_record" %}
{% set key = ["source", "source_venue_id"] %}
{% set kept = ["city", "country", "latitude", "longitude", "timezone"] %}
{% set columns = [
    "venue_id", "name", "city", "country", "latitude", "longitude", "timezone"
] %}
LOCK staging.lock_venue;

CREATE TEMPORARY TABLE staged (
    source VARCHAR(128) NOT NULL,
    source_venue_id VARCHAR(256) NOT NULL,
    venue_id VARCHAR(64),
    name VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    latitude DOUBLE PRECISION,
    longitude DOUBLE PRECISION,
    timezone VARCHAR(128),
    ingested_at TIMESTAMP NOT NULL,
    file_name VARCHAR(2048),
    run_id VARCHAR(128) NOT NULL
) DISTKEY (venue_id);

{% include "load/shared/copy_staged.sql" %}

{% include "load/shared/stage_account.sql" %}

{% include "load/shared/find_known.sql" %}

{% include "load/shared/withdraw.sql" %}

{% include "load/shared/find_winner.sql" %}

{% include "load/shared/merge.sql" %}

{% include "load/shared/audit.sql" %}
