"""Waits of tests: for a condition, never for a time, and with a deadline, so that what never comes fails in one line.

The deadline is of minutes, since a busy machine takes many times as long as a quiet one.
"""

import asyncio
import time
from collections.abc import Callable

SECONDS = 300.0
PAUSE = 0.05


def until[Found](look: Callable[[], Found], seconds: float = SECONDS, pause: float = PAUSE) -> Found:
    """The first true thing that `look` finds.

    :raises AssertionError: when the time is up, with what it has found last
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, _too_late(look, found, seconds)
        time.sleep(pause)
    return found


async def until_in_loop[Found](look: Callable[[], Found], seconds: float = SECONDS) -> Found:
    """The same for a coroutine: the others of its event loop go on meanwhile."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, _too_late(look, found, seconds)
        await asyncio.sleep(PAUSE)
    return found


def _too_late(look: Callable[[], object], found: object, seconds: float) -> str:
    return f"{look.__qualname__} still finds {found!r} after {seconds} s"
