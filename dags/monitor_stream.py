"""Say how the stream stands, send what waits in the spill, and redrive its dead letters on request.

When: every 15 minutes. By hand with param `redrive`, after the reason of the dead letters was mended: each goes back
through the stream and is deleted once the stream has it. A letter that holds a part of its record, or an event of more
than 7 days, stays and is named.

What a failure means: redrive_letters or drain_spill names the stream's or the object's reason; nothing is lost, run it
again after the fix. look_at_stream reports all the same, and check_every_step fails the run. look_at_stream fails only
when CloudWatch, a queue or the warehouse does not answer: a stream in trouble is a line in its log, a value in
CloudWatch and an alarm of the monitoring stack. Clearing any task is safe.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain, task

from concert_platform.compat import TriggerRule
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.require_stacks import RequireStacks


@task(task_id="drain_spill")
def send_spilled_records() -> int:
    """Send what a producer has spilled and no later run has sent; the number of records that the stream took."""
    from concert_platform.streams.kinesis import drain_spill

    return drain_spill()


@task
def redrive_letters(params: dict | None = None) -> str:
    """Send the dead letters back through the stream, when the run asks for it."""
    from concert_platform.streams.redrive import redrive

    return str(redrive()) if params and params["redrive"] else "no redrive asked for"


# Above all when the drain or the redrive failed; a run before the deployment is skipped as a whole.
@task(trigger_rule=TriggerRule.NONE_SKIPPED)
def look_at_stream() -> str:
    """Report lag, dead letters, freshness and spill to CloudWatch; the verdict in one line."""
    import logging

    from concert_platform.streams.health import look

    health = look()
    logging.getLogger(__name__).log(logging.WARNING if health.troubles else logging.INFO, "%s", health)
    return str(health)


with DAG(
    "monitor_stream",
    schedule=cron_utc("*/15 * * * *"),  # every 15 minutes
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:stream"],
    params={"redrive": Param(False, type="boolean", description="Send the dead letters back through the stream")},
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing", "compute-application"])
    drained, redriven, look = send_spilled_records(), redrive_letters(), look_at_stream()
    # Fails the run when a step failed, although look_at_stream succeeded.
    check_every_step = EmptyOperator(task_id="check_every_step")

    chain(require_stacks, drained, redriven, look)
    chain(drained, look)
    chain([drained, redriven, look], check_every_step)
