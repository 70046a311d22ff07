"""What the job publishes, when it publishes nothing, and that a repetition changes nothing."""

import gzip
import json
from typing import Any

import pytest
from concert_etl.errors import CurationError
from test_box_office import canonical

REPORTS = "s3://curated/curated/_reports"


def test_a_second_run_publishes_the_same_rows_under_a_new_prefix(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({}, {}, {"gross": "-1"})}, {"f.csv": 3})

    first, second = run_job(), run_job()

    assert len(first.rows("box_office").collect()) == 2
    assert first.rows("box_office").collect() == second.rows("box_office").collect()
    assert first.accounts == second.accounts and first.rejected == second.rejected
    prefixes = [outcome.report["entities"]["box_office"]["prefix"] for outcome in (first, second)]
    assert prefixes[0] != prefixes[1]
    assert buckets.catalogue.partitions["box_office", "2020-03-04", "manual-1"] == prefixes[1]


def test_the_copy_manifest_lists_the_files_with_their_sizes(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})

    report = run_job().report

    (entry,) = json.loads(buckets.path(report["entities"]["box_office"]["manifest_uri"]).read_text())["entries"]
    assert entry["url"].startswith(report["entities"]["box_office"]["prefix"]) and entry["url"].endswith(
        ".snappy.parquet"
    )
    assert entry["mandatory"] and entry["meta"]["content_length"] == buckets.path(entry["url"]).stat().st_size
    assert report["quarantine_manifest_uri"] is None and report["quarantined"] == 0


def test_a_day_without_run_id_means_every_run_of_the_day(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1}, run_id="manual-2")

    run_job(["2020-03-04", None], ["2020-03-04", "manual-2"])

    published = sorted(path.name for path in buckets.path(f"{REPORTS}/dt=2020-03-04").iterdir())
    assert published == ["run=manual-1.json", "run=manual-2.json"]
    assert buckets.catalogue.calls == ["create"] * 3  # one for each table


def test_a_source_that_delivered_nothing_has_an_account(deliver: Any, run_whole_job: Any) -> None:
    deliver("ticketmaster", "event", {}, {})

    outcome = run_whole_job()

    account = outcome.accounts["ticketmaster", "event"]
    assert (account["read"], account["quarantined"], account["deduplicated"]) == (0, 0, 0)
    assert outcome.checks == []


def test_a_day_without_a_run_stops_the_job(run_job: Any) -> None:
    with pytest.raises(CurationError, match="no ingest run of 2020-03-05"):
        run_job(["2020-03-05", None])


def test_all_records_rejected_is_a_warning(deliver: Any, run_whole_job: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({"gross": ""})}, {"f.csv": 1})

    outcome = run_whole_job()

    failed = [check["expectation"] for check in outcome.checks if not check["success"]]
    assert failed == ["expect_table_row_count_to_be_between"]
    assert outcome.report["quarantined"] == 1


def test_a_gate_that_does_not_pass_stops_the_publication_of_its_run_alone(
    deliver: Any, run_whole_job: Any, buckets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concert_etl import box_office

    # A fault in a rule lets a record through; the gate must not.
    rules = tuple(rule for rule in box_office.RULES if rule.name != "country_missing")
    monkeypatch.setattr(box_office, "RULES", rules)
    deliver("canonical", "box_office", {"f.csv": canonical({}, {"country": ""})}, {"f.csv": 2})
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1}, run_id="manual-2")

    reason = r"gate box_office .* expect_column_values_to_not_be_null\(country\) failed for 1 of 2 rows: nothing is"
    with pytest.raises(CurationError, match=reason):
        run_whole_job(["2020-03-04", "manual-2"], ["2020-03-04", "manual-1"])

    assert [path.name for path in buckets.path(REPORTS).rglob("*.json")] == ["run=manual-2.json"]
    assert {key[-1] for key in buckets.catalogue.partitions} == {"manual-2"}
    checks = buckets.lines("s3://curated/curated/_failed/dt=2020-03-04/run=manual-1.json")
    failed = [(check["column_name"], check["failed"], check["checked"]) for check in checks if not check["success"]]
    assert failed == [("country", 1, 2)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut.csv.gz", gzip.compress(canonical(*[{"venue": str(n) * 50} for n in range(500)]).encode())[:-400]),
        ("broken.parquet", b"PAR1 and no footer"),
        ("short.csv", canonical({}).encode()),
    ],
)
def test_a_damaged_file_stops_the_job_and_is_named(
    deliver: Any, run_job: Any, buckets: Any, name: str, content: bytes
) -> None:
    deliver("canonical", "box_office", {name: content}, {name: 500})

    with pytest.raises(CurationError, match=name) as error:
        run_job()

    assert "\n" not in str(error.value)
    assert not buckets.path(REPORTS).exists()
    (refusal,) = buckets.lines("s3://curated/curated/_failed/dt=2020-03-04/run=manual-1.json")
    assert name in refusal["reason"], "later runs leave it to a person"


def test_a_page_that_is_no_json_stops_the_job_and_is_named(deliver: Any, run_job: Any) -> None:
    deliver("ticketmaster", "event", {"p.json": '{"_embedded": {"events": [{"id"'}, {"p.json": 1})

    with pytest.raises(CurationError, match=r"file p\.json of ticketmaster has 0 records where its manifest counts 1"):
        run_job()
