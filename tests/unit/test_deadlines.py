"""The waits of tests: what never comes fails, and nothing hangs."""

import asyncio
from itertools import count

import pytest

from tests.deadlines import until, until_in_loop


def test_a_wait_ends_with_the_first_true_thing() -> None:
    for wait in (until, lambda look: asyncio.run(until_in_loop(look))):
        numbers = count()
        assert wait(lambda numbers=numbers: next(numbers)) == 1


def test_a_wait_for_what_never_comes_fails_with_what_was_seen_last() -> None:
    def messages() -> list[str]:
        return []

    with pytest.raises(AssertionError, match=r"messages still finds \[\] after 0\.1 s"):
        until(messages, seconds=0.1)
    with pytest.raises(AssertionError, match=r"messages still finds \[\] after 0\.1 s"):
        asyncio.run(until_in_loop(messages, seconds=0.1))
