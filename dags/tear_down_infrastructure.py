"""Take down every stack but networking and orchestration, in the reverse order of their deployment.

`./deploy_stacks.sh --destroy ENVIRONMENT REGION` removes those two, without which Airflow would not run.

What holds data or a key (buckets, tables, secrets, the key, the warehouse's namespace) outlives its stack. What holds
something and is not retained is lost with it, such as log groups and queues: `check_teardown` names it before anything
is deleted. The report names all of both: in the log of `report_teardown`, its XCom `report`, and the environment's
bucket as `reports/teardown/<day>/<run>.json`. The next deploy_infrastructure imports what was kept, with all data.

When: by hand. Params: `confirm` must be the name of the environment that this Airflow runs in. `delete_data` deletes
what is retained as well, buckets with every version of every object: keys in seven days, the rest at once and for good.
What bears one of our names but belongs to another stack, or lacks the platform's tags, is left alone and fails the
task. Production is refused whatever is confirmed.

What a failure means: `check_teardown` has refused the request, and nothing was touched. A task that deletes a stack
names the resource that CloudFormation could not delete, and why; `delete_retained` names what it could not delete.
Clear the failed task, or trigger a new run: each goes on with what is still there.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, chain

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.teardown import (
    CheckTeardownOperator,
    DeleteRetainedOperator,
    DeleteStackOperator,
    ReportTeardownOperator,
)


def delete(stack: str) -> DeleteStackOperator:
    return DeleteStackOperator(task_id=f"delete_{stack.replace('-', '_')}", stack=stack)


with DAG(
    "tear_down_infrastructure",
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:infrastructure"],
    params={
        "confirm": Param("", type="string", description="Name of the environment to take down"),
        "delete_data": Param(False, type="boolean", description="Delete buckets, tables, secrets and keys as well"),
    },
):
    check_teardown = CheckTeardownOperator(task_id="check_teardown")
    delete_tracing = delete("tracing")
    delete_monitoring = delete("monitoring")
    delete_compute_application = delete("compute-application")
    delete_chatbot = delete("chatbot")
    delete_storage_processing = delete("storage-processing")
    delete_retained = DeleteRetainedOperator(task_id="delete_retained")
    stacks = [
        delete_tracing, delete_monitoring, delete_compute_application, delete_chatbot, delete_storage_processing,
    ]  # fmt: skip
    report_teardown = ReportTeardownOperator(
        task_id="report_teardown", left=[stack.output for stack in stacks], losses=check_teardown.output,
        trigger_rule="all_done",
    )  # fmt: skip

    chain(check_teardown, [delete_tracing, delete_monitoring], delete_compute_application, delete_chatbot)
    chain(delete_chatbot, delete_storage_processing, delete_retained, report_teardown)
