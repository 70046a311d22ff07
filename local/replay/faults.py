"""Answers ordered beforehand, for trials: ``<state-dir>/faults.json`` such as {"ticketmaster": [429, 429, 500, "cut"]}.

Each request to the API takes one entry off its list; the file is read again on each request. A number is the status to
answer with, "cut" breaks the right answer off in its middle.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

CUT = "cut"


class Faults:
    """The ordered faults below a state folder.

    :param state_dir: folder of faults.json; neither needs to exist
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "faults.json"
        self._lock = threading.Lock()

    def take(self, api: str) -> int | str | None:
        """The next fault of an API, or None; what is taken is gone from the file.

        :raises ValueError: when the file is no JSON object of lists of status codes and "cut"
        """
        with self._lock:
            try:
                ordered = json.loads(self.path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                return None
            faults = ordered.get(api)
            if not faults:
                return None
            fault = faults.pop(0)
            self._write(ordered)
            return CUT if fault == CUT else int(fault)

    def _write(self, ordered: dict[str, list[int | str]]) -> None:
        draft = self.path.with_suffix(".tmp")
        draft.write_text(json.dumps(ordered), encoding="utf-8")
        os.replace(draft, self.path)
