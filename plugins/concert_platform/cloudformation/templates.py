"""Templates of include/cfn, and what each needs from outside: parameters and tags."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

import yaml

from concert_platform.cloudformation.environment_files import VERSIONED
from concert_platform.cloudformation.errors import (
    MissingParameterError,
    ParameterError,
    UnreadableFileError,
    one_line,
)
from concert_platform.resources import resource
from concert_platform.settings import STACKS, Settings

TEMPLATES = (STACKS[0], "orchestration", *STACKS[1:])  # a stack takes outputs of the ones before it
LARGEST_INLINE_TEMPLATE = 51_200  # bytes; a larger one is read from S3
PROJECT_TAG = "concert-platform"
# The code outside Airflow: the parameter that takes its prefix, and the stack whose bucket it lies in.
ARTIFACTS_PARAMETER, OWNER_OF_ARTIFACTS = "ArtifactsPrefix", "storage-processing"


@dataclass(frozen=True)
class Template:
    """A template's text, its Parameters section and the names of its outputs."""

    name: str
    body: str
    parameters: Mapping[str, Mapping[str, Any]]
    outputs: tuple[str, ...] = ()

    @property
    def is_large(self) -> bool:
        return len(self.body.encode()) > LARGEST_INLINE_TEMPLATE


# libyaml reads a large template in a tenth of the time.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TagBlindLoader(_SafeLoader):
    """Reads `!Ref`, `!Sub` and the like as plain values: nothing is looked at that has one."""


def _construct(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)


_TagBlindLoader.add_multi_constructor("!", _construct)


def load_template(name: str) -> Template:
    """A template of include/cfn by the short name of its stack.

    :raises ParameterError: when the platform has no such stack
    :raises UnreadableFileError: when the file is no YAML
    """
    if name not in TEMPLATES:
        raise ParameterError(f"stack {name!r} is unknown: choose one of {', '.join(TEMPLATES)}")
    return parse_template(name, resource(f"include/cfn/{name}.yaml").read_text())


def parse_template(name: str, body: str) -> Template:
    try:
        document = yaml.load(body, Loader=_TagBlindLoader)  # noqa: S506 - derived from SafeLoader
    except yaml.YAMLError as error:
        raise UnreadableFileError(f"include/cfn/{name}.yaml is no YAML: {one_line(error)}; correct it") from error
    if not isinstance(document, dict):
        raise UnreadableFileError(f"include/cfn/{name}.yaml is no template: it holds {type(document).__name__}")
    return Template(name, body, document.get("Parameters") or {}, tuple(document.get("Outputs") or {}))


def environment_file(environment: str) -> dict[str, Any]:
    """Parameters of an environment: ``{"CostCenter": ..., "stacks": {short name: {parameter: value}}}``.

    :raises UnreadableFileError: when the file is no JSON, or holds something else
    """
    path = f"include/cfn/parameters/{environment}.json"
    try:
        document = json.loads(resource(path).read_text())
    except json.JSONDecodeError as error:
        raise UnreadableFileError(f"{path} is no JSON: {error}; correct it") from error
    if not isinstance(document, dict) or not {"CostCenter", "stacks"} <= set(document):
        raise UnreadableFileError(f"{path} has no CostCenter and stacks: compare it with another environment's")
    return document


def resolve_parameters(
    template: Template,
    *,
    fixed: Mapping[str, str],
    outputs: Mapping[str, str],
    previous: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Values of a template's parameters, in the form that CreateChangeSet takes.

    :param fixed: values from the parameter file and the caller; each must name a parameter
    :param outputs: outputs of other stacks; the ones that no parameter is named after are not used
    :param previous: parameters that the stack has today: a secret one, or a version of Airflow's files, without which
        the stack would drop Airflow, keeps its value when nobody gives a new one
    :raises ParameterError: when a value names no parameter
    :raises MissingParameterError: when a parameter has neither value nor default
    """
    unknown = sorted(set(fixed) - set(template.parameters))
    if unknown:
        raise ParameterError(
            f"template {template.name} has no parameter {', '.join(unknown)}: correct include/cfn/parameters"
        )
    given = {**{k: v for k, v in outputs.items() if k in template.parameters}, **fixed}
    missing = [name for name, spec in template.parameters.items() if name not in given and "Default" not in spec]
    if missing:
        raise MissingParameterError(
            f"template {template.name} needs {', '.join(missing)}: deploy the stack that has it as an output, or add "
            "it to include/cfn/parameters",
            missing,
        )
    kept = [
        name
        for name, spec in template.parameters.items()
        if name not in given and (spec.get("NoEcho") or name in VERSIONED.values())
    ]
    return [
        *({"ParameterKey": name, "ParameterValue": str(value)} for name, value in sorted(given.items())),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in kept if name in previous),
    ]


def stack_tags(settings: Settings, name: str, cost_center: str) -> list[dict[str, str]]:
    """Tags of a stack, which reach each of its resources that takes tags."""
    tags = {
        "Project": PROJECT_TAG,
        "Environment": settings.environment,
        "Stack": name,
        "CostCenter": cost_center,
    }
    return [{"Key": key, "Value": value} for key, value in tags.items()]
