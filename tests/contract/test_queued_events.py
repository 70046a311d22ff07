"""Three asset events that wait while the DAG runs start one further run: it loads the partitions of all three."""

from types import SimpleNamespace

from concert_platform import backlog, warehouse
from concert_platform.partitions import Partition
from tests.contract.curated_runs import DAY, FIRST, NEXT_DAY, SECOND, T2, Platform, event, load
from tests.contract.warehouse_platform import violations

pytest_plugins = ["tests.contract.warehouse_platform"]

THIRD = "run-3"


def test_three_queued_events_end_as_three_loaded_partitions(empty: Platform) -> None:
    delivered = {FIRST: DAY, SECOND: DAY, THIRD: NEXT_DAY}
    empty.curate(FIRST, DAY, event=[event(1), event(2)])
    empty.curate(SECOND, DAY, event=[event(3)])
    empty.curate(THIRD, NEXT_DAY, event=[event(1, status="cancelled", ingested_at=T2), event(4)])
    queued = [SimpleNamespace(extra={"partitions": [[day, run]]}) for run, day in reversed(delivered.items())]
    context = {"dag_run": SimpleNamespace(conf={}), "triggering_asset_events": {"curated": queued}}

    wanted = backlog.to_load(context)
    assert wanted == [Partition(day, run) for run, day in delivered.items()]
    for values in warehouse.loads_of(wanted):
        load(values)

    assert warehouse.query("SELECT event_id, status FROM core.fact_event ORDER BY event_id") == [
        ["e1", "cancelled"], ["e2", None], ["e3", None], ["e4", None],
    ]  # fmt: skip
    assert warehouse.query(
        "SELECT run_id, read_count, loaded_count, deduplicated_count, status FROM quality.load_audit ORDER BY run_id"
    ) == [[FIRST, 2, 2, 0, "loaded"], [SECOND, 1, 1, 0, "loaded"], [THIRD, 2, 1, 1, "loaded"]]
    assert violations("account_open") == 0
    assert backlog.to_load({**context, "triggering_asset_events": {"curated": queued[:1]}}) == wanted[2:]
