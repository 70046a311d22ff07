-- Load the box_office rows of one partition into core.fact_box_office: one box-office report; capacity and tickets_sold cover the whole period, not one night. One transaction; owner: data-platform.
-- The columns of staged are those of the Parquet files, in their order. Running it again changes no count.
-- Values: run_id, entity, known, manifests, accounts_uri, warehouse_role.
{% set table = "fact_box_office" %}
{% set key = ["source", "report_id"] %}
{% set kept = [] %}
{% set columns = [
    "show", "artist_id", "artist", "venue_id", "venue", "city", "country", "period_start", "period_end",
    "period_precision", "performances", "capacity", "tickets_sold", "gross", "currency", "average_price",
    "top_price", "warning"
] %}
LOCK staging.lock_box_office;

CREATE TEMPORARY TABLE staged (
    source VARCHAR(128) NOT NULL,
    report_id VARCHAR(256) NOT NULL,
    show VARCHAR(4096),
    artist_id VARCHAR(64),
    artist VARCHAR(4096),
    venue_id VARCHAR(64),
    venue VARCHAR(4096),
    city VARCHAR(1024),
    country VARCHAR(1024),
    period_start DATE,
    period_end DATE,
    period_precision VARCHAR(16),
    performances INTEGER,
    capacity BIGINT,
    tickets_sold BIGINT,
    gross DECIMAL(14, 2),
    currency VARCHAR(16),
    average_price DECIMAL(12, 2),
    top_price DECIMAL(12, 2),
    warning VARCHAR(4096),
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
