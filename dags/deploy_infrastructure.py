"""Deploy the platform's stacks through reviewed change sets.

Validates every template, then brings networking, storage-processing and compute-application up to date, each by a
change set whose table stands in the log of `review_change_set`. Outputs of a stack are parameters of the next ones.
Between the last two, the code that runs outside Airflow (Glue script, Lambda bundle, training source) is published
below a hash of its content; the hash is a stack parameter, so changed code is a reviewed change like any other.

When: by hand after a change of a template, a parameter file or such code; `run_platform` starts it first. A run that
finds nothing to change succeeds within seconds.

What a failure means: the failed task names the resource that CloudFormation failed on and its reason; the stack has
been rolled back. Mend the template or include/cfn/parameters, then trigger a new run: what a failed first creation left
is deleted, and stacks that are up to date are not touched.
"""

from __future__ import annotations

from airflow.sdk import DAG, TaskGroup, chain, task

from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.operators.cloudformation import (
    CreateChangeSetOperator,
    ExecuteChangeSetOperator,
    ReviewChangeSetOperator,
    ValidateTemplatesOperator,
)
from concert_platform.settings import STACKS


@task
def hash_artifacts() -> str:
    """Prefix of the code bundle, known before the bucket that it goes to exists."""
    from concert_platform import artifacts

    return artifacts.build().prefix


@task(task_id="publish_artifacts")
def upload_artifacts() -> str:
    """Upload the code bundle, unless this very content is there already."""
    from concert_platform import artifacts
    from concert_platform.settings import settings

    return artifacts.publish(settings().artifacts_bucket)


def deploy(stack: str, **parameters: object) -> TaskGroup:
    """Tasks of one stack: what would change, the table to review, the change itself."""
    with TaskGroup(f"deploy_{stack.replace('-', '_')}") as group:
        create_change_set = CreateChangeSetOperator(task_id="create_change_set", stack=stack, parameters=parameters)
        review_change_set = ReviewChangeSetOperator(task_id="review_change_set", change_set=create_change_set.output)
        execute_change_set = ExecuteChangeSetOperator(
            task_id="execute_change_set", stack=stack, change_set=create_change_set.output
        )
        chain(create_change_set, review_change_set, execute_change_set)
    return group


with DAG(
    "deploy_infrastructure",
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:infrastructure"],
):
    validate_templates = ValidateTemplatesOperator(task_id="validate_templates", templates=("orchestration", *STACKS))
    artifacts_prefix = hash_artifacts()
    publish_artifacts = upload_artifacts()
    networking = deploy("networking")
    storage_processing = deploy("storage-processing", ArtifactsPrefix=artifacts_prefix)
    chatbot = deploy("chatbot", ArtifactsPrefix=artifacts_prefix)
    compute_application = deploy("compute-application", ArtifactsPrefix=artifacts_prefix)

    chain([validate_templates, artifacts_prefix], networking, storage_processing, publish_artifacts, chatbot)
    chain(chatbot, compute_application, [deploy("monitoring"), deploy("tracing")])
