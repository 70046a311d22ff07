"""What one day's load reads of core does not grow with the days that are there already."""

from datetime import date
from typing import Any

import psycopg2
import pytest

from concert_platform import warehouse
from tests.contract.curated_runs import NEXT_DAY, SECOND, T2, Platform, event

pytest_plugins = ["tests.contract.warehouse_platform"]

ROWS_A_DAY = 2000
HISTORY = """
    INSERT INTO core.fact_event (source, event_id, artist_id, artist, venue_id, venue, event_date, ingested_at,
                                 created_run_id, updated_run_id, loaded_at)
    SELECT 'ticketmaster', 'h' || day || '-' || n, 'a' || n %% 200, 'Artist ' || n %% 200, 'v' || n %% 100, 'Hall',
           date '2019-01-01' + day, timestamp '2019-01-01' + day * interval '1 day', 'old-' || day, 'old-' || day, now()
    FROM generate_series(%s, %s) AS day, generate_series(1, %s) AS n
"""
READ = """
    SELECT COALESCE(SUM(seq_tup_read + COALESCE(idx_tup_fetch, 0)), 0)
    FROM pg_stat_user_tables WHERE schemaname = 'core' AND relname LIKE 'fact_%'
"""


def asked(dsn: str, sql: str, *values: Any) -> Any:
    connection = psycopg2.connect(dsn)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


@pytest.mark.parametrize("entity", ["event"])
def test_a_day_reads_as_many_rows_after_fifty_days_as_after_one(
    empty: Platform, warehouse_dsn: str, entity: str
) -> None:
    read, there = {}, 0
    rows = [event(1, event_id=f"n{n}", event_date=date(2020, 3, 4), ingested_at=T2) for n in range(100)]
    for days in (1, 10, 50):
        asked(warehouse_dsn, HISTORY, there + 1, days, ROWS_A_DAY)
        asked(warehouse_dsn, "VACUUM ANALYZE core.fact_event")
        there = days
        run = f"{SECOND}-{days}"
        known = [event(1, event_id=f"h1-{n}", artist_id=f"a{n}", ingested_at=T2) for n in range(1, 20)]
        empty.curate(run, NEXT_DAY, event=[*({**row, "event_id": f"{row['event_id']}-{days}"} for row in rows), *known])
        before = asked(warehouse_dsn, READ)
        empty.load(run, NEXT_DAY)
        read[days] = int(asked(warehouse_dsn, READ) - before)
    print(f"rows of facts read by a day's load of 119 events after 1, 10 and 50 days: {read}")
    assert read[50] <= 1.2 * read[1] + ROWS_A_DAY / 10, read
    assert warehouse.query("SELECT COUNT(*) FROM core.fact_event") == [[50 * ROWS_A_DAY + 300]]
