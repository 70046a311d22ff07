"""The DAGs as Airflow reads them from the packaged layout: dist/ unpacked as on an MWAA worker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.platform import package

READ_DAGS = Path(__file__).with_name("read_dags.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--snapshot", action="store_true", help="replace the golden graphs by what the DAGs are now")


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with dags/ and plugins/ as a worker sees them."""
    folder = tmp_path_factory.mktemp("mwaa")
    return package.unpack(package.build(folder / "dist"), folder / "worker")


@pytest.fixture(scope="session")
def read_dags(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a fresh Airflow process finds in the packaged layout; see read_dags.py."""
    home = tmp_path_factory.mktemp("airflow-home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(packaged / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(packaged / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/unused.db",
        "PYTHONPATH": str(packaged / "plugins"),
    }
    output = home / "dags.json"
    subprocess.run(
        [sys.executable, READ_DAGS, output], env=environment, cwd=home, check=True, capture_output=True, timeout=600
    )
    yield json.loads(output.read_text())
