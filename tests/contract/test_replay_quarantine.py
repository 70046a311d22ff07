"""What replay_quarantine asks of a real warehouse and bucket."""

from concert_platform.quality.replay import rejected, reports_of
from tests.contract.curated_runs import DAY, FIRST, Platform

pytest_plugins = ["tests.contract.warehouse_platform"]


def test_rejected_records_are_found_with_and_without_filters(loaded: Platform) -> None:
    found = rejected({})

    assert found and {item.run_id for item in found} == {FIRST} and {item.dt for item in found} == {DAY}
    one = found[0]
    assert rejected({"source": one.source, "entity": one.entity, "rule": one.rule, "since": DAY}) == [
        item for item in found if (item.source, item.entity, item.rule) == (one.source, one.entity, one.rule)
    ]
    assert rejected({"rule": "no_such_rule"}) == rejected({"since": "2099-01-01"}) == []


def test_the_report_to_wait_for_is_the_one_that_a_load_takes(loaded: Platform) -> None:
    from concert_platform import warehouse

    [report] = reports_of([[DAY, FIRST]])

    assert report["ingest_run_id"] == FIRST
    assert warehouse.query("SELECT DISTINCT report_etag FROM quality.load_audit") == [[report["report_etag"]]]
