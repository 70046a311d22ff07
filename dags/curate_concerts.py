"""Curate what ingest has delivered: validate, quarantine, deduplicate and publish it for the warehouse.

The Glue job reads each ingest run's files, puts records that break a rule into quarantine with the rule's name, finds
out which artist and venue each of the others means, checks them with Great Expectations, and publishes them with one
report per run. A repeated run publishes the same rows anew.

When: whenever ingest_concerts has published raw data; by hand with conf `{"partitions": [["2026-01-31", null]]}`, which
takes every ingest run of that day.

What a failure means: an ingest run was refused, and quality.load_audit says so, or a file of one went to quarantine as
a whole; what has passed of the batch is announced and loaded all the same. `curate_records` names the gate or the file.
A gate that does not pass is a mapping or a rule to mend (the checks lie in curated/_failed/): deploy the fix, then
clear the task. Anything else was tried again already: the task's log ends with the last lines of the run's, and the log
group that the stack storage-processing names as EtlLogGroupName has them all. Then clear the task.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, chain, task

from concert_platform.assets import CURATED_CONCERTS, RAW_CONCERTS
from concert_platform.compat import AirflowFailException, AirflowSkipException, TriggerRule
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, JOB_RETRIES, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.glue import RunGlueJobOperator, error_of
from concert_platform.operators.require_stacks import RequireStacks

PARTITIONS = "{{ ti.xcom_pull(task_ids='find_partitions') | tojson }}"


@task(task_id="find_partitions")
def find_runs(**context: Any) -> list[list[str | None]]:
    """The ingest runs of the asset events, and those that an earlier run should have curated."""
    from concert_platform.backlog import to_curate

    return [list(partition) for partition in to_curate(context)]


@task(task_id="publish_curated_concerts", outlets=[CURATED_CONCERTS], trigger_rule=TriggerRule.NONE_SKIPPED)
def announce_partitions(wanted: list[list[str | None]] | None, **context: Any) -> None:
    """Tell the warehouse which partitions are new; where the job refused some, the others."""
    from concert_platform.backlog import passed
    from concert_platform.metrics import publish_curation
    from concert_platform.partitions import parse_partition
    from concert_platform.warehouse import loads_of

    found = [parse_partition(partition) for partition in wanted or []]
    if context["ti"].xcom_pull(task_ids="curate_records") is None:
        found = passed(context["ti"], found)
    if not found:
        raise AirflowSkipException("nothing was published: curate_records says why")
    publish_curation(loads_of(found))
    context["outlet_events"][CURATED_CONCERTS].extra = {"partitions": [list(partition) for partition in found]}


@task(task_id="record_failure", trigger_rule=TriggerRule.ONE_FAILED)
def note_failure(**context: Any) -> None:
    """Tell those who wait for these partitions that they are not curated; then fail, so that the run does."""
    from concert_platform.backlog import not_passed
    from concert_platform.partitions import parse_partition, partitions
    from concert_platform.warehouse import record_failure as record

    message = f"curate_concerts: {error_of(context['ti'], 'curate_records')}"
    asked = context["ti"].xcom_pull(task_ids="find_partitions")  # the run's own and what earlier ones left
    wanted = [parse_partition(partition) for partition in asked] if asked else partitions(context)
    record(not_passed(context["ti"], wanted), message)
    raise AirflowFailException(message)


with DAG(
    "curate_concerts",
    schedule=[RAW_CONCERTS],
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:curation"],
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    find_partitions = find_runs()
    curate_records = RunGlueJobOperator(
        task_id="curate_records",
        job_name="{{ settings().etl_job }}",
        script_args={"--partitions": PARTITIONS},
        log_groups="{{ settings().etl_log_groups | join(',') }}",
        retries=JOB_RETRIES,
    )
    publish_curated_concerts = announce_partitions(find_partitions)
    record_failure = note_failure()

    chain(require_stacks, find_partitions, curate_records, publish_curated_concerts)
    chain([require_stacks, find_partitions, curate_records, publish_curated_concerts], record_failure)
