"""Whether a changed property replaces its resource, as DescribeChangeSet says it.

ministack knows that for some types and calls a change of any other conditional: a bucket's new lifecycle would show as
the possible replacement of the bucket, and of whatever refers to it. AWS's resource schemas know it for all.
"""

from __future__ import annotations

from ministack.services.cloudformation import provisioners

from local.extensions import resource_schemas

_original_property_recreation = provisioners._property_recreation


def property_recreation(kind: str, name: str) -> str:
    """``Always``, ``Conditionally`` or ``Never``."""
    if kind in provisioners._REPLACING_PROPERTIES or resource_schemas.schema(kind) is None:
        return _original_property_recreation(kind, name)
    replacing = resource_schemas.names(kind, "createOnlyProperties")
    if name in replacing:
        return "Always"
    perhaps = replacing + resource_schemas.names(kind, "conditionalCreateOnlyProperties")
    return "Conditionally" if any(f"{key}.".startswith(f"{name}.") for key in perhaps) else "Never"


PATCHES = {"ministack.services.cloudformation.stacks._property_recreation": property_recreation}
