"""Send rejected records through curation and load again, after a rule or a mapping was mended.

Finds the ingest runs whose records lie in quality.quarantine, has curate_concerts judge those runs anew from their raw
files, waits until load_warehouse has brought the result in, and says per rule how many records are still rejected. A
run is judged as a whole, so that its account (read = loaded + quarantined + deduplicated) is counted anew and closes;
what was loaded before stays, for loads go by key.

When: by hand, after the fix is deployed. Params narrow the replay: `source`, `entity`, `rule`, `since` (first day of
delivery); without any, everything that lies in quarantine is sent through again. A record that is broken in the source
itself is rejected again: deliver a mended file instead.

What a failure means: `curate_again` names the run of curate_concerts that has failed, `wait_for_warehouse` the reason
why a run was not loaded; the last good data stays in place. Clear the failed task after the fix.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, chain, task

from concert_platform.compat import AirflowSkipException
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.run_dag import RunDagOperator
from concert_platform.sensors.warehouse_load import WarehouseLoadSensor


@task
def find_rejected(params: dict[str, Any] | None = None) -> list[list[Any]]:
    """The rejected records as they are now: number per day, run, source, entity and rule."""
    from concert_platform.quality.replay import rejected

    found = rejected(params or {})
    if not found:
        raise AirflowSkipException("quality.quarantine holds no such record: there is nothing to replay")
    return [list(item) for item in found]


@task
def name_partitions(before: list[list[Any]]) -> dict[str, Any]:
    """conf for curate_concerts: the ingest runs that delivered the records."""
    from concert_platform.quality.replay import partitions_of

    return {"partitions": partitions_of(before)}


@task
def name_reports(named: dict[str, Any]) -> list[dict[str, str]]:
    """The reports that curation has published anew: what the warehouse must have in the end."""
    from concert_platform.quality.replay import reports_of

    return reports_of(named["partitions"])


@task
def report_outcome(before: list[list[Any]], params: dict[str, Any] | None = None) -> list[str]:
    """Per rule what the replay has changed, one line each (in the log and as XCom)."""
    from concert_platform.quality.replay import outcome, rejected

    return outcome(before, rejected(params or {}))


def text_param(description: str) -> Param:
    return Param(None, type=["null", "string"], description=description)


with DAG(
    "replay_quarantine",
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:quality"],
    params={
        "source": text_param("Only records of this source"),
        "entity": text_param("Only records of this entity"),
        "rule": text_param("Only records that broke this rule"),
        "since": Param(None, type=["null", "string"], format="date", description="First day of delivery"),
    },
):
    before: Any = find_rejected()
    conf: Any = name_partitions(before)
    curate_again = RunDagOperator(
        task_id="curate_again",
        trigger_dag_id="curate_concerts",
        trigger_run_id="replay-{{ dag_run.run_id }}",
        conf=conf,
    )
    reports: Any = name_reports(conf)
    # Started by the asset event of curate_again, like any other load.
    wait_for_warehouse = WarehouseLoadSensor.partial(task_id="wait_for_warehouse").expand_kwargs(reports)

    chain(curate_again, reports, wait_for_warehouse, report_outcome(before))
