"""Read the DAGs as the DAG processor does, in a process of its own, and write what was found as JSON.

python read_dags.py OUTPUT [--time]    with the seconds that each file takes to import
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any


def main(output: Path, *, timed: bool) -> None:
    logging.disable(logging.CRITICAL)
    # What Airflow itself takes to import is no file's fault.
    import airflow.providers.standard.operators.trigger_dagrun  # noqa: F401
    from airflow import plugins_manager
    from airflow.configuration import conf
    from airflow.models.dagbag import DagBag

    plugins_manager.ensure_plugins_loaded()
    folder = Path(conf.get("core", "dags_folder"))
    before = set(sys.modules)
    seconds = import_seconds(folder) if timed else {}
    collected = DagBag(folder, include_examples=False)
    own = [
        name
        for name, module in sys.modules.items()
        if "." not in name and str(getattr(module, "__file__", "")).startswith(str(folder.parent / "plugins"))
    ]
    document = {
        "dags": {dag_id: describe(dag) for dag_id, dag in sorted(collected.dags.items())},
        "callbacks": {
            dag_id: {one: callbacks(found) for one, found in {"": dag, **dag.task_dict}.items()}
            for dag_id, dag in collected.dags.items()
        },
        "import_errors": collected.import_errors,
        "seconds": seconds,
        "plugins": [plugin.name for plugin in plugins_manager.plugins or [] if "concert" in str(plugin.name)],
        "plugin_errors": plugins_manager.import_errors,
        "bare_modules": own,
        "heavy_modules": sorted({"pandas", "numpy", "pyarrow", "xgboost", "pyspark"} & (set(sys.modules) - before)),
    }
    output.write_text(json.dumps(document, default=str))


def import_seconds(folder: Path) -> dict[str, float]:
    """Of each DAG file; a module that several import counts for the first of them."""
    from airflow.models.dagbag import DagBag

    bag, seconds = DagBag(collect_dags=False), {}
    for path in sorted(folder.glob("*.py")):
        started = time.perf_counter()
        bag.process_file(str(path))
        seconds[path.name] = time.perf_counter() - started
    return seconds


def callbacks(found: Any) -> list[str]:
    """Names of what a DAG or a task calls when it has failed for good, and when it has succeeded."""
    both = [found.on_failure_callback or [], found.on_success_callback or []]
    return [one.__name__ for called in both for one in (called if isinstance(called, list | tuple) else [called])]


def describe(dag: Any) -> dict[str, Any]:
    return {
        "doc": bool(dag.doc_md),
        "tags": sorted(dag.tags),
        "schedule": dag.timetable.summary,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "tasks": {
            task.task_id: {
                "operator": task.task_type,
                "downstream": sorted(task.downstream_task_ids),
                "owner": task.owner,
                "retries": task.retries,
                "trigger_rule": str(task.trigger_rule),
                "outlets": [outlet.name for outlet in task.outlets],
            }
            for task in sorted(dag.tasks, key=lambda task: task.task_id)
        },
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), timed=sys.argv[2:] == ["--time"])
