"""Load days into the warehouse again: the target of Airflow's own backfill, which a DAG on assets cannot be.

Each run tells load_warehouse, by an event of the curated asset, to load every curated run of its day again. A load
changes no count, so that seven days are seven runs and the same rows.

When: by the Backfill button, or `airflow backfill create --dag-id backfill_warehouse --from-date ... --to-date ...
--reprocess-behavior completed`. Its own daily tick at 04:00 UTC asks only for what the warehouse does not account for,
in case an asset event was lost. A day without such a run is skipped.

What a failure means: the day's reports could not be listed; nothing was asked of load_warehouse. Clear the task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, chain, task

from concert_platform.assets import CURATED_CONCERTS
from concert_platform.compat import AirflowSkipException
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.require_stacks import RequireStacks


@task(task_id="announce_day", outlets=[CURATED_CONCERTS])
def ask_for_day(**context: Any) -> list[list[str | None]]:
    """The curated runs of the run's day, as an event of the curated asset carries them."""
    from concert_platform.backlog import to_load_again

    wanted = [list(partition) for partition in to_load_again(context)]
    if not wanted:
        raise AirflowSkipException("no curated run of that day is to be loaded")
    context["outlet_events"][CURATED_CONCERTS].extra = {"partitions": wanted}
    return wanted


with DAG(
    "backfill_warehouse",
    schedule=cron_utc("0 4 * * *"),  # every day at 04:00 UTC, after the night's ingest
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-3", "area:warehouse"],
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    announce_day = ask_for_day()

    chain(require_stacks, announce_day)
