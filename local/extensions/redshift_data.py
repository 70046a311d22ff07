"""Redshift Data API in front of the local warehouse (local/engines/redshift).

Statements run on threads of their own; nothing here waits for PostgreSQL on the emulator's event loop. What the real
API refuses is refused: parameters in a batch, more than 40 statements, more than 100 KB of SQL. Sessions, CSV results
and events are not offered and refused too.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ministack.core import iam_evaluator, router
from ministack.core.responses import error_response_json, json_response
from ministack.services import iam

from local.engines.redshift import StatementError, inventory
from local.engines.redshift.inventory import Namespace
from local.engines.redshift.options import DEFAULT_ROLE
from local.engines.redshift.rewriter import BINDABLE, OUTSIDE_TRANSACTIONS, Rewritten, rewrite
from local.engines.redshift.statements import Part, Statement, Statements, TooManyStatementsError
from local.engines.redshift.storage import Storage
from local.engines.redshift.warehouse import Warehouse, read_result

CONTENT_TYPE = "application/x-amz-json-1.1"
MOST_STATEMENTS = 40
LONGEST_SQL = 100_000  # bytes of all statements of a request
PAGE_ROWS = 1000
SERVICE_PRINCIPALS = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com")
NOT_OFFERED = ("SessionId", "SessionKeepAliveSeconds", "WithEvent", "WaitTimeSeconds", "ClusterIdentifier", "DbUser")
_STATES = frozenset({"SUBMITTED", "PICKED", "STARTED", "FINISHED", "ABORTED", "FAILED", "ALL"})
_PARAMETER_NAME = re.compile(r"[0-9a-zA-Z_]+")

Document = dict[str, Any]


class ApiError(Exception):
    """:param code: name of the exception in the API"""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


_statements: Statements | None = None
_warehouse: Warehouse | None = None
_client_lock = threading.Lock()  # botocore's default session is not made for several threads


def warehouse() -> Warehouse:
    global _warehouse  # noqa: PLW0603 - a service of the emulator is its module
    if _warehouse is None:
        _warehouse = Warehouse(os.environ["LOCAL_WAREHOUSE_DSN"])
    return _warehouse


def statements() -> Statements:
    global _statements  # noqa: PLW0603
    if _statements is None:
        _statements = Statements(warehouse(), Path(os.environ["LOCAL_STATE_DIR"]) / "redshift-data")
    return _statements


async def handle_request(method: str, path: str, headers: dict, body: bytes, query_params: dict) -> Any:
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    handler = ACTIONS.get(action)
    if handler is None:
        message = f"{action} is not run by the local platform: use GetStatementResult" if "V2" in action else action
        return error_response_json("UnknownOperationException", message, 501, content_type=CONTENT_TYPE)
    try:
        request = json.loads(body or b"{}")
        if action in ("ExecuteStatement", "BatchExecuteStatement", "ListTables"):
            _check_sign_in(request, router.extract_access_key_id(headers, query_params), router.extract_region(headers))
        answer = handler(request)
        return json_response(await answer if isinstance(answer, Awaitable) else answer, content_type=CONTENT_TYPE)
    except ApiError as error:
        return error_response_json(error.code, str(error), 400, message_key="Message", content_type=CONTENT_TYPE)


def _check_sign_in(request: Document, access_key: str, region: str) -> None:
    """Without a secret, the Data API signs in to the workgroup with temporary credentials in the caller's name."""
    group = inventory.workgroup(request.get("WorkgroupName") or "")
    if group is None or request.get("SecretArn"):
        return
    action = "redshift-serverless:GetCredentials"
    if iam_evaluator.enforce(access_key, action, "redshift-serverless", region, resource_arn=group.arn):
        raise ApiError("AccessDeniedException", f"the caller is not authorized to perform: {action} on resource: "
                       f"{group.arn}")  # fmt: skip


# ---------------------------------------------------------------- execute


def execute_statement(request: Document) -> Document:
    namespace = _target(request)
    rewritten = _accept([str(request.get("Sql") or "")])
    parameters = _parameters(request.get("Parameters") or [], rewritten[0])
    return _submit(request, namespace, [request["Sql"]], rewritten, parameters=parameters)


def batch_execute_statement(request: Document) -> Document:
    namespace = _target(request)
    queries = list(request.get("Sqls") or [])
    if request.get("Parameters"):
        raise _invalid("Parameters are not supported for BatchExecuteStatement")
    if request.get("ExecutionMode", "TRANSACTION") != "TRANSACTION":
        raise _invalid("ExecutionMode is not offered locally: a batch is one transaction")
    if not 1 <= len(queries) <= MOST_STATEMENTS:
        raise _invalid(f"Sqls must hold 1 to {MOST_STATEMENTS} statements, not {len(queries)}")
    rewritten = _accept(queries)
    for number, one in enumerate(rewritten, start=1):
        if one.kind == "TRUNCATE":
            raise _invalid(f"statement {number}: TRUNCATE commits the transaction on Redshift: use DELETE in a batch")
        if one.kind in OUTSIDE_TRANSACTIONS:
            raise _invalid(f"statement {number}: {one.kind} cannot run inside a transaction block")
        if one.parameters:
            raise _invalid(f"statement {number}: parameters are not supported for BatchExecuteStatement")
    return _submit(request, namespace, queries, rewritten, is_batch=True)


def _target(request: Document) -> Namespace:
    """The namespace of a request, once everything around the SQL is as it should be."""
    for field in NOT_OFFERED:
        if request.get(field):
            raise _invalid(f"{field} is not offered locally: name WorkgroupName and Database")
    if request.get("ResultFormat", "JSON") != "JSON":
        raise _invalid("ResultFormat CSV is not offered locally")
    name = request.get("WorkgroupName") or ""
    group = inventory.workgroup(name)
    if group is None:
        raise _invalid(f"Redshift endpoint doesn't exist in this region: workgroup {name!r}")
    namespace = inventory.namespace_of(group)
    if request.get("Database") != namespace.database:
        raise _invalid(f"database {request.get('Database')!r} does not exist in workgroup {name}: it has "
                       f"{namespace.database!r}")  # fmt: skip
    return namespace


def _accept(queries: list[str]) -> list[Rewritten]:
    if any(not isinstance(query, str) or not query.strip() for query in queries):
        raise _invalid("Sql must not be empty")
    size = sum(len(query.encode()) for query in queries)
    if size > LONGEST_SQL:
        raise _invalid(f"Cannot process query string larger than 100kB: it has {size} bytes")
    accepted = []
    for number, query in enumerate(queries, start=1):
        try:
            accepted.append(rewrite(query))
        except StatementError as error:
            where = f"statement {number}: " if len(queries) > 1 else ""
            raise _invalid(f"{where}{error}") from error
    return accepted


def _parameters(given: list[Document], statement: Rewritten) -> dict[str, str]:
    names = [parameter.get("name", "") for parameter in given]
    for parameter in given:
        name, value = parameter.get("name", ""), parameter.get("value")
        if not _PARAMETER_NAME.fullmatch(name):
            raise _invalid(f"Parameters: the name {name!r} is not made of letters, digits and '_'")
        if not isinstance(value, str) or not value:
            raise _invalid(f"Parameters: the value of {name!r} must be text of at least one character")
    if len(set(names)) != len(names):
        raise _invalid("Parameters: a name stands twice")
    if unused := sorted(set(names) - statement.parameters):
        raise _invalid(f"Parameters list contains unused parameters. Unused parameters: {unused}")
    if missing := sorted(statement.parameters - set(names)):
        raise _invalid(f"Parameters: the SQL names {missing}, which no parameter gives")
    if names and statement.kind not in BINDABLE:
        raise _invalid(f"Parameters are not supported in {statement.kind}: only in queries and changes of rows")
    return {parameter["name"]: parameter["value"] for parameter in given}


def _submit(
    request: Document, namespace: Namespace, queries: list[str], rewritten: list[Rewritten],
    *, is_batch: bool = False, parameters: dict[str, str] | None = None,
) -> Document:  # fmt: skip
    token = request.get("ClientToken") or None
    if token and len(token) > 64:
        raise _invalid("ClientToken must have at most 64 characters")
    statement = statements().of_token(token)
    if statement is None:
        try:
            statement = statements().submit(
                queries, rewritten, _open_storage(namespace), is_batch=is_batch, parameters=parameters,
                client_token=token, database=namespace.database, workgroup=request["WorkgroupName"],
                name=request.get("StatementName") or "", secret_arn=request.get("SecretArn") or "",
            )  # fmt: skip
        except TooManyStatementsError as error:
            raise ApiError("ActiveStatementsExceededException", "500 statements are under way") from error
    return _present({
        "Id": statement.id, "CreatedAt": statement.created_at, "Database": statement.database,
        "WorkgroupName": statement.workgroup, "SecretArn": statement.secret_arn,
    })  # fmt: skip


def _open_storage(namespace: Namespace) -> Callable[[str], Storage]:
    """S3 under the role of a COPY or UNLOAD, which must be a role of the namespace that trusts Redshift."""

    def open_storage(role: str) -> Storage:
        from local.extensions import registry

        arn = namespace.default_role if role == DEFAULT_ROLE else role
        if not arn or arn not in namespace.roles:
            raise StatementError(
                f"ERROR: IAM role {arn or 'default'} is not associated with namespace {namespace.name}: add it to its "
                "IamRoles"
            )
        if not _trusts_redshift(arn):
            raise StatementError(
                f"ERROR: not authorized to assume IAM Role {arn}: it must trust {SERVICE_PRINCIPALS[1]}"
            )
        try:
            with _client_lock:
                return Storage(registry.role_client("s3", arn), arn)
        except registry.ExtensionError as error:
            raise StatementError(f"ERROR: {error}") from error

    return open_storage


def _trusts_redshift(role_arn: str) -> bool:
    role = iam._roles.get_scoped(role_arn.split(":")[4], None, role_arn.rpartition("/")[2]) or {}
    document = role.get("AssumeRolePolicyDocument") or "{}"
    allowed = json.loads(document) if isinstance(document, str) else document
    listed = allowed.get("Statement", [])
    for entry in listed if isinstance(listed, list) else [listed]:
        principal = entry.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        services = [services] if isinstance(services, str) else services
        if entry.get("Effect") == "Allow" and set(services) & set(SERVICE_PRINCIPALS):
            return True
    return False


# ---------------------------------------------------------------- describe


def _find(request: Document) -> Statement:
    found = statements().get(str(request.get("Id", "")))
    if found is None:
        raise ApiError("ResourceNotFoundException", "Query does not exist.")
    return found


def describe_statement(request: Document) -> Document:
    found = _find(request)
    document: Document = {
        "Id": found.id, "Status": found.status, "Database": found.database, "WorkgroupName": found.workgroup,
        "CreatedAt": found.created_at, "UpdatedAt": found.updated_at, "RedshiftPid": found.pid, "RedshiftQueryId": 0,
        "Error": found.error, "SecretArn": found.secret_arn, "QueryParameters": found.parameters,
        "ResultFormat": "JSON",
    }  # fmt: skip
    if found.is_batch:
        durations = [part.duration for part in found.parts if part.duration >= 0]
        document |= {"SubStatements": [_part(part) for part in found.parts], "ResultRows": -1, "ResultSize": -1,
                     "HasResultSet": any(part.has_result for part in found.parts),
                     "Duration": sum(durations) if durations else -1}  # fmt: skip
    else:
        part = _part(found.parts[0])
        document |= {key: part[key] for key in part.keys() - {"Id", "Status", "CreatedAt", "UpdatedAt", "Error"}}
    return _present(document)


def _part(part: Part) -> Document:
    return _present({
        "Id": part.id, "Status": part.status, "QueryString": part.query, "CreatedAt": part.created_at,
        "UpdatedAt": part.updated_at, "Duration": part.duration, "Error": part.error, "HasResultSet": part.has_result,
        "ResultRows": part.rows, "ResultSize": part.size, "RedshiftQueryId": 0,
    })  # fmt: skip


def _present(document: Document) -> Document:
    """Without the fields that the API leaves out when they are empty."""
    return {key: value for key, value in document.items() if value not in ("", None, [])}


async def get_statement_result(request: Document) -> Document:
    found = _find(request)
    part = next((one for one in found.parts if one.id == request["Id"]), found.parts[0])
    if found.is_batch and ":" not in request["Id"]:
        part = next((one for one in reversed(found.parts) if one.has_result), part)
    path = statements().result_path(part)
    if found.status != "FINISHED" or not part.has_result or not path.is_file():
        raise ApiError(
            "ResourceNotFoundException", "Query does not have result. Please check query status with DescribeStatement."
        )
    offset = _offset(request)
    columns, total, records = await asyncio.to_thread(read_result, path, offset, PAGE_ROWS)
    document = {"Records": records, "ColumnMetadata": columns, "TotalNumRows": total}
    return document | ({"NextToken": str(offset + PAGE_ROWS)} if offset + PAGE_ROWS < total else {})


def _offset(request: Document) -> int:
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise _invalid("NextToken is none that this service gave")
    return int(token)


def cancel_statement(request: Document) -> Any:
    found = _find(request)

    async def cancel() -> Document:
        if not await asyncio.to_thread(statements().cancel, found):
            raise _invalid(f"Could not cancel a query that is already in {found.status} state with ID: {found.id}")
        return {"Status": True}

    return cancel()


def list_statements(request: Document) -> Document:
    """Newest first; without Status only those that have finished, as the API does."""
    status = request.get("Status") or "FINISHED"
    if status not in _STATES:
        raise _invalid(f"Status must be one of {', '.join(sorted(_STATES))}")
    prefix, group, database = request.get("StatementName") or "", request.get("WorkgroupName"), request.get("Database")
    offset, limit = _offset(request), int(request.get("MaxResults") or 100)
    matching = [
        one for one in statements().newest_first()
        if status in ("ALL", one.status) and one.name.startswith(prefix)
        and group in (None, one.workgroup) and database in (None, one.database)
    ]  # fmt: skip
    document: Document = {"Statements": [_listed(one) for one in matching[offset : offset + limit]]}
    return document | ({"NextToken": str(offset + limit)} if offset + limit < len(matching) else {})


def _listed(statement: Statement) -> Document:
    queries = [part.query for part in statement.parts]
    return _present({
        "Id": statement.id, "Status": statement.status, "StatementName": statement.name,
        "QueryString": "" if statement.is_batch else queries[0], "QueryStrings": queries if statement.is_batch else [],
        "IsBatchStatement": statement.is_batch, "CreatedAt": statement.created_at, "UpdatedAt": statement.updated_at,
        "QueryParameters": statement.parameters, "SecretArn": statement.secret_arn,
    })  # fmt: skip


async def list_tables(request: Document) -> Document:
    namespace = _target(request)
    schema, table = request.get("SchemaPattern") or "%", request.get("TablePattern") or "%"
    try:
        found = await asyncio.to_thread(warehouse().tables, namespace.database, schema, table)
    except StatementError as error:
        raise ApiError("DatabaseConnectionException", str(error)) from error
    offset, limit = _offset(request), int(request.get("MaxResults") or 1000)
    document: Document = {"Tables": found[offset : offset + limit]}
    return document | ({"NextToken": str(offset + limit)} if offset + limit < len(found) else {})


ACTIONS: dict[str, Callable[[Document], Any]] = {
    "ExecuteStatement": execute_statement,
    "BatchExecuteStatement": batch_execute_statement,
    "DescribeStatement": describe_statement,
    "GetStatementResult": get_statement_result,
    "CancelStatement": cancel_statement,
    "ListStatements": list_statements,
    "ListTables": list_tables,
}


def _arn_of_request(action: str, request: Document, region: str, account: str) -> str:
    """Actions on a statement name no workgroup: a policy limits them by statement owner, on every resource."""
    group = inventory.workgroup(request.get("WorkgroupName") or "")
    return group.arn if group and action != "ListStatements" else "*"


SERVICE = {
    "name": "redshift-data",
    "module": "redshift_data",
    "credential_scope": "redshift-data",
    "target_prefix": "RedshiftData.",
    "iam_namespace": "redshift-data",
    "resource_arn": _arn_of_request,
}


def reset() -> None:
    global _statements  # noqa: PLW0603
    _statements = None


def get_state() -> Document:
    return {"statements": statements().state()}


def load_persisted_state(data: Document) -> None:
    reset()
    if data:
        statements().restore(data.get("statements", []))
