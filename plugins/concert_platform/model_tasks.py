"""The tasks of one model, the same for all of them and for both DAGs that publish scores.

    take_fingerprints()        before the features are unloaded, for all models
    retrain(model)             look_for_new_data -> train -> register_version -> record_version -> score and publish
    score_and_publish(model)   choose_champion -> score -> publish_scores -> publish_for_api

Those of a model stand in a TaskGroup of the model's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import TaskGroup, chain, task

from concert_platform.compat import AirflowFailException, AirflowSkipException, TriggerRule
from concert_platform.dag_defaults import JOB_RETRIES
from concert_platform.models import AS_OF, RUN_MOMENT, Model, scoring_job, training_job
from concert_platform.operators.redshift import RunSqlBatchOperator
from concert_platform.operators.sagemaker import ScoreModelOperator, TrainModelOperator

CHECK_INTERVAL = 2  # seconds between two looks at a job


def unload(models: Sequence[Model], task_id: str = "unload_features") -> RunSqlBatchOperator:
    """Write the features of models to S3, all of one moment."""
    from concert_platform.models.features import unloads

    return RunSqlBatchOperator(
        task_id=task_id, files=["load/unload_features.sql"], values={"features": unloads(models), "as_of": AS_OF}
    )


def retrain(model: Model, fingerprints: Any) -> TaskGroup:
    """Train a version when there is new data, decide on it, and score with the champion in any case.

    :param fingerprints: what take_fingerprints returns
    """
    with TaskGroup(model.name) as group:
        look_for_new_data = find_new_data.override(task_id="look_for_new_data")(model.name, fingerprints)
        train = TrainModelOperator(
            task_id="train",
            config=training_job(model),
            skip_reason=f"{{{{ ti.xcom_pull(task_ids='{model.name}.look_for_new_data')['nothing_new'] }}}}",
            check_interval=CHECK_INTERVAL,
            retries=JOB_RETRIES,
        )
        register_version = register_trained.override(task_id="register_version")(
            model.name, train.output, look_for_new_data
        )
        record = record_version(model)
        chain(look_for_new_data, train, register_version, record)
        chain([look_for_new_data, record], score_and_publish(model))
    return group


def record_version(model: Model, source: str = "register_version") -> RunSqlBatchOperator:
    """Tell the warehouse what a task of the model's group has done to its versions."""
    told = f"ti.xcom_pull(task_ids='{model.name}.{source}')"
    return RunSqlBatchOperator(
        task_id="record_version",
        files=["load/record_version.sql"],
        values={
            "model_name": model.name,
            "registry_uri": f"{{{{ {told}['registry_uri'] }}}}",
            "drift_uri": f"{{{{ {told}['drift_uri'] }}}}",
        },
    )


def score_and_publish(model: Model) -> Any:
    """Score with the champion and publish, to the warehouse and then to the API; returns the first task."""
    champion = f"ti.xcom_pull(task_ids='{model.name}.choose_champion')"
    choose_champion = find_champion.override(
        task_id="choose_champion",
        # A training that was skipped is no reason not to score; one that failed leaves the last scores as they are.
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )(model.name)
    score = ScoreModelOperator(
        task_id="score", config=scoring_job(model), check_interval=CHECK_INTERVAL, retries=JOB_RETRIES
    )
    scores = f"ti.xcom_pull(task_ids='{model.name}.score')['scores']"
    publish_scores = RunSqlBatchOperator(
        task_id="publish_scores",
        files=["load/shared/record_missing_versions.sql", model.publish_file],
        values={
            "registry_uri": f"{{{{ {champion}['registry_uri'] }}}}",
            "drift_uri": f"{{{{ {champion}['drift_uri'] }}}}",
            f"{model.scored}_uri": f"{{{{ {scores} }}}}{model.scored}/",
            "as_of": AS_OF,
            "model_name": model.name,
            "model_version": f"{{{{ {champion}['version'] }}}}",
            "run_id": "{{ run_slug(dag_run.run_id) }}",
            "run_moment": RUN_MOMENT,
        },
    )
    publish_for_api = write_for_api.override(task_id="publish_for_api")(
        model.name, choose_champion, score.output, AS_OF, RUN_MOMENT
    )
    chain(choose_champion, score, publish_scores, publish_for_api)
    return choose_champion


@task
def take_fingerprints(as_of: str) -> dict[str, str]:
    """What each model would learn from, and the code that would read it.

    Taken before the features are unloaded: rows that a load adds in between are then trained on twice, never missed.
    """
    from concert_platform.models import MODELS
    from concert_platform.models.features import fingerprint
    from concert_platform.models.names import model_code

    code = model_code()
    return {"code": code, **{model.name: fingerprint(model, as_of, code) for model in MODELS}}


@task
def find_new_data(name: str, fingerprints: dict[str, str]) -> dict[str, str]:
    """Compare what is learnt from with what the last version was trained on.

    ``nothing_new`` says why there is nothing to train; ``champion`` and ``champion_uri`` are empty while there is no
    champion.
    """
    from concert_platform.models import model_named
    from concert_platform.models.registry import champion, newest

    model = model_named(name)
    found, last, serving = fingerprints[name], newest(model), champion(model)
    nothing_new = ""
    if last is not None and last.fingerprint == found:
        nothing_new = f"{name}: no new data since {last.version} was trained, so there is no training"
    return {
        "fingerprint": found,
        "code": fingerprints["code"],
        "champion": serving.version if serving else "",
        "champion_uri": serving.folder if serving else "",
        "nothing_new": nothing_new,
    }


@task
def register_trained(name: str, model_uri: str, looked: dict[str, str], ti: Any = None) -> dict[str, str]:
    """Register the trained version as approved or rejected, as its evaluation has decided, and tell of drift."""
    import logging

    from concert_platform.models import model_named
    from concert_platform.models.evaluation import read_evaluation
    from concert_platform.models.records import record_training
    from concert_platform.models.registry import register
    from concert_platform.notifications import send_alert
    from concert_platform.partitions import run_slug

    model, evaluation = model_named(name), read_evaluation(model_uri)
    version = register(
        model, model_uri, evaluation, looked["fingerprint"], run_slug(ti.run_id), looked["code"], looked["champion"]
    )
    logging.getLogger(__name__).info("%s %s: %s, %s", name, version.version, version.status, version.reason)
    written = record_training(model, ti.run_id, version, evaluation)
    if drifted := evaluation.drifted:
        send_alert(f"Concert platform: drift of model {name}", f"{version.version}: {'; '.join(drifted)}")
    return written


@task
def find_champion(name: str, ti: Any = None) -> dict[str, str]:
    """The newest approved version of the model, and what the warehouse may lack of it and of the newest version."""
    from concert_platform.models import model_named
    from concert_platform.models.names import model_code
    from concert_platform.models.records import record_known
    from concert_platform.models.registry import champion, newest, scoring_code

    model = model_named(name)
    serving, last = champion(model), newest(model)
    if serving is None:
        raise AirflowSkipException(f"{name}: no version was approved yet, so there is nothing to score with")
    return {
        "version": serving.version,
        "model_uri": serving.model_uri,
        "code": scoring_code(serving, last, model_code()),
        **record_known(model, ti.run_id, [last, serving]),
    }


@task
def write_for_api(name: str, serving: dict[str, str], scored: dict[str, str], as_of: str, moment: str) -> int:
    """Write the scores where the API reads them; the number of items."""
    from concert_platform.models import model_named
    from concert_platform.models.names import publication_name
    from concert_platform.models.publication import NewerPublicationError, publish

    version, uri = serving["version"], scored["scores"]
    try:
        return publish(model_named(name), uri, publication_name(uri, version), version, as_of, moment)
    except NewerPublicationError as error:
        raise AirflowSkipException(str(error)) from error


@task(task_id="check_features")
def check_unloaded_features(as_of: str, ti: Any = None) -> int:
    """Run every check of the features; one of severity 'fail' that finds rows stops the run before any training."""
    from concert_platform.models.features import FeatureCheckFailedError, check_features
    from concert_platform.warehouse import client_token

    try:
        return check_features(ti.run_id, as_of, client_token(ti, ti.try_number))
    except FeatureCheckFailedError as error:
        raise AirflowFailException(str(error)) from error


@task(task_id="report_failures", trigger_rule=TriggerRule.ALL_DONE)
def tell_failures(ti: Any = None) -> None:
    """Say which tasks have failed, whose models have kept their last scores; then fail, so that the run does."""
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    failed = sorted(name for name, state in states.items() if state == "failed")
    if not failed:
        raise AirflowSkipException("nothing has failed")
    raise AirflowFailException(f"{', '.join(failed)} failed; the scores before stay, the log has the reason")
