"""Rules about what a reader or another stack sees of a template: its comment, parameters and outputs."""

from __future__ import annotations

from typing import Any

from concert_platform.validate.templates.document import Document, inner, walk
from concert_platform.validate.templates.parameters import broken_constraint, number
from concert_platform.validate.templates.rule import Hits, template_rule

INTERFACE = "AWS::CloudFormation::Interface"
SHORTEST_COMMENT = 3  # lines
NUMBER = "Number"
BOUNDS = ("MinValue", "MaxValue", "MinLength", "MaxLength")
# Values of these are looked up by CloudFormation, which refuses what does not exist.
CHECKED_BY_AWS = ("AWS::", "List<AWS::")


@template_rule("header-comment", "begin the file with `# <stack>: ...` and say what it holds and why")
def header_comment(document: Document) -> Hits:
    header = []
    for line in document.lines:
        if not line.startswith("#"):
            break
        header.append(line)
    if not header or not header[0].startswith(f"# {document.name}: "):
        yield document.at(), f"the file does not begin with `# {document.name}: `"
    elif len(header) < SHORTEST_COMMENT:
        yield document.at(), f"a comment of {len(header)} lines does not explain the stack"


@template_rule("interface-metadata", f"list the parameter once in a group of {INTERFACE}, and give it a label")
def interface_metadata(document: Document) -> Hits:
    interface = inner(document.data, "Metadata", INTERFACE)
    place = document.at("Metadata", INTERFACE)
    groups = [group for group in _list(interface.get("ParameterGroups")) if isinstance(group, dict)]
    grouped = [str(name) for group in groups for name in _list(group.get("Parameters"))]
    labels = inner(interface, "ParameterLabels")
    for name in document.section("Parameters"):
        if grouped.count(name) != 1:
            yield document.at("Parameters", name), f"parameter {name} is in {grouped.count(name)} groups"
        if name not in labels:
            yield document.at("Parameters", name), f"parameter {name} has no label"
    for name in sorted({*grouped, *labels} - set(document.section("Parameters"))):
        yield place, f"{name} is no parameter"


@template_rule("parameter-constraints", "give it a Description, bounds of its values and a ConstraintDescription")
def parameter_constraints(document: Document) -> Hits:
    for name, spec in document.section("Parameters").items():
        place, kind = document.at("Parameters", name), str(spec.get("Type"))
        if not spec.get("Description"):
            yield place, f"parameter {name} has no Description"
        if kind.startswith(CHECKED_BY_AWS):
            continue
        if not _is_bounded(spec):
            bounds = "AllowedValues, or MinValue and MaxValue" if kind == NUMBER else "AllowedPattern or AllowedValues"
            yield place, f"parameter {name} takes anything: it has no {bounds}"
        elif not spec.get("ConstraintDescription"):
            yield place, f"parameter {name} has no ConstraintDescription"
        for bound in BOUNDS:
            if bound in spec and number(spec, bound) is None:
                yield document.at("Parameters", name, bound), f"{bound} of parameter {name} is no number"


@template_rule("parameter-default", "correct the default or the constraint")
def parameter_default(document: Document) -> Hits:
    for name, spec in document.section("Parameters").items():
        reason = broken_constraint(spec, spec["Default"]) if "Default" in spec else None
        if reason:
            yield document.at("Parameters", name, "Default"), f"default of parameter {name} {reason}"


@template_rule("output-description", "say in Description what the value is")
def output_description(document: Document) -> Hits:
    for name, output in document.section("Outputs").items():
        if not output.get("Description"):
            yield document.at("Outputs", name), f"output {name} has no Description"


@template_rule("template-version", "add an output TemplateVersion, which CHANGELOG.md explains")
def template_version(document: Document) -> Hits:
    if "TemplateVersion" not in document.section("Outputs"):
        yield document.at("Outputs"), "the template does not tell its version"


@template_rule("no-exports", "pass the value as a parameter: an exported output cannot be changed while it is imported")
def no_exports(document: Document) -> Hits:
    for name, output in document.section("Outputs").items():
        if "Export" in output:
            yield document.at("Outputs", name, "Export"), f"output {name} is exported"
    for path, value in walk(document.data):
        if isinstance(value, dict) and "Fn::ImportValue" in value:
            yield document.at(*path, "Fn::ImportValue"), "a value is imported from another stack"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_bounded(spec: dict[str, Any]) -> bool:
    if "AllowedValues" in spec:
        return True
    if spec.get("Type") == NUMBER:
        return "MinValue" in spec and "MaxValue" in spec
    return "AllowedPattern" in spec or ("MinLength" in spec and "MaxLength" in spec)


RULES = (
    header_comment,
    interface_metadata,
    parameter_constraints,
    parameter_default,
    output_description,
    template_version,
    no_exports,
)
