"""Load curated partitions into the warehouse.

Each partition (a day and an ingest run) is loaded by one transaction for each of its entities, side by side: COPY into
temporary tables, MERGE into core, and the entity's accounts. A last transaction brings the new versions of artists and
venues, rejected records and check results, and marks the partition as loaded. Then the parts of the marts that the
loads touch are rebuilt, with those of earlier loads whose refresh has failed (quality.mart_due), and the checks of
include/sql/checks look at all of them. Beside that, the stream's function is told who plays the concerts that were
loaded.

When: as soon as curate_concerts has published a run, or backfill_warehouse asks for a day. By hand: conf
`{"partitions": [["2020-03-04", "<run>"]]}`.

What a failure means: apply_migrations names the file that fails, or that was changed after it was applied;
load_partition names entity and statement and, for COPY, file, line and reason; nothing of that entity was committed,
the partition's accounts stay 'partial', and the others are loaded, refreshed and checked without it. check_warehouse
names the check and its rows: the data is in, and breaks a rule. Either way quality.load_audit gets a row 'failed' with
the reason, of each partition that it concerns. publish_concert_artists names the table that does not answer: it
concerns no partition, and the next run publishes what is missing. Clear the failed task after the fix: a partition that
is loaded again changes no count.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, chain, get_current_context, task

from concert_platform.assets import CURATED_CONCERTS
from concert_platform.compat import AirflowFailException, AirflowSkipException, TriggerRule
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.load_outcome import ERROR_KEY
from concert_platform.operators.redshift import LoadPartitionOperator
from concert_platform.operators.require_stacks import RequireStacks


@task(task_id="apply_migrations")
def migrate_schema() -> list[str]:
    """Apply the files of include/sql/migrations that the warehouse has not recorded; returns them."""
    from concert_platform.warehouse import MigrationError, migrate

    try:
        return migrate()
    except MigrationError as error:
        get_current_context()["ti"].xcom_push(key=ERROR_KEY, value=str(error))
        raise AirflowFailException(str(error)) from error


@task(task_id="list_loads")
def list_curated_loads() -> list[dict[str, Any]]:
    """What curation has published, of this run and left over from earlier ones: one entry per partition."""
    from concert_platform.backlog import to_load
    from concert_platform.warehouse import loads_of

    return loads_of(to_load(get_current_context()))


# One partition that fails keeps no other from the marts and the checks; a skipped run stays skipped.
@task(task_id="refresh_marts", trigger_rule=TriggerRule.NONE_SKIPPED)
def rebuild_marts(loads: list[dict[str, Any]] | None, ti: Any = None) -> list[dict[str, str]]:
    """Rebuild what the loaded partitions touch in the marts, and what earlier refreshes left; names all of them."""
    from concert_platform.load_outcome import loaded
    from concert_platform.warehouse import client_token, refresh_marts

    if not (new := loaded(ti, loads or [])):  # None when list_loads has failed
        raise AirflowSkipException("no partition was loaded: the marts stay as they are")
    return refresh_marts(new, client_token(ti, ti.try_number))


@task(task_id="publish_concert_artists", trigger_rule=TriggerRule.NONE_SKIPPED)
def tell_stream(loads: list[dict[str, Any]] | None, ti: Any = None, dag_run: Any = None) -> int:
    """Write who plays the loaded concerts where the stream's function looks it up; the number of concerts."""
    from concert_platform.load_outcome import loaded
    from concert_platform.streams.concert_artists import TableMissingError, publish

    if not (new := loaded(ti, loads or [])):
        raise AirflowSkipException("no partition was loaded: the stream's function knows what there is")
    try:
        return publish(new, dag_run.run_after.date())
    except TableMissingError as error:
        raise AirflowSkipException(str(error)) from error
    except Exception as error:  # record_failure tells the reason
        ti.xcom_push(key=ERROR_KEY, value=str(error))
        raise


@task(task_id="check_warehouse")
def run_checks(loads: list[dict[str, Any]], shown: list[dict[str, str]], ti: Any = None) -> int:
    """Run every check of include/sql/checks; one of severity 'fail' that finds rows fails the run."""
    from concert_platform.load_outcome import loaded
    from concert_platform.metrics import publish_load
    from concert_platform.warehouse import CheckFailedError, check, client_token

    try:
        checked = check(shown, client_token(ti, ti.try_number))
    except CheckFailedError as error:
        ti.xcom_push(key=ERROR_KEY, value=str(error))
        raise AirflowFailException(str(error)) from error
    publish_load(loaded(ti, loads))
    return checked


@task(task_id="record_failure", trigger_rule=TriggerRule.ALL_DONE)  # one_failed would not wait for the other loads
def note_failure(loads: list[dict[str, Any]] | None = None, ti: Any = None) -> None:
    """Tell those who wait for a partition why it is not loaded; then fail, so that the run does."""
    from concert_platform.load_outcome import failures, stream_failure
    from concert_platform.partitions import partitions
    from concert_platform.warehouse import record_failure as record

    found, of_stream = failures(ti, loads, partitions(get_current_context())), stream_failure(ti)
    if not found and not of_stream:
        raise AirflowSkipException("nothing has failed")
    for partition, reason in found.items():
        record([partition], reason)
    reasons = [f"{partition.run_id}: {reason}" for partition, reason in found.items()]
    message = "; ".join([*reasons, of_stream] if of_stream else reasons)
    raise AirflowFailException(message)


with DAG(
    "load_warehouse",
    schedule=[CURATED_CONCERTS],
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # days in their order; two loads at once are safe, see docs/decisions/0011
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:warehouse"],
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    apply_migrations = migrate_schema()
    list_loads = list_curated_loads()
    # One after another: the versions of artists and venues follow the days. Inside, entities are loaded side by side.
    load_partition = LoadPartitionOperator.partial(task_id="load_partition", max_active_tis_per_dagrun=1).expand(
        values=list_loads
    )
    publish_concert_artists = tell_stream(list_loads)
    refresh_marts = rebuild_marts(list_loads)
    check_warehouse = run_checks(list_loads, refresh_marts)
    record_failure = note_failure(list_loads)

    steps = [require_stacks, apply_migrations, list_loads, load_partition, refresh_marts, check_warehouse]
    chain(*steps)
    chain(load_partition, publish_concert_artists)
    chain([*steps, publish_concert_artists], record_failure)
