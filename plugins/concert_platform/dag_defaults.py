"""What every DAG shares: owner, retries, alerts, start date and the names available to templates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.timetables.trigger import CronTriggerTimetable

from concert_platform.failure_alerts import keep_reason, take_back_reason
from concert_platform.partitions import partitions, run_slug
from concert_platform.settings import settings
from concert_platform.sql_values import sql_date, sql_s3_uri, sql_slug

START_DATE = datetime(2026, 1, 1, tzinfo=UTC)
EXECUTION_TIMEOUT = timedelta(hours=2)  # of a try; also of each of its waits, unless the operator says otherwise


def cron_utc(cron: str) -> CronTriggerTimetable:
    """A schedule in UTC whose first run is the next tick after unpausing, not the one that was missed before.

    Airflow fires the missed tick whenever a DAG has a start date, even with catchup off: such a DAG has none.
    """
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


# Each try of a Glue or SageMaker job that fails is paid for and takes minutes.
JOB_RETRIES = 2
# A deferral race can resume a task twice, so every task needs at least one retry and an idempotent submit. The first
# delay is Airflow's option core.default_task_retry_delay: 20 s on AWS, where the last try then begins 5 to 10 minutes
# after the first has failed, 2 s on the local platform. What no retry mends raises AirflowFailException.
DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data-platform",  # the DAGs of the models have another one
    "retries": 4,
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": EXECUTION_TIMEOUT,
    "on_failure_callback": keep_reason,
    "on_success_callback": take_back_reason,
    "aws_conn_id": None,  # the execution role's credentials: no Airflow connection holds a key
}

# Plugin macros are not defined in task templates, hence DAG-level ones.
MACROS = {"settings": settings, "partitions": partitions, "run_slug": run_slug}
FILTERS = {"sql_date": sql_date, "sql_slug": sql_slug, "sql_s3_uri": sql_s3_uri}
