"""The quality of deliveries: what stops one, what is only told, and what a run is compared with."""

import pytest
from concert_etl.accounts import FEWEST_JUDGED, Count, bad_files
from concert_etl.data_docs import documents
from concert_etl.deliveries import DDL, SUITE, Delivery
from concert_etl.errors import CurationError
from concert_etl.gates import CRITICAL, Outcome, validate
from concert_etl.history import History, quantiles_of
from concert_etl_job import DRIFT_DDL
from pyspark.sql import SparkSession

ALL = [("canonical", name) for name in ("file.csv", "good.csv", "0.csv", "1.csv")]


def count(source: str, rule: str | None, reports: int) -> Count:
    return Count(source, "file.csv", source, rule, False, reports, reports, reports, 0)


def entry(run_id: str, records: int, amounts: list[float] | None = None) -> dict:
    return {"run_id": run_id, "volumes": {"lastfm": records}, "quantiles": {"weight": amounts} if amounts else {}}


def check(spark: SparkSession, *rows: Delivery) -> Outcome:
    frame = spark.createDataFrame(list(rows), DDL)
    return validate(frame, SUITE, dt="2026-03-04", run_id="run-1", rows=len(rows), records=100)


def failed(outcome: Outcome) -> list[tuple[str, str]]:
    return [(item.column_name, item.severity) for item in outcome.checks if not item.success]


def test_a_delivery_whose_records_mostly_break_a_rule_is_refused_with_that_rule() -> None:
    counts = [count("canonical", "venue_missing", 60), count("canonical", "gross_negative", 20),
              count("canonical", None, 40), count("lastfm", None, 500)]  # fmt: skip
    with pytest.raises(CurationError, match="80 of 120 records of canonical break a rule, 60 of them venue_missing"):
        bad_files(counts, ALL)


def test_a_file_whose_records_mostly_break_a_rule_is_named_beside_a_good_one() -> None:
    counts = [count("canonical", "venue_missing", 120), count("canonical", None, 300)._replace(file_name="good.csv")]
    [(file, reason)] = bad_files(counts, ALL).items()
    assert file == ("canonical", counts[0].file_name)
    assert reason.startswith(f"120 of 120 records of {counts[0].file_name} break a rule, 120 of them venue_missing")


def test_many_small_bad_files_are_a_bad_delivery() -> None:
    counts = [count("canonical", "venue_missing", 60)._replace(file_name=f"{number}.csv") for number in range(2)]
    with pytest.raises(CurationError, match="120 of 120 records of canonical break a rule"):
        bad_files(counts, ALL)


def test_a_page_of_an_api_is_judged_with_the_others() -> None:
    counts = [count("canonical", "venue_missing", 120), count("canonical", None, 300)._replace(file_name="good.csv")]
    assert bad_files(counts, ()) == {}


def test_of_a_few_records_the_share_says_nothing() -> None:
    assert bad_files([count("canonical", "venue_missing", FEWEST_JUDGED - 1)], ALL) == {}


def test_half_of_the_records_may_be_rejected() -> None:
    assert bad_files([count("canonical", "venue_missing", 100), count("canonical", None, 100)], ALL) == {}


def test_a_volume_is_compared_with_the_median_of_three_earlier_runs_at_least() -> None:
    history = History([entry("a", 100), entry("b", 300)])
    assert history.volume_ratio("lastfm", 200) is None

    history.entries.append(entry("c", 200))
    assert history.volume_ratio("lastfm", 20) == pytest.approx(0.1)
    assert history.volume_ratio("spotify", 20) is None


def test_a_run_is_not_compared_with_itself() -> None:
    history = History([entry("a", 100), entry("b", 100), entry("c", 100)])

    assert history.without("c").volume_ratio("lastfm", 100) is None


def test_a_collapsed_volume_and_many_rejects_are_told_and_stop_nothing(spark: SparkSession) -> None:
    outcome = check(spark, Delivery("lastfm", "interaction", 100, 0.4, 0.05))

    assert failed(outcome) == [("rejected_share", "warning"), ("volume_ratio", "warning")]


def test_a_source_that_two_manifests_of_a_run_deliver_stops_the_run(spark: SparkSession) -> None:
    outcome = check(spark, *[Delivery("lastfm", "interaction", 100, 0.0, None)] * 2)

    assert failed(outcome) == [("source,entity", CRITICAL)]


def test_an_ordinary_delivery_passes(spark: SparkSession) -> None:
    rows = [Delivery("lastfm", "interaction", 100, 0.0, 1.0), Delivery("spotify", "artist", 3, None, None)]

    assert failed(check(spark, *rows)) == []


def test_amounts_that_have_shifted_are_told(spark: SparkSession) -> None:
    earlier = History([entry(name, 2000, [10.0, 50.0, 90.0]) for name in "abc"])
    shifts = {
        **earlier.shifts({"weight": [12.0, 55.0, 91.0]}),
        **{f"shifted {name}": shift for name, shift in earlier.shifts({"weight": [10.0, 50.0, 190.0]}).items()},
    }
    assert shifts == pytest.approx({"weight": 5 / 80, "shifted weight": 100 / 80})

    frame = spark.createDataFrame([("interaction", *item) for item in shifts.items()], DRIFT_DDL)
    outcome = validate(frame, "drift", dt="2026-03-04", run_id="run-1", rows=2, records=2)

    assert failed(outcome) == [("shift", "warning")]
    assert [item.failed for item in outcome.checks if not item.success] == [1]


def test_a_spread_is_not_judged_by_two_runs() -> None:
    earlier = History([entry(name, 2000, [10.0, 50.0, 90.0]) for name in "ab"])

    assert earlier.shifts({"weight": [1000.0, 2000.0, 3000.0]}) == {}


def test_quantiles_are_of_many_rows_only(spark: SparkSession) -> None:
    rows = spark.range(2000).selectExpr("CAST(id % 100 AS DOUBLE) AS weight")

    assert quantiles_of(rows, "interaction", 2000)["weight"] == pytest.approx([10, 50, 90], abs=2)
    assert quantiles_of(rows, "interaction", 10) == {}
    assert quantiles_of(rows, "setlist", 2000) == {}


def test_data_docs_have_a_page_for_each_suite_and_an_index(spark: SparkSession) -> None:
    outcome = check(spark, Delivery("lastfm", "interaction", 100, 0.0, 0.1))

    pages = documents("2026-03-04", "run-1", outcome.checks, {outcome.suite: outcome.page})

    assert sorted(pages) == ["index.html", "raw.html"]
    assert 'href="raw.html"' in pages["index.html"] and 'class="failed">1<' in pages["index.html"]
    assert "volume_ratio" in pages["raw.html"]
