"""Take an environment down, in the reverse order of its deployment, and say by name what outlived it.

Networking and orchestration stay: Airflow, which runs the teardown, needs both. What a template retains outlives its
stack; it is deleted only on request, and otherwise imported by the next deployment (retained.py). Every step looks at
what is there now, so a run that was killed is simply run again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any

from concert_platform.cloudformation.documents import parse_document
from concert_platform.cloudformation.errors import CloudFormationError, StackFailedError, one_line
from concert_platform.cloudformation.report_files import LONGEST_CELL
from concert_platform.cloudformation.retained import Retained, find_retained
from concert_platform.cloudformation.review import STATEFUL_TYPES
from concert_platform.cloudformation.stacks import MISSING, Stack, service_role
from concert_platform.cloudformation.stateful import KINDS, RETAINING, Clients, clients_of
from concert_platform.cloudformation.tables import table
from concert_platform.cloudformation.templates import environment_file, load_template
from concert_platform.settings import STACKS, Settings

logger = logging.getLogger(__name__)

PROTECTED = "production"
STAYING = ("networking", "orchestration")
TORN_DOWN = tuple(name for name in reversed(STACKS) if name not in STAYING)
SKIPPED = "DELETE_SKIPPED"
KEPT = "kept"
LOST = "lost"
GONE = ("DELETE_COMPLETE", SKIPPED)  # statuses of a resource that its stack no longer holds
COLUMNS = {
    "stack": "STACK", "logical_id": "LOGICAL ID", "type": "TYPE", "name": "NAME", "outcome": "OUTCOME", "note": "NOTE",
}  # fmt: skip
Rows = list[dict[str, str]]


class TeardownRefusedError(CloudFormationError):
    """Nothing was touched: the environment is protected, or its name was not confirmed."""


class Teardown:
    """The teardown of one environment, as one run does it.

    :param confirm: must be the environment's name, typed by whoever asks for the teardown
    :param run: names the run: two tries of one run are the same request to CloudFormation
    :raises TeardownRefusedError: for production always, and without the confirmation
    """

    def __init__(self, settings: Settings, *, confirm: str, run: str) -> None:
        if settings.environment == PROTECTED:
            raise TeardownRefusedError(f"{PROTECTED} is never torn down by a DAG: delete its stacks by hand")
        if confirm != settings.environment:
            raise TeardownRefusedError(
                f"confirm is {confirm!r}: give the name of the environment, {settings.environment}, to tear it down"
            )
        self.settings = settings
        self.run = run

    @cached_property
    def clients(self) -> Clients:
        return clients_of(self.settings)

    def stack(self, name: str) -> Stack:
        full_name = self.settings.stack(name)
        return Stack(self.clients("cloudformation"), full_name, service_role(self.settings, full_name))

    def start(self, name: str) -> str | None:
        """Ask for the deletion of an idle stack; returns its id, or None when it is gone already.

        Waiting for the end takes the id: a deleted stack has no name.
        """
        stack = self.stack(name)
        if stack.status() == MISSING:
            return None
        # The last event tells a retry of this request from a new one after a failed deletion.
        return stack.start_deletion(sha256(f"{self.run}:{stack.newest_event()}".encode()).hexdigest()[:32]) or None

    def finish(self, name: str, stack_id: str | None) -> list[Retained]:
        """What a deleted stack has left.

        :raises StackFailedError: with the resource that could not be deleted
        """
        skipped: list[Retained] = []
        if stack_id is not None:
            gone = Stack(self.clients("cloudformation"), stack_id)
            if (status := gone.status()) not in (MISSING, "DELETE_COMPLETE"):
                raise StackFailedError(f"stack {self.settings.stack(name)} is {status}: {gone.first_failure()}")
            skipped = [_from_event(self.settings.stack(name), event) for event in _skips(gone)]
        found = self.retained(name)
        known = {item.logical_id for item in found}
        return [*found, *(item for item in skipped if item.logical_id not in known)]

    def retained(self, name: str) -> list[Retained]:
        """Which resources that the template of a stack retains exist now."""
        return find_retained(self.clients, self.settings, load_template(name), self._parameters(name))

    def delete_retained(self) -> list[str]:
        """Delete all that outlived the stacks, with what is in it; returns what could not be deleted, and why.

        Keys come last. One failure does not keep the others. What is not clearly the platform's is left alone.

        :raises CloudFormationError: while a stack is there, whose resources these may be
        """
        if standing := self.standing():
            raise CloudFormationError(f"nothing is deleted before its stack: {', '.join(standing)} must go first")
        found = [item for name in TORN_DOWN for item in self.retained(name)]
        failures = []
        for item in sorted(found, key=lambda item: KINDS[item.type].rank):
            if item.obstacle:
                failures.append(f"{item} {item.obstacle}")
                continue
            logger.info("%s: deleting %s with all that is in it", item.stack, item)
            try:
                KINDS[item.type].delete(self.clients, item.identifier)
            except Exception as error:
                logger.exception("%s was not deleted", item)
                failures.append(f"{item}: {one_line(error)}")
        return failures

    def losses(self) -> Rows:
        """What would go with the stacks that stand although it holds something: nobody retains it."""
        return [row for name in TORN_DOWN for row in self._losses(name)]

    def rows(self, left: Sequence[Retained], losses: Sequence[Mapping[str, str]] = ()) -> Rows:
        """The report: what the stacks left and what has become of it, and what was lost with them.

        :param left: results of finish(), of this try and earlier ones
        :param losses: result of losses() before the first deletion
        """
        gone_stacks = [name for name in TORN_DOWN if self.stack(name).status() == MISSING]
        now = {(item.stack, item.logical_id): item for name in gone_stacks for item in self.retained(name)}
        gone = {(item.stack, item.logical_id): item for item in left} | now
        still = {(row["stack"], row["logical_id"]) for row in self.losses()} | set(gone)
        lost = [dict(row) for row in losses if (row["stack"], row["logical_id"]) not in still]
        return [*(_row(item, KEPT if place in now or item.type not in KINDS else KINDS[item.type].end)
                  for place, item in sorted(gone.items())), *lost]  # fmt: skip

    def standing(self) -> list[str]:
        """Full names of the stacks that are still there."""
        names = [self.stack(name).name for name in TORN_DOWN]
        return [name for name in names if Stack(self.clients("cloudformation"), name).status() != MISSING]

    def _losses(self, name: str) -> Iterator[dict[str, str]]:
        stack = self.stack(name)
        if stack.status() == MISSING:
            return
        written = parse_document(load_template(name).body)["Resources"]
        for item in stack.resources():
            kind, logical_id = item["ResourceType"], item["LogicalResourceId"]
            retained = written.get(logical_id, {}).get("DeletionPolicy") in RETAINING
            if kind in STATEFUL_TYPES and not retained and item["ResourceStatus"] not in GONE:
                yield {
                    "stack": stack.name, "logical_id": logical_id, "type": kind, "outcome": LOST,
                    "name": item.get("PhysicalResourceId", "-"), "note": "; ".join(filter(None, STATEFUL_TYPES[kind])),
                }  # fmt: skip

    def _parameters(self, name: str) -> dict[str, str]:
        given = environment_file(self.settings.environment)["stacks"].get(name, {})
        return {"Environment": self.settings.environment, **given}


def readable(rows: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(table(rows, COLUMNS, LONGEST_CELL)) if rows else "nothing outlived its stack"


def report(rows: Sequence[Mapping[str, str]], *, environment: str, standing: Sequence[str]) -> dict[str, Any]:
    """The document that goes to S3: what outlived its stack or went with it, and which stacks could not be deleted."""
    return {
        "environment": environment,
        "kept": [dict(row) for row in rows if row["outcome"] == KEPT],
        "deleted": [dict(row) for row in rows if row["outcome"] not in (KEPT, LOST)],
        "lost": [dict(row) for row in rows if row["outcome"] == LOST],
        "stacks_left": list(standing),
    }


def _row(item: Retained, outcome: str) -> dict[str, str]:
    return {**item.to_dict(), "outcome": outcome, "note": item.obstacle if outcome == KEPT else ""}


def _skips(stack: Stack) -> Iterator[dict[str, Any]]:
    return (event for event in stack.last_operation() if event["ResourceStatus"] == SKIPPED)


def _from_event(stack: str, event: dict[str, Any]) -> Retained:
    name = event.get("PhysicalResourceId", "-")
    return Retained(stack, event["LogicalResourceId"], event["ResourceType"], name, name)
