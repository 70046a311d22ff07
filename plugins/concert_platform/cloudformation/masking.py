"""What a drift report must not show: values of properties that may hold a secret.

A report goes to logs, a bucket and by mail; that such a value differs is said, the value itself is not.
"""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "(hidden)"
SECRET = re.compile(r"secret|password|passwd|token|credential", re.IGNORECASE)  # with all that lies below it
KEY = re.compile(r"key", re.IGNORECASE)  # also a key policy or schema, so only its own value
VARIABLES = ("Variables", "EnvironmentVariables")  # of a function: whatever somebody has put there
OPEN_VALUES = ("true", "false", "null", "")


def masked(path: str, value: str) -> str:
    """An expected or actual value as a report may show it.

    :param path: of the property, such as ``/Environment/Variables/API_KEY``
    :param value: as CloudFormation gives it: plain, or a part of the properties as JSON
    """
    parts = [part for part in path.split("/") if part and not part.isdigit()]
    document = _document(value)
    if any(part in VARIABLES or SECRET.search(part) for part in parts):
        hidden = _hide(document)
    else:
        hidden = _walk(parts[-1] if parts else "", document, inside_tags="Tags" in parts)
    return value if hidden == document else _text(hidden)


def _document(value: str) -> Any:
    try:
        document = json.loads(value)
    except ValueError:
        return value
    return document if isinstance(document, dict | list) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _walk(name: str, value: Any, *, inside_tags: bool = False) -> Any:
    if name in VARIABLES or SECRET.search(name):
        return _hide(value)
    if isinstance(value, dict):
        named = str(value.get("Key", value.get("Name", "")))  # a tag, or another pair of name and value
        return {key: _walk(named if key == "Value" else key, item, inside_tags=_is_pair(value) or inside_tags)
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_walk(name, item, inside_tags=inside_tags or name == "Tags") for item in value]
    is_name_of_a_tag = inside_tags and name == "Key"
    return _hide(value) if KEY.search(name) and not is_name_of_a_tag else value


def _is_pair(value: dict[str, Any]) -> bool:
    return {"Key", "Value"} <= set(value)


def _hide(value: Any) -> Any:
    """All values below, but for ARNs and switches: neither is a secret, and both explain much."""
    if isinstance(value, dict):
        return {key: _hide(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_hide(item) for item in value]
    is_open = isinstance(value, bool) or value is None or str(value).lower() in OPEN_VALUES
    return value if is_open or str(value).startswith("arn:") else HIDDEN
