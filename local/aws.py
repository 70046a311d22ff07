"""The local AWS: ministack with the extensions of local/extensions, bound to 127.0.0.1.

Runs in a virtual environment of its own (`.local/venvs/aws`), started by the launcher as `python -m local.aws` with its
settings in the environment. Beside AWS it answers

    GET    /_local/credentials/<role>   credentials of a role, in the form of the container credentials endpoint
    GET    /_local/calls                the calls of this run by service, action, role and outcome; writes the log
    DELETE /_local/calls                begins a new run

to callers that send the platform's token.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack import app as emulator
from ministack.core import router
from ministack.core.responses import set_request_account_id, set_request_region

from local.extensions import registry
from local.extensions.call_log import CallLog, describe
from local.extensions.state_files import StateSaver

SECONDS_BETWEEN_SAVES = 2
# Answered once the state is saved: Airflow's metadata remember what they name, and would look for it after a kill.
DURABLE = {
    "cloudformation": ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ExecuteChangeSet"),
    "glue": ("StartJobRun", "BatchCreatePartition", "UpdatePartition"),
    "sagemaker": ("CreateTrainingJob", "CreateProcessingJob", "CreateModelPackage", "UpdateModelPackage"),
}
CREDENTIALS = "/_local/credentials/"
CALLS = "/_local/calls"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class LocalAws:
    """ASGI application around ministack's: the platform's own paths, the call log and regular saves."""

    def __init__(self, state_directory: Path, token: str) -> None:
        self._token = token
        self.log = CallLog(state_directory / "aws-calls.json")
        self._emulator = emulator.app
        self._dispatch = emulator._dispatch_service_request
        self._saver = StateSaver()
        emulator._dispatch_service_request = self._logged_dispatch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith("/_local/"):
            await self._answer(scope, send)
        else:
            await self._emulator(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def next_message() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._saver.end()
            return message

        regular = asyncio.create_task(self._save_regularly())
        await self._emulator(scope, next_message, send)
        regular.cancel()
        self.log.write()

    async def _logged_dispatch(
        self, method: str, path: str, headers: dict, body: bytes, query_params: dict, request_id: str
    ) -> tuple[int, dict, Any]:
        params = emulator._routing_params(method, path, headers, body, query_params)
        service, action, role = describe(method, path, headers, body, params)
        full_action, key = f"{service}:{action}", router.extract_access_key_id(headers, query_params)
        refused = registry.refuse_pass_role(full_action, key, router.extract_region(headers), body)
        if refused:
            answer = _json(403, {
                "__type": "AccessDeniedException",
                "message": f"{role} is not authorized to perform: iam:PassRole on resource: {refused}",
            })  # fmt: skip
        else:
            answer = await self._dispatch(method, path, headers, body, query_params, request_id)
        self._saver.changes += 1
        if answer[0] < 300 and action in DURABLE.get(service, ()):
            await self._saver.save(self._saver.changes)
        self.log.record(service, action, str(role), answer[0], answer[2])
        return answer

    async def _answer(self, scope: Scope, send: Send) -> None:
        set_request_account_id(registry.account_id())
        set_request_region(registry.region())
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        status, _, body = self._local(scope["method"], scope["path"], headers)
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"application/json")]})  # fmt: skip
        await send({"type": "http.response.body", "body": body})

    def _local(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict, bytes]:
        if not hmac.compare_digest(headers.get("authorization", ""), self._token):
            return _json(403, {"message": "this path needs the token of the local platform"})
        if path == CALLS and method == "DELETE":
            self.log.reset()
            return _json(200, {"calls": []})
        if path == CALLS:
            self.log.write()
            return _json(200, {"calls": self.log.calls()})
        if path.startswith(CREDENTIALS):
            return _role_credentials(path.removeprefix(CREDENTIALS))
        return _json(404, {"message": f"{path} is no path of the local platform"})

    async def _save_regularly(self) -> None:
        """Write the call log, and the services' state so that a killed emulator loses seconds and not the run."""
        saving = 0.0
        while True:
            await asyncio.sleep(max(SECONDS_BETWEEN_SAVES, saving))  # much state costs half a core, not more
            self.log.write()
            saving = await self._saver.save(self._saver.changes)


def _role_credentials(role_name: str) -> tuple[int, dict, bytes]:
    arn = f"arn:aws:iam::{registry.account_id()}:role/{role_name}"
    try:
        credentials = registry.role_credentials(arn)
    except registry.ExtensionError as error:
        return _json(404, {"message": str(error)})
    expiration = datetime.fromtimestamp(credentials["Expiration"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _json(200, {
        "RoleArn": arn,
        "AccessKeyId": credentials["AccessKeyId"],
        "SecretAccessKey": credentials["SecretAccessKey"],
        "Token": credentials["SessionToken"],
        "Expiration": expiration,
    })  # fmt: skip


def _json(status: int, document: dict[str, Any]) -> tuple[int, dict, bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(document).encode()


def keep_scratch_in(folder: Path) -> None:
    """Lambda's workers leave their folders when the emulator ends: the next start removes them.

    Not by TMPDIR, which jobs and functions would inherit: a socket's path has room for 107 characters.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)


def main() -> None:
    state_directory = Path(os.environ["LOCAL_STATE_DIR"])
    keep_scratch_in(state_directory / "tmp")
    registry.install()
    emulator.app = LocalAws(state_directory, os.environ["LOCAL_CREDENTIALS_TOKEN"])
    sys.argv = sys.argv[:1]
    emulator.main()


if __name__ == "__main__":
    main()
