"""What the job publishes, when it publishes nothing, and that a repetition changes nothing."""

import gzip
import hashlib
import io
import json
from datetime import time
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
from concert_etl.errors import CurationError
from test_box_office import canonical
from test_event_and_interaction import EVENT, page

REPORTS = "s3://curated/curated/_reports"
WEEK = (
    "show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd\n"
    "Cats,Winter Garden Theatre,1997-06-08,6,2,1500,11000,500000\n"
)


def parquet(columns: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    pq.write_table(pyarrow.table(columns), body)
    return body.getvalue()


def failure(buckets: Any) -> dict[str, Any]:
    return json.loads(buckets.path("s3://curated/curated/_failed/dt=2020-03-04/run=manual-1.json").read_text())


def index_etag(buckets: Any) -> str:
    content = buckets.path("s3://raw/raw/_runs/dt=2020-03-04/manual-1.json").read_bytes()
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_a_second_run_publishes_the_same_rows_under_a_new_prefix(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({}, {}, {"gross": "-1"})}, {"f.csv": 3})

    first, second = run_job(), run_job()

    assert len(first.rows("box_office").collect()) == 2
    assert first.rows("box_office").collect() == second.rows("box_office").collect()
    assert first.accounts == second.accounts and first.rejected == second.rejected
    prefixes = [outcome.report["entities"]["box_office"]["prefix"] for outcome in (first, second)]
    assert prefixes[0] != prefixes[1]
    assert buckets.catalogue.partitions["box_office", "2020-03-04", "manual-1"] == prefixes[1]
    replaced = {uri for uri, tags in buckets.s3.tagged.items() if tags == {"superseded": "true"}}
    assert any(uri.startswith(prefixes[0]) and uri.endswith(".parquet") for uri in replaced)
    assert not any(uri.startswith(prefixes[1]) for uri in replaced)


def test_the_copy_manifest_lists_the_files_with_their_sizes(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})

    report = run_job().report

    (entry,) = json.loads(buckets.path(report["entities"]["box_office"]["manifest_uri"]).read_text())["entries"]
    assert entry["url"].startswith(report["entities"]["box_office"]["prefix"]) and entry["url"].endswith(
        ".snappy.parquet"
    )
    assert entry["mandatory"] and entry["meta"]["content_length"] == buckets.path(entry["url"]).stat().st_size
    assert report["quarantine_manifest_uri"] is None and report["quarantined"] == 0
    assert (report["index_etag"], report["refused"]) == (index_etag(buckets), {})


def test_a_day_without_run_id_means_every_run_of_the_day(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1}, run_id="manual-2")

    run_job(["2020-03-04", None], ["2020-03-04", "manual-2"])

    published = sorted(path.name for path in buckets.path(f"{REPORTS}/dt=2020-03-04").iterdir())
    assert published == ["run=manual-1.json", "run=manual-2.json"]
    assert buckets.catalogue.calls == ["create"]  # for the table that both have rows of


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
    refusal = failure(buckets)
    assert "gate box_office" in refusal["reason"] and refusal["index_etag"] == index_etag(buckets)
    checks = refusal["checks"]
    failed = [(check["column_name"], check["failed"], check["checked"]) for check in checks if not check["success"]]
    assert failed == [("country", 1, 2)]


def test_a_run_that_a_gate_refuses_names_its_bad_files_too(
    deliver: Any, run_whole_job: Any, buckets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concert_etl import box_office

    rules = tuple(rule for rule in box_office.RULES if rule.name != "country_missing")
    monkeypatch.setattr(box_office, "RULES", rules)
    bad = canonical(*({"report_id": f"b{number}", "capacity": "0"} for number in range(120)))
    files = {"f.csv": canonical({}, {"country": ""}), "bad.csv": bad}
    deliver("canonical", "box_office", files, {"f.csv": 2, "bad.csv": 120})

    with pytest.raises(CurationError, match=r"gate box_office .*; canonical/box_office/bad\.csv: 120 of 120 records"):
        run_whole_job()

    assert "bad.csv" in failure(buckets)["reason"]
    assert not buckets.path(REPORTS).exists()


def test_a_damaged_file_stops_the_job_and_is_named(deliver: Any, run_job: Any, buckets: Any) -> None:
    """Where there is nothing else that could be published; other damages are below."""
    deliver("canonical", "box_office", {"broken.parquet": b"PAR1 and no footer"}, {"broken.parquet": 500})

    with pytest.raises(CurationError, match=r"broken\.parquet") as error:
        run_job()

    assert "\n" not in str(error.value)
    assert not buckets.path(REPORTS).exists()
    refusal = failure(buckets)
    assert "broken.parquet" in refusal["reason"]
    assert refusal["index_etag"] == index_etag(buckets), "later runs leave it to a person"


def test_a_page_that_is_no_json_stops_the_job_and_is_named(deliver: Any, run_job: Any) -> None:
    deliver("ticketmaster", "event", {"p.json": '{"_embedded": {"events": [{"id"'}, {"p.json": 1})

    with pytest.raises(CurationError, match=r"file p\.json of ticketmaster has 0 records where its manifest counts 1"):
        run_job()


BAD = [
    ("short.csv", canonical({}).encode()),
    ("cut.csv.gz", gzip.compress(canonical(*[{"venue": str(n) * 50} for n in range(500)]).encode())[:-400]),
    ("twice.parquet", parquet({"show": ["Cats"] * 500, "SHOW": ["Rent"] * 500})),
    ("time.parquet", parquet({"show": [time(1)] * 500})),
    ("digits.parquet", parquet({"show": pyarrow.array([1] * 500, pyarrow.decimal256(60))})),
    ("narrow.parquet", parquet({"show": ["Cats"] * 500})),
]


@pytest.mark.parametrize(("name", "content"), BAD, ids=[name for name, _ in BAD])
def test_a_source_with_a_bad_file_is_left_out_alone(
    deliver: Any, run_job: Any, buckets: Any, name: str, content: bytes
) -> None:
    deliver("broadway_weekly_grosses", "box_office", {"week.csv": WEEK, name: content}, {"week.csv": 1, name: 500})
    deliver("canonical", "box_office", {"f.csv": canonical({}, {"gross": "-1"})}, {"f.csv": 2})
    deliver("ticketmaster", "event", {"p.json": page(EVENT)}, {"p.json": 1})

    with pytest.raises(CurationError, match=rf"2020-03-04 manual-1: broadway_weekly_grosses/box_office: .*{name}"):
        run_job()

    report = json.loads(buckets.path(f"{REPORTS}/dt=2020-03-04/run=manual-1.json").read_text())
    assert [report["entities"][entity]["rows"] for entity in ("box_office", "event", "interaction")] == [1, 1, 0]
    accounts = {row["source"]: (row["read"], row["quarantined"]) for row in buckets.lines(report["accounts_uri"])}
    assert accounts == {"venue_report": (2, 1), "canonical": (0, 0), "ticketmaster": (1, 0)}
    assert list(report["refused"]) == ["broadway_weekly_grosses/box_office"]
    assert name in failure(buckets)["reason"] and failure(buckets)["index_etag"] == report["index_etag"]


def test_a_file_that_mostly_breaks_a_rule_goes_to_quarantine_and_leaves_the_good_one_beside_it(
    deliver: Any, run_job: Any, buckets: Any
) -> None:
    good = canonical(*({"report_id": f"g{number}"} for number in range(3)))
    bad = canonical(*({"report_id": f"b{number}", "capacity": "3,200"} for number in range(120)), {"report_id": "g0"})
    deliver("canonical", "box_office", {"good.csv": good, "bad.csv": bad}, {"good.csv": 3, "bad.csv": 121})

    with pytest.raises(CurationError, match=r"box_office/bad\.csv: 120 of 121 records of bad\.csv break a rule"):
        run_job()

    report = json.loads(buckets.path(f"{REPORTS}/dt=2020-03-04/run=manual-1.json").read_text())
    assert list(report["rejected_files"]) == ["canonical/box_office/bad.csv"] and report["refused"] == {}
    assert report["entities"]["box_office"]["rows"] == 3, "the good record of the bad file stands for none of them"
    accounts = {row["source"]: (row["read"], row["quarantined"]) for row in buckets.lines(report["accounts_uri"])}
    assert accounts["venue_report"] == (124, 121)
    assert "bad.csv" in failure(buckets)["reason"]
    again = run_job().report
    assert list(again["rejected_files"]) == ["canonical/box_office/bad.csv"], "known: a replay comes to its end"


def test_a_source_that_is_published_stays_when_its_file_is_lost(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("broadway_weekly_grosses", "box_office", {"week.csv": WEEK}, {"week.csv": 1})
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})
    first = run_job().report
    (lost,) = buckets.path("s3://raw").rglob("week.csv")
    lost.unlink()

    with pytest.raises(CurationError, match=r"week\.csv is missing"):
        run_job()

    assert json.loads(buckets.path(f"{REPORTS}/dt=2020-03-04/run=manual-1.json").read_text()) == first


def test_a_run_whose_manifest_is_lost_does_not_stop_the_others(deliver: Any, run_job: Any, buckets: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1})
    deliver("canonical", "box_office", {"f.csv": canonical({})}, {"f.csv": 1}, run_id="manual-2")
    (lost,) = buckets.path("s3://raw").rglob("run=manual-1/manifest.json")
    lost.unlink()

    with pytest.raises(CurationError, match=r"manifest\.json is missing"):
        run_job(["2020-03-04", None])

    assert [path.name for path in buckets.path(REPORTS).rglob("*.json")] == ["run=manual-2.json"]
    assert failure(buckets)["index_etag"] == index_etag(buckets)
