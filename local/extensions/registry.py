"""Find the extension modules, install what they declare, and lend roles to the engines.

The extensions reach into ministack, a fast-moving project: each name that is patched is checked at start-up, so that an
update that renames one stops the platform with one line instead of silently losing a feature.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import pkgutil
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from botocore.config import Config
from ministack import app as emulator
from ministack.core import iam_actions, iam_evaluator, router
from ministack.services import iam, kms, sts
from ministack.services.cloudformation import changesets, drift, provisioners, stacks

import local.extensions
from local.extensions import resource_schemas

SESSION_SECONDS = 3600
OWN_MODULES = ("registry", "call_log", "capabilities", "resource_schemas")


class ExtensionError(RuntimeError):
    """An extension does not fit the installed ministack, or asks for a role that does not exist."""


def install() -> list[str]:
    """Install every module of local/extensions; returns their names."""
    names = [m.name for m in pkgutil.iter_modules(local.extensions.__path__) if m.name not in OWN_MODULES]
    for name in names:
        module = importlib.import_module(f"local.extensions.{name}")
        if service := getattr(module, "SERVICE", None):
            _install_service(module, service)
        if key := getattr(module, "STATE", None):
            _keep_state(module, key)
        _install_pass_roles(getattr(module, "PASS_ROLE", {}))
        _install_types(getattr(module, "RESOURCE_TYPES", {}), getattr(module, "BLOCKING_TYPES", set()))
        for path, replacement in getattr(module, "PATCHES", {}).items():
            patch(path, replacement)
    patch("ministack.core.iam_actions.extract_resource_arn", _resource_arn)
    _restore_sessions()
    return names


# ---------------------------------------------------------------- services

_RESOURCE_ARNS: dict[str, Callable[..., str]] = {}
_PASS_ROLES: dict[str, str] = {}
_original_resource_arn = iam_actions.extract_resource_arn


def _install_service(module: ModuleType, service: dict[str, Any]) -> None:
    name, key = service["name"], service["module"]
    _keep_state(module, key)
    emulator.SERVICE_REGISTRY[name] = {"module": key}
    emulator.SERVICE_HANDLERS[name] = emulator._lazy_handler(key)
    router.SERVICE_PATTERNS[name] = {
        "target_prefixes": [service["target_prefix"]],
        "host_patterns": [],
        "credential_scope": service["credential_scope"],
    }
    iam_actions.SERVICE_TO_IAM_NAMESPACE[name] = service["iam_namespace"]
    if "resource_arn" in service:
        _RESOURCE_ARNS[name] = service["resource_arn"]


def _keep_state(module: ModuleType, key: str) -> None:
    emulator._loaded_modules[key] = module
    emulator._state_map[key] = key


def _resource_arn(
    service: str, method: str, path: str, headers: dict, body: bytes, query_params: dict, region: str, account: str
) -> str:
    if service not in _RESOURCE_ARNS:
        arn = _original_resource_arn(service, method, path, headers, body, query_params, region, account)
        if service == "dynamodb" and arn == "*":  # calls about tags name the table by its ARN
            return str(iam_actions._safe_json_field(body, "ResourceArn") or arn)
        if service == "logs" and arn == "*":  # AWS looks for groups on all of them
            return f"arn:aws:logs:{region}:{account}:log-group:*"
        return _key_arn(arn, body, region, account) if service == "kms" else arn
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        request = json.loads(body or b"{}")
    except json.JSONDecodeError:
        return "*"
    return _RESOURCE_ARNS[service](action, request, region, account)


def _key_arn(arn: str, body: bytes, region: str, account: str) -> str:
    """What is done to a key under its alias is allowed, or not, by the key; only calls about an alias name that."""
    if alias := iam_actions._safe_json_field(body, "AliasName"):
        return f"arn:aws:kms:{region}:{account}:{alias}"
    if ":alias/" not in arn:
        return arn
    key = kms._resolve_key(arn)
    return str(key["Arn"]) if key else f"arn:aws:kms:{region}:{account}:key/none"


def _install_pass_roles(pass_roles: dict[str, str]) -> None:
    _PASS_ROLES.update(pass_roles)


def refuse_pass_role(action: str | None, access_key: str, region: str, body: bytes) -> str | None:
    """The role that a caller may not pass in this request, if any: AWS asks for iam:PassRole on it."""
    if action not in _PASS_ROLES:
        return None
    value: Any = json.loads(body or b"{}")
    for part in _PASS_ROLES[action].split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, str):
        return None
    context = {"iam:passedtoservice": f"{action.partition(':')[0]}.amazonaws.com"}
    denied = iam_evaluator.enforce(
        access_key, "iam:PassRole", "iam", region, resource_arn=value, service_context=context
    )
    return value if denied else None


# ---------------------------------------------------------------- CloudFormation types


def _properties(name: str) -> list[str]:
    return list((resource_schemas.schema(name) or {}).get("properties", {}))


def _install_types(types: dict[str, dict[str, Any]], blocking: set[str]) -> None:
    for name, handlers in types.items():
        provisioners._RESOURCE_HANDLERS[name] = {**provisioners._RESOURCE_HANDLERS.get(name, {}), **handlers}
        if replacing := handlers.get("replacing_properties"):
            provisioners._REPLACING_PROPERTIES[name] = tuple(replacing)
        if tags := resource_schemas.tag_property(name):
            provisioners._STACK_TAG_PROPERTY.setdefault(name, tags)
        if "import_problem" in handlers:
            identifier = tuple(key.rpartition(".")[2] for key in resource_schemas.names(name, "primaryIdentifier"))
            changesets._IMPORT_LOOKUPS[name] = (identifier, handlers["import_problem"])
        if "read" in handlers:
            drift._DRIFT_READERS[name] = (handlers["read"], frozenset(handlers.get("reads", _properties(name))))
    if blocking:
        original = stacks._runs_on_worker_thread
        stacks._runs_on_worker_thread = lambda kind: kind in blocking or original(kind)


# ---------------------------------------------------------------- patches


def patch(path: str, replacement: Any) -> None:
    """Put a function in place of a ministack one, also inside the dispatch tables of its module.

    :raises ExtensionError: when the installed ministack has no such name
    """
    module_name, _, name = path.rpartition(".")
    module = importlib.import_module(module_name)
    if not hasattr(module, name):
        raise ExtensionError(f"{path} does not exist in the installed ministack: adapt local/extensions or pin 1.5.33")
    original = getattr(module, name)
    setattr(module, name, replacement)
    for table in [value for value in vars(module).values() if isinstance(value, dict)]:
        for key in [key for key, value in table.items() if value is original]:
            table[key] = replacement


# ---------------------------------------------------------------- roles


def endpoint() -> str:
    """URL of this emulator."""
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"


def account_id() -> str:
    return os.environ.get("MINISTACK_ACCOUNT_ID", "000000000000")


def region() -> str:
    return os.environ.get("MINISTACK_REGION", "us-east-1")


_sessions_written = threading.Lock()  # worker threads and requests write one file: two at once would damage it


def role_credentials(role_arn: str, session_name: str = "local-platform") -> dict[str, Any]:
    """Fresh credentials of a role, as the service that the role trusts would get them.

    :raises ExtensionError: when the role does not exist
    """
    account, role_name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    if iam._roles.get_scoped(account, None, role_name) is None:
        raise ExtensionError(f"role {role_arn} does not exist: deploy the stack that holds it")
    suffix = hashlib.sha256(f"{role_arn}{secrets.token_hex(16)}".encode()).hexdigest()[:16].upper()
    expiration = time.time() + SESSION_SECONDS
    credentials = {
        "AccessKeyId": f"ASIA{suffix}",
        "SecretAccessKey": secrets.token_hex(20),
        "SessionToken": secrets.token_hex(32),
    }
    _register(
        credentials["AccessKeyId"],
        {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}",
            "UserId": f"{sts._role_id(role_arn)}:{session_name}",
            "SecretAccessKey": credentials["SecretAccessKey"],
            "SessionToken": credentials["SessionToken"],
            "Expiration": expiration,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        },
    )
    return {**credentials, "Expiration": expiration}


def _register(access_key: str, session: dict[str, Any]) -> None:
    """Make a session known, also to an emulator that is started again: clients keep credentials until they expire."""
    sts.register_session(access_key, session)
    with _sessions_written:
        known = {key: value for key, value in _read_sessions().items() if value["Expiration"] > time.time()}
        scratch = _sessions_file().with_suffix(".tmp")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({**known, access_key: session}, file)
        scratch.replace(_sessions_file())


def _restore_sessions() -> None:
    for access_key, session in _read_sessions().items():
        sts.register_session(access_key, session)


def _read_sessions() -> dict[str, dict[str, Any]]:
    return json.loads(_sessions_file().read_text()) if _sessions_file().exists() else {}


def _sessions_file() -> Path:
    return Path(os.environ["LOCAL_STATE_DIR"]) / "role-sessions.json"


def role_client(service: str, role_arn: str) -> Any:
    """A client of this process that acts under a role; for worker threads, since it calls the emulator over HTTP."""
    credentials = role_credentials(role_arn)
    return boto3.client(
        service,
        endpoint_url=endpoint(),
        region_name=region(),
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(retries={"total_max_attempts": 2}, inject_host_prefix=False),
    )


def deliver(role_arn: str, target_arn: str, body: str, attributes: dict[str, Any]) -> None:
    """Send a message to a queue or a topic under a role; for worker threads as well.

    :raises botocore.exceptions.ClientError: when the role may not, or the target is not there
    """
    service, account, name = (target_arn.split(":")[part] for part in (2, 4, 5))
    client = role_client(service, role_arn)
    if service == "sqs":
        url = f"{endpoint()}/{account}/{name}"
        client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    else:
        client.publish(TopicArn=target_arn, Message=body, MessageAttributes=attributes)


def role_environment(role_arn: str) -> dict[str, str]:
    """What a child process that runs under a role gets: the endpoint, and where its credentials come from."""
    return {
        "AWS_ENDPOINT_URL": endpoint(),
        "AWS_REGION": region(),
        "AWS_DEFAULT_REGION": region(),
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{endpoint()}/_local/credentials/{role_arn.rpartition('/')[2]}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": os.environ["LOCAL_CREDENTIALS_TOKEN"],
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
