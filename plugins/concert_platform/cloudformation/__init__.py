"""Deploy CloudFormation stacks through reviewed change sets. Plain boto3: the DAG and the command line share it.

errors.py       one exception per outcome, each with a message of one line
templates.py    templates of include/cfn, their parameters and tags
stacks.py       a stack: status, outputs, why it failed, waiting, deletion
request.py      what CreateChangeSet is asked for: template, parameters, tags and role
changes.py      a change set: created under a deterministic name, executed
review.py       what a change set would do, as a table; the types that hold data and the guard around them
change_report.py  the same as a page in S3
validated.py    templates that were found good are not judged again
tables.py       rows with aligned columns
documents.py    templates with their functions, as far as those are known before a deployment
stateful.py     what outlives its stack: found by name, imported, deleted
ownership.py    whose a resource is that bears one of the platform's names
retained.py     the import of what an earlier stack left behind
deployment.py   the order of things for one stack of an environment
drift.py        where resources differ from their template
masking.py      which values a drift report does not show
teardown.py     the deletion of an environment's stacks and, when asked for, of what they leave behind
report_files.py   reports of drift and teardown in the environment's bucket
bootstrap.py    the first stacks of an environment and its last ones, from the command line
explanations.py   what a person at the command line reads of an error
environment_files.py  dist/ in the bucket that Amazon MWAA starts from
__main__.py     python -m concert_platform.cloudformation deploy|destroy|outputs ENVIRONMENT REGION [STACK]
"""

from concert_platform.cloudformation.changes import ChangeSet
from concert_platform.cloudformation.deployment import Deployment
from concert_platform.cloudformation.errors import (
    ChangeSetError,
    CloudFormationError,
    DryRunEndsError,
    MissingOutputError,
    ParameterError,
    ReplacementRefusedError,
    StackBusyError,
    StackFailedError,
    StackTimeoutError,
    UnderReviewError,
)
from concert_platform.cloudformation.stacks import Stack
from concert_platform.cloudformation.templates import TEMPLATES, Template, load_template

__all__ = [
    "TEMPLATES",
    "ChangeSet",
    "ChangeSetError",
    "CloudFormationError",
    "Deployment",
    "DryRunEndsError",
    "MissingOutputError",
    "ParameterError",
    "ReplacementRefusedError",
    "Stack",
    "StackBusyError",
    "StackFailedError",
    "StackTimeoutError",
    "Template",
    "UnderReviewError",
    "load_template",
]
