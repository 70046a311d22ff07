"""Retrain every model that has new data, and publish the scores of its champion.

Features are fingerprinted, unloaded from the warehouse and checked. Then each model goes its own way: when there is new
data since its last version, a SageMaker job trains a version and compares it with the champion on the same holdout; the
version is registered as approved or rejected with the reason; and the champion, which is the newest approved version,
scores. ml.* takes the scores in one transaction, and the API sees them all at once.

When: every night, and at the end of run_platform. Params: `as_of`, the day that decides what is known and what is
upcoming; without it, the day on which the run became due.

What a failure means: check_features names the rule that the features break, and nothing is trained. train and score
carry the job's own FailureReason, its log is in /aws/sagemaker/TrainingJobs or /aws/sagemaker/ProcessingJobs. The last
scores of that model stay, and the other models go on. Clear the failed task after the fix; a job that runs already is
waited for, not started again. A champion that turns out bad: roll_back_model.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.model_tasks import check_unloaded_features, retrain, take_fingerprints, tell_failures, unload
from concert_platform.models import AS_OF, MODEL_MACROS, MODELS
from concert_platform.operators.require_stacks import RequireStacks

with DAG(
    "retrain_models",
    schedule=cron_utc("0 3 * * *"),  # every night at 03:00 UTC, an hour after ingest
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "owner": "models"},
    on_failure_callback=alert_on_failure,
    user_defined_macros={**MACROS, **MODEL_MACROS},
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:models"],
    params={
        "as_of": Param(None, type=["null", "string"], format="date", description="Day that decides what is upcoming"),
    },
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing", "compute-application"])
    fingerprints = take_fingerprints(AS_OF)
    unload_features = unload(MODELS)
    check_features = check_unloaded_features(AS_OF)
    models = [retrain(model, fingerprints) for model in MODELS]
    report_failures = tell_failures()

    chain(require_stacks, fingerprints, unload_features, check_features, models, report_failures)
    chain([require_stacks, fingerprints, unload_features, check_features], report_failures)
