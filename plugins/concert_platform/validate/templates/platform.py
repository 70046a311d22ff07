"""Rules about the templates together: outputs that fill parameters, values of each environment, how much there is."""

from __future__ import annotations

from concert_platform.settings import STACKS
from concert_platform.validate.templates.parameters import (
    BY_THE_DEPLOYMENT,
    broken_constraint,
    created_resources,
    values_in,
)
from concert_platform.validate.templates.rule import Hits, Platform, platform_rule
from concert_platform.validate.templates.suppressions import lint_configuration, suppression_count

COUNTED_IN = "development"
LEAST_RESOURCES = 88  # in the six stacks of STACKS


@platform_rule("output-name", "rename one of them: parameters are filled by the name of an output")
def output_name(platform: Platform) -> Hits:
    owners: dict[str, str] = {}
    for name, document in platform.templates.items():
        for output in document.section("Outputs"):
            if output in owners:
                place = document.at("Outputs", output)
                yield place, f"output {output} of {name} is also one of {owners[output]}"
            elif output != "TemplateVersion":
                owners[output] = name


@platform_rule(
    "parameter-filled", "give it a value in include/cfn/parameters, a default, or an output of an earlier stack"
)
def parameter_filled(platform: Platform) -> Hits:
    for environment, file in platform.environments.items():
        outputs: set[str] = set()
        for name, document in platform.templates.items():
            known = {*outputs, *BY_THE_DEPLOYMENT, *file.section("stacks").get(name, {})}
            for parameter, spec in document.section("Parameters").items():
                if "Default" not in spec and parameter not in known:
                    place = document.at("Parameters", parameter)
                    yield place, f"nothing gives parameter {parameter} a value in {environment}"
            outputs |= set(document.section("Outputs"))


@platform_rule("parameter-value", "correct the value in the parameter file, or the parameter in the template")
def parameter_value(platform: Platform) -> Hits:
    for environment, file in platform.environments.items():
        for name, values in file.section("stacks").items():
            if name not in platform.templates:
                yield file.at("stacks", name), f"{environment} has values for {name}, which is no stack"
                continue
            parameters = platform.templates[name].section("Parameters")
            for parameter, value in values.items():
                place = file.at("stacks", name, parameter)
                if parameter not in parameters:
                    yield place, f"template {name} has no parameter {parameter}"
                elif reason := broken_constraint(parameters[parameter], value):
                    yield place, f"{parameter} of {name} in {environment} {reason}"


@platform_rule("resource-count", "a stack has lost resources, or a condition that should hold does not")
def resource_count(platform: Platform) -> Hits:
    counts, outputs, file = {}, set[str](), platform.environments[COUNTED_IN]
    for name, document in platform.templates.items():
        if name in STACKS:
            counts[name] = len(created_resources(document, values_in(document, file, outputs)))
        outputs |= set(document.section("Outputs"))
    if sum(counts.values()) < LEAST_RESOURCES:
        each = ", ".join(f"{name} {count}" for name, count in counts.items())
        message = f"{sum(counts.values())} resources in {COUNTED_IN} are fewer than {LEAST_RESOURCES} ({each})"
        yield file.at(), message


RULES = (output_name, parameter_filled, parameter_value, lint_configuration, suppression_count, resource_count)
