"""What every DAG must have, and the graph of each compared with the one that was agreed on."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

DAGS = Path(__file__).parents[2] / "dags"
ARCHITECTURE = DAGS.parent / "docs" / "architecture.md"
GRAPHS = Path(__file__).with_name("graphs")
DAG_IDS = sorted(path.stem for path in DAGS.glob("*.py"))
LONGEST_DAG_FILE = 150


def test_the_architecture_page_lists_every_dag() -> None:
    tables = re.findall(r"^\| DAG \|.*\n\|[ -|]+\n((?:\|.*\n)+)", ARCHITECTURE.read_text(), flags=re.MULTILINE)
    assert sorted(row.split("|")[1].strip() for table in tables for row in table.splitlines()) == DAG_IDS


def test_every_dag_file_is_imported_without_error(read_dags: dict[str, Any]) -> None:
    assert read_dags["import_errors"] == {}
    assert sorted(read_dags["dags"]) == DAG_IDS


def test_the_package_holds_one_plugin_and_no_module_of_ours_under_a_bare_name(read_dags: dict[str, Any]) -> None:
    assert read_dags["plugins"] == ["concert_platform"]
    assert read_dags["plugin_errors"] == {}
    assert set(read_dags["bare_modules"]) <= {"concert_platform", "concert_platform_plugin"}


def test_reading_the_dags_imports_no_heavy_library(read_dags: dict[str, Any]) -> None:
    assert read_dags["heavy_modules"] == []


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_says_what_it_does_and_who_answers_for_it(dag_id: str, read_dags: dict[str, Any]) -> None:
    dag = read_dags["dags"][dag_id]
    assert dag["doc"], "the module docstring is the DAG's documentation"
    assert sum(tag.startswith("impact:") for tag in dag["tags"]) == 1
    assert any(tag.startswith("area:") for tag in dag["tags"])
    assert dag["catchup"] is False
    assert dag["max_active_runs"] == 1
    for task_id, task in dag["tasks"].items():
        assert task["owner"] == ("models" if "area:models" in dag["tags"] else "data-platform"), task_id
        assert task["retries"] >= 1, f"{task_id}: a deferral race can resume a task twice"


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_failed_run_alerts_and_whichever_task_has_failed_leaves_its_reason_until_it_succeeds(
    dag_id: str, read_dags: dict[str, Any]
) -> None:
    called = read_dags["callbacks"][dag_id]
    assert called.pop("") == ["alert_on_failure"]
    assert called == {task_id: ["keep_reason", "take_back_reason"] for task_id in read_dags["dags"][dag_id]["tasks"]}


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_dag_file_holds_wiring_only(dag_id: str) -> None:
    assert len((DAGS / f"{dag_id}.py").read_text().splitlines()) <= LONGEST_DAG_FILE


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_scheduled_dag_first_asks_whether_its_stacks_are_deployed(dag_id: str, read_dags: dict[str, Any]) -> None:
    dag = read_dags["dags"][dag_id]
    if dag["schedule"] in ("None", "Never, external triggers only"):
        assert "require_stacks" not in dag["tasks"]
        return
    followers = {follower for task in dag["tasks"].values() for follower in task["downstream"]}
    assert [task_id for task_id in dag["tasks"] if task_id not in followers] == ["require_stacks"]


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_a_graph_is_the_one_that_was_agreed_on(
    dag_id: str, read_dags: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    golden = GRAPHS / f"{dag_id}.json"
    found = json.dumps(read_dags["dags"][dag_id], indent=1, sort_keys=True) + "\n"
    if request.config.getoption("--snapshot", default=False):
        golden.write_text(found)
    assert golden.exists(), "no agreed graph: `make snapshot` writes it; review what it wrote"
    assert found == golden.read_text(), "after a wanted change, `make snapshot` renews it; review the difference"


def test_the_stream_is_looked_at_also_when_the_drain_or_the_redrive_failed(read_dags: dict[str, Any]) -> None:
    """No rule of look_at_stream waits for a success, nothing before it is skipped, and the run fails all the same."""
    tasks = read_dags["dags"]["monitor_stream"]["tasks"]
    assert tasks["look_at_stream"]["trigger_rule"] == "none_skipped"
    assert tasks["check_every_step"]["trigger_rule"] == "all_success"
    for task_id in ("drain_spill", "redrive_letters", "look_at_stream"):
        assert "check_every_step" in tasks[task_id]["downstream"]


@pytest.mark.parametrize("model", ["sales", "recommender", "venues"])
def test_a_model_is_scored_also_without_training_but_not_after_one_that_failed(
    model: str, read_dags: dict[str, Any]
) -> None:
    """A training that is skipped skips only what belongs to it; one that fails leaves the last scores as they are."""
    tasks = read_dags["dags"]["retrain_models"]["tasks"]
    assert tasks[f"{model}.choose_champion"]["trigger_rule"] == "none_failed_min_one_success"
    assert f"{model}.choose_champion" in tasks[f"{model}.look_for_new_data"]["downstream"]
    assert f"{model}.choose_champion" in tasks[f"{model}.record_version"]["downstream"]
    trained = ("train", "register_version", "record_version", "score", "publish_scores", "publish_for_api")
    assert {tasks[f"{model}.{name}"]["trigger_rule"] for name in trained} == {"all_success"}


def test_what_is_learnt_from_is_fingerprinted_before_it_is_unloaded(read_dags: dict[str, Any]) -> None:
    tasks = read_dags["dags"]["retrain_models"]["tasks"]
    assert {"unload_features", "sales.look_for_new_data"} <= set(tasks["take_fingerprints"]["downstream"])


def test_no_model_waits_for_another_and_a_failed_one_fails_the_run(read_dags: dict[str, Any]) -> None:
    tasks = read_dags["dags"]["retrain_models"]["tasks"]
    for task_id, task in tasks.items():
        group = task_id.partition(".")[0]
        others = {follower.partition(".")[0] for follower in task["downstream"] if "." in follower} - {group}
        assert task_id == "check_features" or "." not in task_id or others == set(), task_id
    assert tasks["report_failures"]["trigger_rule"] == "all_done"
    assert tasks["report_failures"]["downstream"] == []


def test_the_rollback_of_a_model_scores_as_the_nightly_run_does(read_dags: dict[str, Any]) -> None:
    nightly, rollback = (read_dags["dags"][name]["tasks"] for name in ("retrain_models", "roll_back_model"))
    for model in ("sales", "recommender", "venues"):
        for name in ("choose_champion", "score", "publish_scores", "publish_for_api"):
            assert rollback[f"{model}.{name}"] == nightly[f"{model}.{name}"]
