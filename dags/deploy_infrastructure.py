"""Deploy the platform's stacks through reviewed change sets.

Validates all templates (content that passed before is not judged again), then brings each stack up to date, in the
order in which they take outputs from each other. Per stack, `review_changes` works out a change set and shows it: as a
table in its log, as the XCom `change_set`, and as a page behind the link "Change set report"; `execute_changes` carries
it out. A skipped `execute_changes` means that there was nothing to do. Between storage-processing and chatbot, the code
that runs outside Airflow (Lambda bundles, Glue script, training source) is published below a hash of its content; the
hash is a stack parameter, so changed code is a reviewed change like any other.

When: by hand after a change of a template, a parameter file or such code; `run_platform` starts it first. A run that
finds nothing to change succeeds within seconds. Params:
- `environment`: a safeguard; one Airflow deploys its own environment, and a run meant for another one is refused.
- `stacks`: which stacks; the others are skipped, and their outputs are taken as they are.
- `dry_run`: show what would change and execute nothing; a stack that had to be deleted or rolled back first is skipped.
- `allow_replacement`: let resources that hold data be replaced or removed, which is refused otherwise.

What a failure means. `review_changes` names what is refused and why: mend the template or include/cfn/parameters.
`execute_changes` names the resource that CloudFormation failed on and its reason; the stack has been rolled back.
After the fix trigger a new run: what a failed creation left is deleted, a failed rollback is continued, a stack that is
busy is waited for, and stacks that are up to date are not touched. A run that was killed goes on when its tasks are
cleared.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, TaskGroup, chain, task

from concert_platform.cloudformation.templates import ARTIFACTS_PARAMETER
from concert_platform.compat import TriggerRule
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, START_DATE
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.cloudformation import (
    CHANGE_SET,
    ExecuteChangesOperator,
    PublishArtifactsOperator,
    ReviewChangesOperator,
    ValidateTemplatesOperator,
)
from concert_platform.settings import ENVIRONMENTS, STACKS


@task
def hash_artifacts() -> str:
    """Prefix of the code bundle, known before the bucket that it goes to exists."""
    from concert_platform import artifacts

    return artifacts.build().prefix


def deploy(stack: str, **parameters: object) -> TaskGroup:
    """Tasks of one stack; those of a stack that had nothing to do are skipped and hold nothing up."""
    with TaskGroup(f"deploy_{stack.replace('-', '_')}") as group:
        review_changes = ReviewChangesOperator(
            task_id="review_changes", stack=stack, parameters=parameters, trigger_rule=TriggerRule.NONE_FAILED
        )
        execute_changes = ExecuteChangesOperator(
            task_id="execute_changes", stack=stack, change_set=review_changes.output[CHANGE_SET]
        )
        chain(review_changes, execute_changes)
    return group


with DAG(
    "deploy_infrastructure",
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
        "environment": Param(
            None, type=["null", "string"], enum=[None, *ENVIRONMENTS],
            description="Refuse the run unless this Airflow belongs to that environment; empty: do not ask",
        ),
        "stacks": Param(
            list(STACKS), type="array", items={"type": "string", "enum": list(STACKS)}, minItems=1, uniqueItems=True,
            examples=list(STACKS), description="Stacks to deploy; the others are left as they are",
        ),
        "dry_run": Param(False, type="boolean", description="Show what would change, execute nothing"),
        "allow_replacement": Param(
            False, type="boolean", description="Let resources that hold data be replaced or removed"
        ),
    },
):  # fmt: skip
    validate_templates = ValidateTemplatesOperator(task_id="validate_templates")
    artifacts_prefix = hash_artifacts()
    publish_artifacts = PublishArtifactsOperator(
        task_id="publish_artifacts", prefix=artifacts_prefix, trigger_rule=TriggerRule.NONE_FAILED
    )
    code = {ARTIFACTS_PARAMETER: artifacts_prefix}
    networking, storage_processing = deploy("networking"), deploy("storage-processing", **code)
    chatbot, compute_application = deploy("chatbot", **code), deploy("compute-application", **code)

    chain([validate_templates, artifacts_prefix], networking, storage_processing, publish_artifacts, chatbot)
    chain(chatbot, compute_application, [deploy("monitoring"), deploy("tracing")])
