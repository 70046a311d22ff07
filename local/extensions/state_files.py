"""State is written by the C encoder of json, which json.dump to a file does not use: it takes a third of the time.

Every service stands still while the state is written, every few seconds.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from ministack.core import persistence

logger = logging.getLogger("state-files")


def save_state(service: str, data: dict[str, Any]) -> None:
    if not persistence.PERSIST_STATE:
        return
    document = {"__ministack_format__": persistence._state_format_version(service), "payload": data}
    path = Path(persistence.STATE_DIR) / f"{service}.json"
    scratch = path.with_suffix(".json.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(document, default=persistence._json_default))
        scratch.replace(path)
    except Exception:  # the last state that could be written stays, as in ministack
        logger.exception("the state of %s was not saved", service)
        scratch.unlink(missing_ok=True)


PATCHES = {"ministack.core.persistence.save_state": save_state}
