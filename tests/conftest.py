"""How tests are shared out among processes."""

from collections.abc import Generator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PLATFORM = "end_to_end"


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before xdist reads the groups, after the order was shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """A file's tests share what it has built, and those of end_to_end one platform: each stays in one process.

    In one process the platform's tests come last, one after another, so that it is started once and then ended.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    yield
    items.sort(key=lambda item: _group(item) == PLATFORM)


def _group(item: pytest.Item) -> str:
    place = item.path.relative_to(TESTS)
    return place.parts[0] if place.parts[0] == PLATFORM else place.as_posix()
