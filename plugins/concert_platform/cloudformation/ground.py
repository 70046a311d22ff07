"""The ground of orchestration: what the rest of it, and networking, stand on.

A template as large as orchestration reaches CloudFormation through a bucket, which is its own; and no role, not even one
of networking, exists without the boundary. So the first deployment creates these few alone.
"""

from __future__ import annotations

import json

from concert_platform.cloudformation.documents import parse_document, references
from concert_platform.cloudformation.templates import Template, parse_template

GROUND = ("EnvironmentBucket", "EnvironmentBucketPolicy", "EnvironmentKey", "EnvironmentKeyAlias", "PermissionsBoundary")
DROPPED = ("Metadata",)  # of the template and of each resource: for readers and tools


def ground_of(template: Template) -> Template:
    """The part of the orchestration template that needs nothing else; its parameters stay, so an update is one to all."""
    document = parse_document(template.body)
    outside = set(document["Resources"]) - set(GROUND)
    part = {key: value for key, value in document.items() if key not in DROPPED}
    part["Resources"] = {
        name: {key: value for key, value in document["Resources"][name].items() if key not in DROPPED}
        for name in GROUND
    }
    part["Outputs"] = {
        name: output for name, output in document["Outputs"].items() if outside.isdisjoint(references(output["Value"]))
    }
    return parse_template(template.name, json.dumps(part, separators=(",", ":")))
