"""The warehouse's SQL on the real engine: schema, loads, accounts, dimensions, checks, failures, the Data API."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from concert_platform import warehouse
from concert_platform.partitions import Partition
from tests.contract.curated_runs import (
    DAY,
    FIRST,
    NEXT_DAY,
    SECOND,
    T0,
    T2,
    Platform,
    artist,
    event,
    interaction,
    match,
    report,
    song,
    venue,
)
from tests.contract.warehouse_platform import accounts, counts, drop_everything, refresh_marts, statement_of, violations

pytest_plugins = ["tests.contract.warehouse_platform"]


# ---------------------------------------------------------------- schema


def test_creating_the_schema_again_changes_nothing(loaded: Platform) -> None:
    before = counts()
    assert warehouse.migrate() == []
    assert counts() == before


def test_the_calendar_holds_every_day_once(platform: Platform) -> None:
    assert warehouse.query(
        "SELECT COUNT(*), COUNT(DISTINCT calendar_date), MIN(calendar_date), MAX(calendar_date) FROM core.dim_date"
    ) == [[73414, 73414, date(1900, 1, 1), date(2100, 12, 31)]]
    weekend = "SELECT weekday, is_weekend, iso_week FROM core.dim_date WHERE calendar_date = :day"
    assert warehouse.query(weekend, day="2020-03-01") == [[0, True, 9]]


# ---------------------------------------------------------------- loads and accounts


def test_a_load_fills_core_and_its_accounts_close(loaded: Platform) -> None:
    assert accounts() == {
        ("canonical", "box_office"): [2, 2, 0, 0],
        ("lastfm", "interaction"): [2, 2, 0, 0],
        ("ticketmaster", "event"): [6, 3, 2, 1],
    }
    assert violations("account_open") == 0
    assert counts() == {
        "core.fact_event": 3, "core.fact_box_office": 2, "core.fact_interaction": 2, "core.dim_artist": 2,
        "core.dim_venue": 2, "core.dim_date": 73414, "quality.load_audit": 3, "quality.check_result": 1,
        "quality.quarantine": 2,
    }  # fmt: skip
    assert warehouse.query("SELECT name, price_max, currency FROM core.fact_event WHERE event_id = 'e1'") == [
        ["Björk live", Decimal("90.50"), "NOK"]
    ]


def test_a_second_load_of_the_same_run_changes_no_count(loaded: Platform) -> None:
    before, versions = counts(), warehouse.query("SELECT * FROM core.dim_venue ORDER BY venue_key")
    loaded.load()
    assert counts() == before
    assert warehouse.query("SELECT * FROM core.dim_venue ORDER BY venue_key") == versions
    assert violations("account_open") == 0


def test_a_run_that_is_curated_again_takes_back_what_it_no_longer_delivers(loaded: Platform) -> None:
    """A mended mapping gave other keys, and a mended rule rejects a row."""
    loaded.curate(event=[event(7)], rejected=1, box_office=[report(1)])
    loaded.load()
    assert warehouse.query("SELECT event_id FROM core.fact_event") == [["e7"]]
    assert accounts()["ticketmaster", "event"] == [2, 1, 1, 0]
    assert violations("account_open") == 0


def test_a_venue_of_any_size_is_loaded(loaded: Platform) -> None:
    loaded.curate(SECOND, NEXT_DAY, box_office=[report(9, venue_id="v9", capacity=10**14, tickets_sold=10**14)])
    loaded.load(SECOND, NEXT_DAY)
    refresh_marts()
    assert warehouse.query("SELECT seats FROM core.dim_venue WHERE venue_id = 'v9'") == [[5 * 10**13]]
    assert violations("venue_popularity") == 0


def test_the_audit_names_the_version_of_the_report(loaded: Platform) -> None:
    key = f"curated/_reports/dt={DAY}/run={FIRST}.json"
    etag = loaded.s3.head_object(Bucket=loaded.bucket, Key=key)["ETag"].strip('"')
    assert warehouse.query("SELECT DISTINCT run_id, report_etag FROM quality.load_audit") == [[FIRST, etag]]


def test_a_key_of_another_run_is_deduplicated_and_updated_when_newer(loaded: Platform) -> None:
    newer = event(1, status="cancelled", ingested_at=T2)
    older = event(2, status="stale", ingested_at=T0)
    loaded.curate(SECOND, NEXT_DAY, event=[newer, older, event(4, ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT event_id, status, created_run_id, updated_run_id FROM core.fact_event "
        "WHERE event_id <> 'e3' ORDER BY event_id"
    ) == [["e1", "cancelled", FIRST, SECOND], ["e2", None, FIRST, FIRST], ["e4", None, SECOND, SECOND]]
    assert accounts()["ticketmaster", "event"] == [9, 4, 2, 3]
    assert violations("account_open") == 0


def test_loading_an_older_run_again_takes_back_nothing(loaded: Platform) -> None:
    loaded.curate(SECOND, NEXT_DAY, event=[event(1, status="cancelled", artist="BJÖRK", ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    before = counts()
    loaded.load()
    assert counts() == before
    assert warehouse.query("SELECT status FROM core.fact_event WHERE event_id = 'e1'") == [["cancelled"]]
    assert warehouse.query("SELECT name FROM core.dim_artist WHERE artist_id = 'a1' AND is_current") == [["BJÖRK"]]
    assert violations("account_open") == 0


def test_a_run_that_is_curated_again_with_mended_rules_replaces_what_it_wrote(loaded: Platform) -> None:
    loaded.curate(event=[event(1, city="Bergen")])
    loaded.load()
    assert warehouse.query("SELECT city FROM core.fact_event WHERE event_id = 'e1'") == [["Bergen"]]


def test_deleting_a_core_row_opens_its_account(loaded: Platform) -> None:
    warehouse.query("DELETE FROM core.fact_event WHERE event_id = 'e2'")
    assert [row[:5] for row in warehouse.query(statement_of("checks/account_open.sql", run_ids=None))] == [
        [FIRST, "ticketmaster", "event", 6, 2]
    ]


def test_a_failed_copy_leaves_its_entity_as_it_was_and_the_partition_unfinished(loaded: Platform) -> None:
    before = counts()
    published = loaded.curate(SECOND, NEXT_DAY, event=[event(5)], interaction=[interaction(9)])
    loaded._manifest(
        published["entities"]["interaction"]["manifest_uri"].split("/", 3)[3], f"s3://{loaded.bucket}/curated/gone", 9
    )
    with pytest.raises(warehouse.StatementFailedError, match=r"statement \d+ of \d+ \(COPY staged.*gone"):
        loaded.load(SECOND, NEXT_DAY)
    after = counts()
    assert after["core.fact_interaction"] == before["core.fact_interaction"]
    assert warehouse.query("SELECT entity, status FROM quality.load_audit WHERE run_id = :run", run=SECOND) == [
        ["event", "partial"]
    ]
    loaded.curate(SECOND, NEXT_DAY, event=[event(5)], interaction=[interaction(9)])
    loaded.load(SECOND, NEXT_DAY)
    assert counts()["core.fact_event"] == after["core.fact_event"]
    assert warehouse.query("SELECT DISTINCT status FROM quality.load_audit") == [["loaded"]]
    assert violations("account_open") == 0


def test_a_load_stays_within_one_batch(loaded: Platform) -> None:
    (values,) = warehouse.loads_of([Partition(DAY, FIRST)])
    planned = warehouse.transactions(values)
    assert list(planned.entities) == ["event", "box_office", "interaction", "identity_match"]
    for statements in (*planned.entities.values(), planned.closing):
        assert len(statements) <= warehouse.MOST_STATEMENTS
        assert sum(len(statement.encode()) for statement in statements) < warehouse.LONGEST_SQL / 2


def test_a_day_without_run_id_stands_for_all_its_runs(empty: Platform) -> None:
    empty.curate("run-a", "2020-04-01", event=[event(1)])
    empty.curate("run-b", "2020-04-01", event=[event(2)])
    assert [load["run_id"] for load in warehouse.loads_of([Partition("2020-04-01")])] == ["run-a", "run-b"]
    with pytest.raises(warehouse.ReportMissingError, match=r"run=run-z\.json does not exist: curate_concerts"):
        warehouse.loads_of([Partition("2020-04-01", "run-z")])


# ---------------------------------------------------------------- dimensions


def venue_versions(venue_id: str = "v1") -> list[list[Any]]:
    return warehouse.query(
        "SELECT name, seats, is_current FROM core.dim_venue WHERE venue_id = :venue_id ORDER BY venue_key",
        venue_id=venue_id,
    )


def test_seats_are_those_of_the_latest_report_and_a_change_is_a_new_version(loaded: Platform) -> None:
    assert venue_versions() == [["Hall One", 1000, True]]
    assert venue_versions("v2") == [["Hall Two", None, True]]
    loaded.curate(SECOND, NEXT_DAY, box_office=[report(9, capacity=2400, ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    assert venue_versions() == [["Hall One", 1000, False], ["Hall One", 1200, True]]
    closed = warehouse.query("SELECT valid_to FROM core.dim_venue WHERE venue_id = 'v1' AND NOT is_current")
    assert closed == [[T2]]


def test_a_report_that_comes_late_corrects_the_seats_in_place(loaded: Platform) -> None:
    late = report(1, report_id="late", venue_id="v2", venue="hall two", ingested_at=T0)
    loaded.curate(SECOND, DAY, box_office=[late])
    loaded.load(SECOND, DAY)
    assert venue_versions("v2") == [["Hall Two", 1000, True]]


def test_a_renamed_artist_gets_a_new_version(loaded: Platform) -> None:
    loaded.curate(SECOND, NEXT_DAY, interaction=[interaction(1, artist="Miyuki Nakajima", ingested_at=T2)])
    loaded.load(SECOND, NEXT_DAY)
    assert warehouse.query(
        "SELECT name, is_current FROM core.dim_artist WHERE artist_id = 'a2' ORDER BY artist_key"
    ) == [["中島みゆき", False], ["Miyuki Nakajima", True]]
    assert violations("artist_version") == 0


# ---------------------------------------------------------------- checks

COPY_ROW = "INSERT INTO {0} SELECT * FROM {0} WHERE {1}"
FORECAST = ("INSERT INTO ml.sales_forecast VALUES "
            "('e1', 1, 1, 1, 1, 0.5, 'market', 'venue', '2020-03-04', 'sales', 'v', 'r', GETDATE())")  # fmt: skip
FAN_EVENT = ("INSERT INTO core.fact_fan_event (event_id, type, occurred_at, event_date, loaded_at) "
             "VALUES ('f1', 'view', GETDATE(), '2020-03-04', GETDATE())")  # fmt: skip
CHANGE = FAN_EVENT.replace("fact_fan_event", "fact_event_change")
FUNNEL = ("INSERT INTO marts.event_funnel VALUES "
          "('2020-03-04', 'e1', NULL, NULL, 1, 0, 0, 0, NULL, GETDATE())")  # fmt: skip
LISTED = ("INSERT INTO ml.recommendation VALUES "
          "('u1', 'hybrid', 1, 'a1', 1, 'items', NULL, '2020-03-04', 'recommender', 'v', 'r', GETDATE())")  # fmt: skip
ANALYSED = ("INSERT INTO ml.venue_analysis VALUES "
            "('v1', 'x', 'weak', 0.5, '{}', '2020-03-04', 'venues', 'v', 'r', GETDATE())")  # fmt: skip
DRIFTED = ("INSERT INTO ml.model_drift VALUES "
           "('sales', 'v', 'r', 'input', 'capacity', 'psi', 0.3, 0.2, TRUE, GETDATE())")  # fmt: skip
BREAKERS = {
    "account_open": ["DELETE FROM quality.quarantine"],
    "artist_version": ["UPDATE core.dim_artist SET is_current = FALSE"],
    "venue_version": [
        "INSERT INTO core.dim_venue (venue_id, name, valid_from, is_current) VALUES ('v1', 'x', GETDATE(), TRUE)"
    ],
    "event_duplicate": [COPY_ROW.format("core.fact_event", "event_id = 'e1'")],
    "box_office_duplicate": [COPY_ROW.format("core.fact_box_office", "report_id = 'r1'")],
    "artist_duplicate": [COPY_ROW.format("core.artist_record", "source_artist_id = 'sp1'")],
    "venue_duplicate": [COPY_ROW.format("core.venue_record", "source_venue_id = 'tm1'")],
    "setlist_duplicate": [COPY_ROW.format("core.fact_setlist", "song_position = 1")],
    "identity_match_duplicate": [COPY_ROW.format("core.identity_match", "source_id = 'sp1'")],
    "fan_event_duplicate": [FAN_EVENT, FAN_EVENT],
    "event_change_duplicate": [CHANGE, CHANGE],
    "currency_rate_duplicate": [COPY_ROW.format("core.currency_rate", "currency = 'NOK' AND year = 2020")],
    "setlist_dimension": ["UPDATE core.fact_setlist SET venue_id = 'v404'"],
    "artist_momentum": ["UPDATE marts.artist_momentum SET momentum_score = -1"],
    "sales_daily": ["DELETE FROM marts.sales_daily"],
    "venue_sales": ["UPDATE marts.venue_sales SET tickets_sold = tickets_sold - 1"],
    "event_funnel": [FUNNEL, FUNNEL],
    "event_funnel_listing": [FUNNEL],
    "interaction_duplicate": [COPY_ROW.format("core.fact_interaction", "user_id = 'u1'")],
    "load_version": ["UPDATE quality.load_audit SET status = 'partial', report_etag = '0a1b' WHERE entity = 'event'"],
    "load_audit_duplicate": [COPY_ROW.format("quality.load_audit", "entity = 'event'")],
    "source_freshness": [
        "UPDATE quality.load_audit SET dt = DATEADD(day, -4, dt) WHERE entity = 'event'",
    ],
    "sales_forecast_duplicate": [FORECAST, FORECAST],
    "recommendation_duplicate": [LISTED, LISTED],
    "venue_analysis_duplicate": [ANALYSED, ANALYSED],
    "model_drift_duplicate": [DRIFTED, DRIFTED],
    "event_dimension": ["DELETE FROM core.dim_venue WHERE venue_id = 'v2'"],
    "box_office_dimension": ["UPDATE core.fact_box_office SET period_start = '1899-12-31' WHERE report_id = 'r1'"],
    "interaction_dimension": ["DELETE FROM core.dim_artist WHERE artist_id = 'a2'"],
    "event_money": ["UPDATE core.fact_event SET price_min = -1 WHERE event_id = 'e1'"],
    "box_office_money": ["UPDATE core.fact_box_office SET currency = NULL WHERE report_id = 'r1'"],
    "venue_popularity": ["UPDATE marts.venue_popularity SET popularity_score = 101 WHERE venue_id = 'v1'"],
}


def test_every_check_has_a_row_that_breaks_it(platform: Platform) -> None:
    assert {check["name"] for check in warehouse.checks()} == set(BREAKERS)


@pytest.mark.parametrize("check", BREAKERS)
def test_a_check_passes_on_a_load_and_finds_the_broken_row(loaded: Platform, check: str) -> None:
    loaded.curate(SECOND, NEXT_DAY, artist=[artist(1)], venue=[venue(1)], setlist=[song("s1", 1)],
                  identity_match=[match(1)])  # fmt: skip
    loaded.load(SECOND, NEXT_DAY)
    refresh_marts()
    runs = [FIRST, SECOND]
    assert violations(check) == violations(check, runs) == 0
    try:
        warehouse.execute_batch(BREAKERS[check])
        assert violations(check) > 0
        assert violations(check, runs) > 0
    finally:
        if check == "currency_rate_duplicate":
            warehouse.query("DELETE FROM core.currency_rate WHERE currency = 'NOK' AND year = 2020")


def test_checks_are_recorded_once_and_fail_in_one_line(loaded: Platform) -> None:
    refresh_marts()
    loads = warehouse.loads_of([Partition(DAY, FIRST)])
    recorded = "SELECT COUNT(*), SUM(failed) FROM quality.check_result WHERE suite = 'warehouse'"
    assert warehouse.check(loads) == warehouse.check(loads) == len(BREAKERS)
    assert warehouse.query(recorded) == [[len(BREAKERS), 0]]
    warehouse.execute_batch(BREAKERS["event_duplicate"])
    with pytest.raises(warehouse.CheckFailedError) as broken:
        warehouse.check(loads)
    assert "event_duplicate (1 rows)" in str(broken.value) and "\n" not in str(broken.value)


def test_every_day_that_the_record_rules_let_through_is_in_the_calendar(loaded: Platform) -> None:
    first, last = date(1900, 1, 1), date(2100, 12, 31)
    loaded.curate(
        SECOND, NEXT_DAY, event=[event(8, event_date=first), event(9, event_date=last)],
        box_office=[report(8, period_start=first, period_end=last)],
    )  # fmt: skip
    loaded.load(SECOND, NEXT_DAY)
    assert violations("event_dimension") == violations("box_office_dimension") == 0


def test_checks_after_sixty_loads_are_one_batch_and_clear_their_failures(loaded: Platform) -> None:
    refresh_marts()
    warehouse.record_failure([Partition(DAY, "run-7")], "load failed")
    many = [{"dt": DAY, "run_id": f"run-{number}"} for number in range(60)]
    assert warehouse.check(many) == len(BREAKERS)
    assert warehouse.query("SELECT COUNT(*) FROM quality.load_audit WHERE status = 'failed'") == [[0]]


# ---------------------------------------------------------------- failures


def test_a_failure_is_recorded_before_the_schema_exists_and_twice_as_once(platform: Platform) -> None:
    warehouse.execute_batch(["DROP SCHEMA quality CASCADE"])
    try:
        for _ in range(2):
            warehouse.record_failure([Partition(DAY, FIRST)], "curation failed:\nno file :x; -- 'quoted'")
        assert warehouse.query("SELECT run_id, dt, source, entity, status, message FROM quality.load_audit") == [
            [FIRST, date(2020, 3, 4), "all", "all", "failed", "curation failed: no file :x; -- 'quoted'"]
        ]
    finally:
        drop_everything()
        warehouse.migrate()


def test_a_load_replaces_the_failure_of_its_run(loaded: Platform) -> None:
    warehouse.record_failure([Partition(DAY, FIRST)], "load failed")
    assert accounts()["ticketmaster", "event"] == [6, 3, 2, 1] and ("all", "all") not in accounts()
    loaded.load()
    assert warehouse.query("SELECT DISTINCT status FROM quality.load_audit") == [["loaded"]]


# ---------------------------------------------------------------- the Data API


def test_a_result_is_typed_and_paged(platform: Platform) -> None:
    assert warehouse.query(
        "SELECT 1, CAST(1.50 AS DECIMAL(6, 2)), TRUE, 'x', DATE '2020-03-04', TIMESTAMP '2020-03-04 05:06:07.5', NULL"
    )[0][:5] == [1, Decimal("1.50"), True, "x", date(2020, 3, 4)]
    rows = warehouse.query(
        "SELECT calendar_date FROM core.dim_date WHERE year BETWEEN 1980 AND :year ORDER BY 1", year=1984
    )
    assert (len(rows), rows[-1]) == (1827, [date(1984, 12, 31)])


def test_the_same_token_runs_a_batch_once(empty: Platform) -> None:
    statements = ["INSERT INTO staging.lock_artist (nothing) VALUES (1)"]
    token = "0" * 64
    assert warehouse.execute_batch(statements, token) == warehouse.execute_batch(statements, token)
    assert warehouse.query("SELECT COUNT(*) FROM staging.lock_artist") == [[1]]


def test_an_error_is_one_line_with_id_statement_and_reason(platform: Platform) -> None:
    with pytest.raises(warehouse.StatementFailedError) as failed:
        warehouse.execute_batch(["SELECT 1", "SELECT *\nFROM core.nothing"])
    message = str(failed.value)
    assert "failed at statement 2 of 2 (SELECT * FROM core.nothing)" in message
    assert "does not exist" in message and "\n" not in message
