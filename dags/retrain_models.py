"""Retrain the sales model and publish forecasts of every upcoming event.

Features are unloaded from the warehouse, a SageMaker job trains the model and judges it against the naive forecast,
another one scores the events after `as_of`, and ml.sales_forecast and ml.model_registry take the result in one
transaction.

When: every night, and at the end of run_platform. Params: `as_of`, the day that decides what is upcoming; without it,
the day on which the run became due.

What a failure means: train_sales_model and score_upcoming_events carry the job's own FailureReason, its log is in
/aws/sagemaker/TrainingJobs or /aws/sagemaker/ProcessingJobs. Yesterday's forecasts stay until publish_forecasts has
replaced them. Clear the failed task after the fix; a job that runs already is waited for, not started again.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, daily
from concert_platform.models import AS_OF, MODEL_MACROS, MODEL_NAME, SCORING_JOB, TRAINING_JOB
from concert_platform.operators.redshift import RunSqlBatchOperator
from concert_platform.operators.require_stacks import RequireStacks
from concert_platform.operators.sagemaker import ScoreModelOperator, TrainModelOperator

CHECK_INTERVAL = 2  # seconds between two looks at a job

with DAG(
    "retrain_models",
    schedule=daily("0 3 * * *"),  # every night at 03:00 UTC, an hour after ingest
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={**MACROS, **MODEL_MACROS},
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:models"],
    params={
        "as_of": Param(None, type=["null", "string"], format="date", description="Day that decides what is upcoming"),
    },
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    unload_features = RunSqlBatchOperator(
        task_id="unload_features",
        files=["load/unload_features.sql"],
        values={
            "history_uri": "{{ feature_uri(dag_run.run_id, 'history') }}",
            "upcoming_uri": "{{ feature_uri(dag_run.run_id, 'upcoming') }}",
            "as_of": AS_OF,
        },
    )
    train_sales_model = TrainModelOperator(
        task_id="train_sales_model", config=TRAINING_JOB, check_interval=CHECK_INTERVAL
    )
    score_upcoming_events = ScoreModelOperator(
        task_id="score_upcoming_events", config=SCORING_JOB, check_interval=CHECK_INTERVAL
    )
    publish_forecasts = RunSqlBatchOperator(
        task_id="publish_forecasts",
        files=["load/publish_forecast.sql"],
        values={
            "forecasts_uri": "{{ score_uri(dag_run.run_id, 'forecasts') }}",
            "registry_uri": "{{ score_uri(dag_run.run_id, 'registry') }}",
            "as_of": AS_OF,
            "model_name": MODEL_NAME,
        },
    )

    chain(require_stacks, unload_features, train_sales_model, score_upcoming_events, publish_forecasts)
