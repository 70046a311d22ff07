"""`make package`: build dist/ as it is synced to the MWAA bucket, and unpack it as MWAA does for the local Airflow."""

from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from local.bootstrap import ROOT
from local.platform.state import MWAA, PlatformError
from local.replay.payloads import PayloadError
from local.replay.watch_list import watch_list

DIST = ROOT / "dist"
# What lies beside the DAG files in the bucket and is no DAG.
BESIDE_DAGS = ("include", "ml", "samples")
LEFT_OUT = ("__pycache__", ".pyc", "build_samples.py", "build_payloads.py")
# Follows the artists of the sample payloads; lies among the samples, which run_platform puts into the drop zone.
WATCH_LIST = "dags/samples/watch_list/replayed.yaml"
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip of the same files has the same bytes

STARTUP = """#!/bin/sh
# Runs on each Airflow component before it starts. Nothing to install: requirements.txt holds what the DAGs need.
set -eu
# Triggers and tasks wait out a service that does not answer for half a minute.
export AWS_RETRY_MODE=standard
export AWS_MAX_ATTEMPTS=8
"""


def build(target: Path = DIST) -> Path:
    """Write plugins.zip, dags/, requirements.txt, startup.sh and SHA256SUMS; returns the folder.

    :raises PlatformError: when the samples' payloads cannot be read
    """
    wanted = {
        "plugins.zip": _plugins_zip(),
        "requirements.txt": (ROOT / "requirements.txt").read_bytes(),
        "startup.sh": STARTUP.encode(),
        "dags/.airflowignore": "".join(f"{name}/\n" for name in BESIDE_DAGS).encode(),
    }
    wanted |= {f"dags/{relative}": path.read_bytes() for path, relative in _files(ROOT / "dags")}
    for name in BESIDE_DAGS:
        wanted |= {f"dags/{name}/{relative}": path.read_bytes() for path, relative in _files(ROOT / name)}
    try:
        wanted[WATCH_LIST] = watch_list(ROOT / "samples").encode()
    except PayloadError as error:
        raise PlatformError(str(error)) from None
    sums = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(wanted.items())]
    wanted["SHA256SUMS"] = "".join(sums).encode()
    _make_equal(target, wanted)
    return target


def unpack(source: Path = DIST, target: Path = MWAA) -> Path:
    """Lay a built dist/ out as an MWAA worker sees it: dags/, and plugins.zip unpacked as plugins/."""
    wanted = {f"dags/{relative}": path.read_bytes() for path, relative in _files(source / "dags")}
    with zipfile.ZipFile(source / "plugins.zip") as packed:
        wanted |= {f"plugins/{name}": packed.read(name) for name in packed.namelist()}
    _make_equal(target, wanted)
    return target


def _plugins_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, relative in _files(ROOT / "plugins"):
            archive.writestr(zipfile.ZipInfo(relative, EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files below a folder with their relative paths, in order."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part in relative for part in LEFT_OUT):
            yield path, relative


def _make_equal(folder: Path, wanted: dict[str, bytes]) -> None:
    """Bring a folder to exactly these files; unchanged ones keep their time, so that Airflow parses what changed."""
    for name, content in wanted.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(path.name + ".new")
            scratch.write_bytes(content)
            scratch.replace(path)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in wanted and "__pycache__" not in path.parts:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def remove() -> None:
    shutil.rmtree(DIST, ignore_errors=True)
