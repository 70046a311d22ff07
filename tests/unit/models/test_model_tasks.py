"""How the tasks of a model hang together."""

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG, TaskGroup

from concert_platform.model_tasks import score_and_publish
from concert_platform.models import MODELS, Model

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def group(model: Model) -> dict[str, Any]:
    with DAG("tasks", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag, TaskGroup(model.name):
        score_and_publish(model)
    return {task.task_id.removeprefix(f"{model.name}."): task for task in dag.tasks}


@each_model
def test_a_publication_records_what_is_missing_before_it_marks_what_it_publishes(model: Model) -> None:
    publish_scores = group(model)["publish_scores"]
    assert publish_scores.files == ["load/shared/record_missing_versions.sql", model.publish_file]
    assert "choose_champion" in publish_scores.values["registry_uri"]
    assert "run_moment" in publish_scores.values["run_moment"]


@each_model
def test_the_api_is_pointed_at_scores_that_the_warehouse_has(model: Model) -> None:
    tasks = group(model)
    assert f"{model.name}.publish_for_api" in tasks["publish_scores"].downstream_task_ids
    assert f"{model.name}.score')['scores']" in tasks["publish_scores"].values[f"{model.scored}_uri"]
