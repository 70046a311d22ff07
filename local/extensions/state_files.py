"""The emulator's state on disk: written by a forked child, so that the services go on meanwhile.

ministack copies and encodes the state where it answers requests: all of them would stand still, for seconds once a
stream and its tables hold some ten thousand records. A child sees one moment of it, as a whole. It writes by the C
encoder of json, which json.dump to a file does not use: it takes a third of the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from ministack import app as emulator
from ministack.core import persistence

LONGEST_SAVE = 15  # seconds for a service; a lock that a thread held at the fork is never let go in the child
TRIES = 2
logger = logging.getLogger("state-files")


class StateSaver:
    """Saves one after another: an older state never replaces a newer one.

    Whoever changes state adds one to `changes`.
    """

    def __init__(self) -> None:
        self.changes = self._saved = 0
        self._one_at_once = asyncio.Lock()
        self._ended = False

    async def save(self, change: int) -> float:
        """Return once a change, told by its number, is on disk, or the log says why not; the seconds that took."""
        async with self._one_at_once:
            if self._ended or self._saved >= change or not persistence.PERSIST_STATE:
                return 0.0
            started = time.monotonic()
            for _ in range(TRIES):
                self._saved, parent = self.changes, os.getpid()
                if (child := os.fork()) == 0:
                    _write_and_end(parent)
                _, status = await asyncio.to_thread(os.waitpid, child, 0)
                if status == 0 or self._ended:
                    break
                self._saved = 0
                logger.error("the state was not saved: status %s", os.waitstatus_to_exitcode(status))
            return time.monotonic() - started

    async def end(self) -> None:
        """No save begins any more, and none is under way: the emulator writes its last state itself."""
        self._ended = True
        async with self._one_at_once:
            pass


def _write_and_end(parent: int) -> NoReturn:
    """In the child: nothing of the parent's is closed, collected or answered twice."""
    with contextlib.suppress(BaseException):
        gc.disable()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_SAVE)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # a connection ends for its caller when the parent closes it
        persistence.save_state = partial(_save_unless_orphaned, parent)
        persistence.save_all(emulator._build_persistence_save_dict())
        os._exit(0)
    os._exit(1)


def _save_unless_orphaned(parent: int, service: str, data: dict[str, Any]) -> None:
    if os.getppid() != parent:  # it was killed, and another emulator may be reading these files
        os._exit(1)
    save_state(service, data)
    signal.alarm(LONGEST_SAVE)  # for the next one


def save_state(service: str, data: dict[str, Any]) -> None:
    if not persistence.PERSIST_STATE:
        return
    document = {"__ministack_format__": persistence._state_format_version(service), "payload": data}
    path = Path(persistence.STATE_DIR) / f"{service}.json"
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(document, default=persistence._json_default))
        scratch.replace(path)
    except Exception:  # the last state that could be written stays, as in ministack
        logger.exception("the state of %s was not saved", service)
        scratch.unlink(missing_ok=True)


PATCHES = {"ministack.core.persistence.save_state": save_state}
