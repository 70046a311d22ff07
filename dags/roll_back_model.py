"""Make a former version of a model the champion again, and publish its scores.

The version is approved again, newer approved ones are rejected with the reason, ml.model_registry says so, and the
model scores and publishes as in the nightly run. The next night trains again only when there is new data.

When: by hand. Params: `model` and `version`, as ml.model_registry lists them; `as_of`, the day that decides what is
upcoming.

What a failure means: change_champion names the model or version that is unknown, or that never was approved; nothing
was changed then. Later tasks fail as in retrain_models: clear them after the fix.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, chain, task

from concert_platform.compat import AirflowFailException
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.model_tasks import record_version, score_and_publish, tell_failures, unload
from concert_platform.models import MODEL_MACROS, MODELS


@task.branch(task_id="choose_model")
def follow_model(params: dict | None = None) -> str:
    """The tasks of the model that is asked for."""
    from concert_platform.models import UnknownModelError, model_named

    try:
        return f"{model_named((params or {})['model']).name}.change_champion"
    except UnknownModelError as error:
        raise AirflowFailException(str(error)) from error


@task(task_id="change_champion")
def approve_former(name: str, params: dict | None = None, ti: Any = None) -> dict[str, str]:
    """Approve the former version, reject newer ones, and write down what has changed."""
    from concert_platform.models import model_named
    from concert_platform.models.records import record_statuses
    from concert_platform.models.registry import UnknownVersionError, roll_back
    from concert_platform.partitions import run_slug

    model = model_named(name)
    try:
        changed = roll_back(model, str((params or {})["version"]), run_slug(ti.run_id))
    except UnknownVersionError as error:
        raise AirflowFailException(str(error)) from error
    return record_statuses(model, ti.run_id, changed)


with DAG(
    "roll_back_model",
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "owner": "models"},
    on_failure_callback=alert_on_failure,
    user_defined_macros={**MACROS, **MODEL_MACROS},
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-2", "area:models"],
    params={
        "model": Param(MODELS[0].name, type="string", description=", ".join(model.name for model in MODELS)),
        "version": Param("", type="string", description="Version in ml.model_registry that was approved once"),
        "as_of": Param(None, type=["null", "string"], format="date", description="Day that decides what is upcoming"),
    },
):
    choose_model = follow_model()
    report_failures = tell_failures()
    for model in MODELS:
        with TaskGroup(model.name) as group:
            change_champion = approve_former(model.name)
            scores = score_and_publish(model)
            chain(choose_model, change_champion, record_version(model, "change_champion"), unload([model]), scores)
        chain(group, report_failures)
    chain(choose_model, report_failures)
