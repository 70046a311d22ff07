-- Load the event rows of one partition into core.fact_event: one event. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "fact_event" %}
{% set key = ["source", "event_id"] %}
{% set kept = [] %}
{% set columns = [
    "name", "artist_id", "artist", "venue_id", "venue", "city", "country", "segment", "event_date",
    "start_at", "timezone", "status", "onsale_at", "price_min", "price_max", "currency", "source_artist_id",
    "source_venue_id"
] %}
LOCK staging.lock_event;

CREATE TEMPORARY TABLE staged (
    source VARCHAR(128) NOT NULL,
    event_id VARCHAR(256) NOT NULL,
    name VARCHAR(4096),
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    venue_id VARCHAR(64),
    venue VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    segment VARCHAR(512),
    event_date DATE,
    start_at TIMESTAMP,
    timezone VARCHAR(128),
    status VARCHAR(128),
    onsale_at TIMESTAMP,
    price_min DECIMAL(12, 2),
    price_max DECIMAL(12, 2),
    currency VARCHAR(16),
    source_artist_id VARCHAR(256),
    source_venue_id VARCHAR(256),
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
