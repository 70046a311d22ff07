"""How tests are shared out among processes."""

import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PLATFORM = "end_to_end"
REAL_ENGINES = "contract/"


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before xdist reads the groups, after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """A file's tests share what it has built, and those of end_to_end one platform: each stays in one process."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    sort(items, in_parallel="PYTEST_XDIST_WORKER" in os.environ)


def sort(items: list[pytest.Item], *, in_parallel: bool) -> None:
    """In one process the platform's tests come last, one after another, so that it is started once and then ended.

    In several they come first, for they take longest, then the groups on real engines, then the others, each by size:
    what is long and begins late is what one process waits for. xdist takes the groups in the order of their first test
    (`--no-loadscope-reorder`).
    """
    if not in_parallel:
        items.sort(key=lambda item: (_group(item) == PLATFORM, _is_last(item)))
        return
    sizes = Counter(_group(item) for item in items)

    def place(item: pytest.Item) -> tuple[bool, bool, int, str, bool]:
        group = _group(item)
        return group != PLATFORM, not group.startswith(REAL_ENGINES), -sizes[group], group, _is_last(item)

    items.sort(key=place)


def _is_last(item: pytest.Item) -> bool:
    return item.get_closest_marker("ends_the_platform") is not None


def _group(item: pytest.Item) -> str:
    place = item.path.relative_to(TESTS)
    return place.parts[0] if place.parts[0] == PLATFORM else place.as_posix()
