"""How tests are shared out among processes."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A file's tests share what it has built, and those of end_to_end one platform: each stays in one process."""
    for item in items:
        place = item.path.relative_to(TESTS)
        group = place.parts[0] if place.parts[0] == "end_to_end" else place.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
