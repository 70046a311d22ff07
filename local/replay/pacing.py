"""How many requests a second an API takes."""

from __future__ import annotations

import threading
import time


class Bucket:
    """A bucket of requests that fills at a steady rate.

    :param rate: requests a second; also how many may come at once. None: any number
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._left = rate or 0.0
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more request is within the rate."""
        if self._rate is None:
            return True
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + (now - self._at) * self._rate, self._rate)
            self._at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True
