"""Rows and checksums of the warehouse's tables, to compare two ways of getting there."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg2

ROOT = Path(__file__).parents[2]
SCHEMAS = ("core", "marts", "quality")
# What two runs of the same input may differ in: when, under which run id and from which object a row was loaded, and
# the numbers that loads side by side give their new rows in the order of their arrival.
RUN_COLUMNS = (
    "artist_key", "venue_key",
    "run_id", "created_run_id", "updated_run_id", "load_run_id", "object_name", "file_name", "report_etag",
    "record_uri", "loaded_at", "ingested_at", "refreshed_at", "published_at", "registered_at", "received_at", "seen_at",
    "seats_seen_at", "applied_at",
    "valid_from", "valid_to", "dt", "as_of", "detail", "detected_at", "occurred_at",
)  # fmt: skip
# One row per attempt, so their number tells how often a run was disturbed, not what was loaded.
PER_ATTEMPT = ("quality.stream_object", "quality.mart_due")
TABLES = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema = ANY(%s) AND table_type = 'BASE TABLE' ORDER BY 1
"""
CHECKSUM = """
SELECT COUNT(*), MD5(COALESCE(STRING_AGG(digest, '' ORDER BY digest), ''))
FROM (SELECT MD5((TO_JSONB(entry) - %s::text[])::text) AS digest FROM {table} AS entry) AS digests
"""


def checksums(dsn: str | None = None) -> dict[str, tuple[int, str]]:
    """Rows and checksum of each table of the warehouse, whatever order the rows have.

    :param dsn: the warehouse; without it that of the platform which runs in this checkout
    """
    dsn = dsn or json.loads((ROOT / ".local" / "endpoints.json").read_text())["warehouse_dsn"]
    found = {}
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES, [list(SCHEMAS)])
        for (table,) in cursor.fetchall():
            if table in PER_ATTEMPT:
                continue
            cursor.execute(CHECKSUM.format(table=table), [list(RUN_COLUMNS)])
            found[table] = cursor.fetchone()
    return found
