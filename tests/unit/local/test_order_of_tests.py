"""In which order the tests are shared out among processes."""

import os
import subprocess
import sys
from pathlib import Path

from local.cli import IN_TWO_PROCESSES
from tests.conftest import TESTS

PLAIN = """
import pathlib, pytest

@pytest.mark.parametrize("n", range({tests}))
def test_{name}(n):
    with pathlib.Path("order").open("a") as order:
        order.write("{group}\\n")
"""
GROUPS = {"unit/test_many.py": 9, "unit/test_few.py": 5, "contract/test_less.py": 4, "contract/test_more.py": 6}


def order(folder: Path, *options: str) -> list[str]:
    """Groups in the order in which their first test begins; those of end_to_end are one."""
    for place, tests in {**GROUPS, "end_to_end/test_a.py": 3, "end_to_end/test_b.py": 3}.items():
        file = folder / place
        file.parent.mkdir(exist_ok=True)
        group = "end_to_end" if place.startswith("end_to_end") else place
        file.write_text(PLAIN.format(name=file.stem, tests=tests, group=group))
    (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", folder, folder, *options],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return list(dict.fromkeys((folder / "order").read_text().split()))


def test_in_one_process_the_platform_comes_last(tmp_path: Path) -> None:
    assert order(tmp_path)[-1] == "end_to_end"


def test_in_several_the_longest_come_first(tmp_path: Path) -> None:
    one_worker = ["1" if option == "2" else option for option in IN_TWO_PROCESSES]
    assert order(tmp_path, *one_worker) == [
        "end_to_end", "contract/test_more.py", "contract/test_less.py", "unit/test_many.py", "unit/test_few.py",
    ]  # fmt: skip
