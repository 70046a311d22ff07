"""Load the micro-batches of the stream into the warehouse, each event once.

One transaction: COPY of the new micro-batches into temporary tables, MERGE by event id into core.fact_fan_event and
core.fact_event_change, the loaded objects into quality.stream_object, and the accounts into quality.load_audit.

When: every 5 minutes; a run without anything new, or before load_warehouse has applied the migrations, ends skipped. By
hand: no conf.

What a failure means: load_micro_batches names the statement and, for COPY, file, line and reason; nothing was
committed, and the next run takes the same objects and the ones that came since. Clearing any task is safe: an event
that core has is deduplicated. docs/streaming.md says how an object that cannot be read is put aside.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, chain, task

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.redshift import RunSqlBatchOperator
from concert_platform.operators.require_stacks import RequireStacks
from concert_platform.streams.loading import FILES


@task
def find_micro_batches(**context: Any) -> dict[str, Any]:
    """List what the stream's function has written and no load has taken, and write COPY's manifest."""
    from concert_platform.compat import AirflowSkipException
    from concert_platform.partitions import run_slug
    from concert_platform.streams.loading import SchemaMissingError, find

    dag_run = context["dag_run"]
    # The prefix keeps the accounts of the load apart from those of an ingest run of the same name.
    try:
        load = find(f"stream-{run_slug(dag_run.run_id)}", dag_run.run_after.date().isoformat())
    except SchemaMissingError as error:
        raise AirflowSkipException(str(error)) from error
    if load is None:
        raise AirflowSkipException("no new micro-batch: there is nothing to load")
    return load


@task
def confirm_load(load: dict[str, Any]) -> None:
    """Move the watermark, now that the load is committed."""
    from concert_platform.streams.loading import confirm

    confirm(load)


with DAG(
    "load_stream",
    schedule=cron_utc("*/5 * * * *"),  # every 5 minutes
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:stream"],
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    new_batches = find_micro_batches()
    load_micro_batches = RunSqlBatchOperator(task_id="load_micro_batches", files=FILES, values=new_batches)

    chain(require_stacks, new_batches, load_micro_batches, confirm_load(new_batches))
