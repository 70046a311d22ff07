"""Find out what was changed past the templates.

CloudFormation compares each deployed stack, Airflow's own included, with its template. One report of resource,
property, expected and actual value goes to the environment's bucket as `reports/drift/<day>/<run>.json`, and as text
beside it. When anything has drifted, one message goes to the alert topic of the monitoring stack; while that stack is
not deployed, the log of `alert_on_drift` says that nobody was told.

When: daily; by hand after somebody has worked in the console. Params: `fail_on_drift` makes the run fail when it finds
drift, for a check before a release.

A run that finds drift succeeds: the detection has worked, the message calls whoever answers for it, and trying again
would find the same. What a failure means: `detect_drift` could not compare a stack (another detection is under way for
longer than half an hour, or CloudFormation refuses); `check_drift` names the stacks that were compared only in part or,
such as one whose deletion has failed, not at all. The report of the others is written all the same. Types that
CloudFormation cannot compare are listed in the report. Values that may be secrets are hidden in log, report and mail.

To end a drift, deploy a change of the resource's template, which sets its properties again, or take the change into the
template; an unchanged template is no change for CloudFormation and leaves the drift.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from concert_platform.cloudformation.templates import TEMPLATES
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.drift import (
    AlertOnDriftOperator,
    CheckDriftOperator,
    DetectDriftOperator,
    ReportDriftOperator,
)
from concert_platform.operators.require_stacks import RequireStacks

with DAG(
    "detect_infrastructure_drift",
    schedule=cron_utc("0 5 * * *"),  # every day at 05:00 UTC, after the night's loads
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:infrastructure"],
    params={
        "fail_on_drift": Param(False, type="boolean", description="Whether drift makes the run fail"),
    },
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["orchestration"])
    # Each stack is compared on its own: one that cannot be compared does not hide the drift of the others.
    detect_drift = DetectDriftOperator.partial(task_id="detect_drift").expand(stack=list(TEMPLATES))
    report_drift = ReportDriftOperator(
        task_id="report_drift", stacks=TEMPLATES, drifts=detect_drift.output, trigger_rule="all_done"
    )
    alert_on_drift = AlertOnDriftOperator(task_id="alert_on_drift", report=report_drift.output)
    check_drift = CheckDriftOperator(task_id="check_drift", report=report_drift.output)

    chain(require_stacks, detect_drift, report_drift, alert_on_drift, check_drift)
