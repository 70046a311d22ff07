"""The nightly run after the first one: a training that fails, a version that is no better, a rollback."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.platform.airflow_api import ENDED, AirflowApi
from tests.deadlines import until
from tests.end_to_end.conftest import SECONDS, Checkout
from tests.end_to_end.test_main_job import ask

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("first_run")]


@pytest.fixture
def broken_sales_training(checkout: Checkout) -> Iterator[Path]:
    """Published code whose sales training fails; other code than before, so that every model is trained."""
    program = checkout.folder / "ml" / "sales" / "train.py"
    whole = program.read_text()
    program.write_text(whole.replace('if __name__ == "__main__":', 'raise ValueError("no GPU")\nif __name__:'))
    yield program
    program.write_text(whole)


def served(checkout: Checkout) -> dict[str, str]:
    """Version of each model that the API is pointed at."""
    client, table = checkout.client("dynamodb"), "concert-platform-development-model-scores"
    return {
        model: client.get_item(
            TableName=table, Key={"subject": {"S": f"{model}/current"}, "publication": {"S": "current"}}
        )["Item"]["model_version"]["S"]
        for model in ("recommender", "sales", "venues")
    }


def rejected(checkout: Checkout) -> Counter[str]:
    """Number of rejected versions of each model."""
    counted = "SELECT name, COUNT(*) FROM ml.model_registry WHERE status = 'Rejected' GROUP BY name"
    return Counter(dict(ask(checkout, counted)))


@pytest.mark.ends_the_platform
def test_a_failed_training_leaves_its_scores_and_a_version_that_is_no_better_does_not_serve(
    checkout: Checkout, broken_sales_training: Path
) -> None:
    before, scores = served(checkout), ask(checkout, "SELECT COUNT(*), MAX(published_at) FROM ml.sales_forecast")
    listed, refused = ask(checkout, "SELECT MAX(published_at) FROM ml.recommendation"), rejected(checkout)
    assert checkout.command("up").returncode == 0, "packages the code as it is now"
    state, tasks = run_dag(checkout, "deploy_infrastructure", "broken-training")
    assert state == "success", reasons(tasks)
    state, tasks = run_dag(checkout, "retrain_models", "broken-training", as_of=as_of(checkout))
    assert state == "failed"
    assert sorted(reasons(tasks)) == ["report_failures", "sales.train"]
    assert "no GPU" in reasons(tasks)["sales.train"]
    assert ask(checkout, "SELECT COUNT(*), MAX(published_at) FROM ml.sales_forecast") == scores
    assert ask(checkout, "SELECT MAX(published_at) FROM ml.recommendation") != listed, "others are scored again"
    assert served(checkout) == before, "a version that is no better than the champion's does not serve"
    assert rejected(checkout) - refused == {"recommender": 1, "venues": 1}


def as_of(checkout: Checkout) -> str:
    return (checkout.folder / "samples" / "as_of.txt").read_text().strip()


def run_dag(checkout: Checkout, dag_id: str, run_id: str, **conf: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """State of a run, once it has ended, and its tasks; those that have failed with their reason."""
    known = checkout.read("endpoints.json")
    api = AirflowApi(known["airflow_url"], known["airflow_user"], known["airflow_password"])
    api.trigger(dag_id, run_id, conf)

    def ended() -> dict[str, Any] | None:
        return next((run for run in api.runs(dag_id) if run["dag_run_id"] == run_id and run["state"] in ENDED), None)

    run = until(ended, SECONDS, pause=1.0)
    tasks = {task["task_id"]: task for task in api.tasks(dag_id, run_id)}
    for task in tasks.values():
        if task["state"] == "failed":
            task["reason"] = api.last_error(dag_id, run_id, task)
    return run["state"], tasks


def reasons(tasks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: task["reason"] for name, task in tasks.items() if "reason" in task}


def roll_back(checkout: Checkout, run_id: str, **conf: str) -> tuple[str, dict[str, dict[str, Any]]]:
    return run_dag(checkout, "roll_back_model", run_id, as_of=as_of(checkout), **conf)


@pytest.fixture
def newer_version(checkout: Checkout) -> Iterator[str]:
    """A newer version of the venue model, approved and not published yet; its files are those of the one in service."""
    sagemaker, serving = checkout.client("sagemaker"), served(checkout)["venues"]
    group = "concert-platform-development-venues"
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    known = [sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"]) for item in listed]
    [former] = [item for item in known if item["CustomerMetadataProperties"]["version"] == serving]
    stated = former["CustomerMetadataProperties"] | {"version": f"{serving}-again", "was_approved": "yes"}
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=former["InferenceSpecification"],
        ModelApprovalStatus="Approved", CustomerMetadataProperties=stated,
    )["ModelPackageArn"]  # fmt: skip
    yield stated["version"]
    sagemaker.delete_model_package(ModelPackageName=arn)


def test_a_rollback_scores_and_publishes_with_the_former_version(checkout: Checkout, newer_version: str) -> None:
    former = served(checkout)["venues"]
    for version, run_id in ((newer_version, "rollback-forward"), (former, "rollback-back")):
        assert served(checkout)["venues"] != version
        state, tasks = roll_back(checkout, run_id, model="venues", version=version)
        assert state == "success", reasons(tasks)
        assert tasks["venues.publish_for_api"]["state"] == "success"
        assert tasks["sales.score"]["state"] == "skipped"
        assert served(checkout)["venues"] == version
        assert ask(checkout, "SELECT DISTINCT run_id FROM ml.venue_analysis") == [[run_id]]
    marked = ask(
        checkout,
        "SELECT version, status, published_run_id FROM ml.model_registry WHERE name = 'venues' "
        "AND published_run_id LIKE 'rollback-%' ORDER BY published_at",
    )
    assert marked == [
        [newer_version, "Rejected", "rollback-forward"], [former, "Approved", "rollback-back"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("conf", "task", "reason"),
    [
        ({"model": "vanues", "version": "v1"}, "choose_model", "model 'vanues' is unknown: choose one of"),
        ({"model": "venues", "version": "v9"}, "venues.change_champion", "venues has no version 'v9': choose one of"),
    ],
)
def test_a_rollback_to_what_is_unknown_fails_in_one_line_and_changes_nothing(
    checkout: Checkout, conf: dict[str, str], task: str, reason: str
) -> None:
    before = served(checkout)
    state, tasks = roll_back(checkout, f"rollback-{conf['model']}-{conf['version']}", **conf)
    assert state == "failed"
    assert reason in tasks[task]["reason"]
    assert served(checkout) == before
