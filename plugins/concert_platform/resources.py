"""Where the files of include/ and ml/ lie: beside dags/ in the repository, inside dags/ in the bucket's layout."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


class ResourceNotFoundError(FileNotFoundError):
    """A file of include/, ml/ or samples/ is in none of the places where the platform keeps it."""


def _roots() -> list[Path]:
    dags_folder = os.environ.get("AIRFLOW__CORE__DAGS_FOLDER")
    roots = [Path(dags_folder)] if dags_folder else []
    # MWAA unpacks plugins.zip beside dags/, the repository keeps plugins/ beside dags/: both are two levels up.
    home = Path(__file__).resolve().parents[2]
    return [*roots, home / "dags", home]


@cache
def resource(relative: str) -> Path:
    """Absolute path of a file or folder such as ``include/sql`` or ``ml/sales``.

    :raises ResourceNotFoundError: when no root holds it
    """
    for root in _roots():
        if (root / relative).exists():
            return root / relative
    places = ", ".join(str(root) for root in _roots())
    raise ResourceNotFoundError(f"{relative} is not in {places}: run `make package` and sync dist/dags to the bucket")
