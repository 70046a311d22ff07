"""Run the whole platform once: the main job of `make run`.

Deploys the infrastructure, lands the sample files in the drop zone, ingests every source, waits until curation and load
(which start by Asset alone) have brought that ingest run into the warehouse, retrains the models, and beside that loads
what the run has sent through the stream.

When: by hand, or by `make run`. Params: `as_of`, the day that decides what is upcoming; `land_samples`, off when the
drop zone is filled by others.

What a failure means: the failed task names the DAG whose run has failed; its own log has the reason. Clear the failed
task (or trigger this DAG again) after the fix: what has been done is not done twice.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain, task

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.run_dag import RunDagOperator
from concert_platform.sensors.stream import StreamConsumedSensor
from concert_platform.sensors.warehouse_load import WarehouseLoadSensor

AS_OF = {"as_of": "{{ params.as_of or (dag_run.run_after | ds) }}"}
RUN_ID = "{{ dag_run.run_id }}"


@task
def land_sample_files(params: dict | None = None) -> list[str]:
    """Put the sample files into the drop zone, as a box office would; unchanged ones stay as they are."""
    from concert_platform.sources.landing import land_samples

    return land_samples() if params and params["land_samples"] else []


with DAG(
    "run_platform",
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:platform"],
    params={
        "as_of": Param(None, type=["null", "string"], format="date", description="Day that decides what is upcoming"),
        "land_samples": Param(True, type="boolean", description="Put samples/ into the drop zone first"),
    },
):
    deploy_infrastructure = RunDagOperator(
        task_id="deploy_infrastructure", trigger_dag_id="deploy_infrastructure", trigger_run_id=RUN_ID
    )
    land_samples = land_sample_files()
    ingest_concerts = RunDagOperator(
        task_id="ingest_concerts", trigger_dag_id="ingest_concerts", trigger_run_id=RUN_ID, conf=AS_OF
    )
    wait_for_warehouse = WarehouseLoadSensor(task_id="wait_for_warehouse", ingest_run_id=RUN_ID)
    retrain_models = RunDagOperator(
        task_id="retrain_models", trigger_dag_id="retrain_models", trigger_run_id=RUN_ID, conf=AS_OF
    )
    wait_for_stream = StreamConsumedSensor(task_id="wait_for_stream", ingest_run_id=RUN_ID)
    load_stream = RunDagOperator(task_id="load_stream", trigger_dag_id="load_stream", trigger_run_id=RUN_ID)

    chain(deploy_infrastructure, land_samples, ingest_concerts, wait_for_warehouse, retrain_models)
    chain(wait_for_warehouse, wait_for_stream, load_stream)
