"""The life of a Data API statement: accepted, run on a thread of its own, remembered for a day.

A statement that writes notes its id and client token in its own transaction, so that after a crash the truth is asked
from the database: what had committed is FINISHED, what had not is ABORTED, and nothing is done twice for one token.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from local.engines.redshift import StatementError
from local.engines.redshift.rewriter import Rewritten
from local.engines.redshift.warehouse import (
    AlreadyCommittedError,
    OpenStorage,
    Outcome,
    Session,
    Warehouse,
    save_result,
    writes,
)

WORKERS = 8
MOST_ACTIVE = 500
KEEP_SECONDS = 24 * 3600
MOST_KEPT = 2000  # statements; all of them are saved every few seconds
ACTIVE = frozenset({"SUBMITTED", "PICKED", "STARTED"})
INTERRUPTED = (
    "ERROR: the local AWS was stopped while the statement ran, and its transaction was rolled back: run it again"
)


class TooManyStatementsError(Exception):
    """As many statements as Redshift allows are under way."""


@dataclass
class Part:
    """One SQL statement of a request; a batch has several. Times are seconds since 1970, durations nanoseconds."""

    id: str
    query: str
    status: str = "SUBMITTED"
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    duration: int = -1
    error: str = ""
    has_result: bool = False
    rows: int = -1
    size: int = -1

    def move(self, status: str, error: str = "") -> None:
        self.status, self.error, self.updated_at = status, error or self.error, time.time()


@dataclass
class Statement:
    """A request of ExecuteStatement (one part of the same id) or BatchExecuteStatement."""

    id: str
    database: str
    workgroup: str
    parts: list[Part]
    is_batch: bool = False
    client_token: str | None = None
    name: str = ""
    secret_arn: str = ""
    parameters: list[dict[str, str]] = field(default_factory=list)
    status: str = "SUBMITTED"
    error: str = ""
    pid: int = 0
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)

    def move(self, status: str, error: str = "") -> None:
        self.error, self.updated_at = error or self.error, time.time()
        self.status = status  # last: whoever polls for an end finds everything else in place

    @property
    def label(self) -> str:
        return f"data-api {self.id}"


class Statements:
    """:param results: folder of the result sets"""

    def __init__(self, warehouse: Warehouse, results: Path) -> None:
        self._warehouse = warehouse
        self._results = results
        self._all: dict[str, Statement] = {}
        self._tokens: dict[str, str] = {}
        self._sessions: dict[str, Session] = {}
        self._lock = threading.RLock()
        # The state is saved by a forked child, which has no thread that would let go of the lock.
        os.register_at_fork(
            before=self._lock.acquire, after_in_parent=self._lock.release, after_in_child=self._lock.release
        )
        self._slots = threading.BoundedSemaphore(WORKERS)

    def get(self, statement_id: str) -> Statement | None:
        return self._all.get(statement_id.partition(":")[0])

    def of_token(self, client_token: str | None) -> Statement | None:
        return self._all.get(self._tokens.get(client_token or "", ""))

    def newest_first(self) -> list[Statement]:
        with self._lock:
            return sorted(self._all.values(), key=lambda statement: statement.created_at, reverse=True)

    def result_path(self, part: Part) -> Path:
        return self._results / f"{part.id.replace(':', '-')}.jsonl"

    def submit(
        self, queries: Sequence[str], rewritten: Sequence[Rewritten], open_storage: OpenStorage,
        *, is_batch: bool = False, parameters: Mapping[str, str] | None = None, **fields: Any,
    ) -> Statement:  # fmt: skip
        """:raises TooManyStatementsError: when 500 are under way"""
        statement_id = str(uuid.uuid4())
        ids = [f"{statement_id}:{number}" for number in range(1, len(queries) + 1)] if is_batch else [statement_id]
        bound = dict(parameters or {})
        statement = Statement(
            id=statement_id, is_batch=is_batch,
            parts=[Part(part_id, query) for part_id, query in zip(ids, queries, strict=True)],
            parameters=[{"name": name, "value": value} for name, value in bound.items()], **fields,
        )  # fmt: skip
        with self._lock:
            self._forget_old()
            if sum(known.status in ACTIVE for known in self._all.values()) >= MOST_ACTIVE:
                raise TooManyStatementsError
            self._all[statement_id] = statement
            if statement.client_token:
                self._tokens[statement.client_token] = statement_id
        self._start(self._work, statement, list(rewritten), bound, open_storage)
        return statement

    def _forget_old(self) -> None:
        limit, surplus = time.time() - KEEP_SECONDS, len(self._all) - MOST_KEPT
        for place, old in enumerate(list(self._all.values())):
            if old.status in ACTIVE or (old.created_at >= limit and place >= surplus):
                continue
            del self._all[old.id]
            self._tokens.pop(old.client_token or "", None)
            for part in old.parts:
                self.result_path(part).unlink(missing_ok=True)

    @staticmethod
    def _start(target: Callable[..., None], *arguments: Any) -> None:
        # A daemon: a long query must not keep the emulator from stopping; PostgreSQL then rolls it back.
        threading.Thread(target=target, args=arguments, name="redshift-data", daemon=True).start()

    # ------------------------------------------------------------ a statement's thread

    def _work(
        self, statement: Statement, rewritten: list[Rewritten], bound: Mapping[str, str], open_storage: OpenStorage
    ) -> None:
        with self._slots:
            if not self._pick(statement):
                return
            try:
                session = self._warehouse.session(statement.database, statement.label)
            except StatementError as error:
                self._end(statement, "FAILED", str(error))
                return
            statement.pid = session.pid
            with self._lock:
                self._sessions[statement.id] = session
            try:
                self._transaction(statement, session, rewritten, bound, open_storage)
            except AlreadyCommittedError:
                self._end(statement, "FINISHED")
            except StatementError as error:
                self._end(statement, "ABORTED" if session.cancelled else "FAILED", str(error))
            except Exception as error:  # noqa: BLE001 - a statement must end, whatever its thread meets
                self._end(statement, "FAILED", f"ERROR: internal error of the local warehouse: {error!r}")
            finally:
                with self._lock:
                    self._sessions.pop(statement.id, None)
                session.close()

    def _pick(self, statement: Statement) -> bool:
        with self._lock:
            if statement.status != "SUBMITTED":
                return False
            statement.move("PICKED")
            return True

    def _transaction(
        self, statement: Statement, session: Session, rewritten: list[Rewritten], bound: Mapping[str, str],
        open_storage: OpenStorage,
    ) -> None:  # fmt: skip
        statement.move("STARTED")
        if writes(rewritten):
            session.refuse_repeated(statement.client_token)
        for number, (part, one) in enumerate(zip(statement.parts, rewritten, strict=True), start=1):
            begun = time.perf_counter_ns()
            part.move("STARTED")
            try:
                outcome = session.run(one, bound, open_storage)
            except StatementError as error:
                part.duration = time.perf_counter_ns() - begun
                part.move("ABORTED" if session.cancelled else "FAILED", str(error))
                if statement.is_batch:
                    raise StatementError(f"Query #{number} failed with {error}") from error
                raise
            part.duration = time.perf_counter_ns() - begun
            self._keep(part, outcome)
            if statement.is_batch:
                part.move("FINISHED")
        if writes(rewritten):
            session.log(statement.id, statement.client_token)
        session.commit()
        self._end(statement, "FINISHED")

    def _keep(self, part: Part, outcome: Outcome) -> None:
        part.rows, part.size, part.has_result = outcome.rows, outcome.size, outcome.columns is not None
        if part.has_result:
            save_result(self.result_path(part), outcome)

    @staticmethod
    def _end(statement: Statement, status: str, error: str = "") -> None:
        for part in statement.parts:
            if part.status in ACTIVE:
                part.move(status if status == "FINISHED" or not statement.is_batch else "ABORTED",
                          "" if statement.is_batch else error)  # fmt: skip
        statement.move(status, error)

    def cancel(self, statement: Statement) -> bool:
        """Whether the statement was still under way; it ends as ABORTED a moment later."""
        with self._lock:
            if statement.status == "SUBMITTED":
                self._end(statement, "ABORTED", "ERROR: Query cancelled on user's request")
                return True
            session = self._sessions.get(statement.id)
        if session is None or statement.status not in ACTIVE:
            return False
        session.cancel()
        return session.cancelled

    # ------------------------------------------------------------ over a restart

    def state(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(statement) for statement in self._all.values()]

    def restore(self, state: list[dict[str, Any]]) -> None:
        for document in state:
            parts = [Part(**part) for part in document.pop("parts")]
            statement = Statement(parts=parts, **document)
            self._all[statement.id] = statement
            if statement.client_token:
                self._tokens[statement.client_token] = statement.id
            if statement.status in ACTIVE:
                self._start(self._settle, statement)

    def _settle(self, statement: Statement) -> None:
        try:
            committed = self._warehouse.has_committed(statement.database, statement.id, statement.label)
        except StatementError:
            committed = False
        if committed:
            self._end(statement, "FINISHED")
        else:
            self._end(statement, "ABORTED", INTERRUPTED)
