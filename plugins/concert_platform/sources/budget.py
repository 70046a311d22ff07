"""How many requests of a source the platform allows itself a day, counted in the ingest state table.

Every attempt counts, as it does at the API; runs side by side share the day's number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from concert_platform.settings import settings, source_budget_variable
from concert_platform.sources.errors import BudgetSpentError
from concert_platform.sources.state import expiry

BUDGET = "_budget"  # hash key; range key: <source>#<day>
KEPT = timedelta(days=35)


class Budget(Protocol):
    def spend(self) -> None:
        """Count one request.

        :raises BudgetSpentError: when there is none left
        """


class DailyBudget:
    """Requests of one source on one UTC day.

    :param limit: most requests a day; default that of the settings
    """

    def __init__(
        self,
        source: str,
        *,
        limit: int | None = None,
        table: Any = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if table is None:
            import boto3

            table = boto3.resource("dynamodb").Table(settings().ingest_state_table)
        self._source, self._table, self._now = source, table, now
        self._limit = settings().daily_requests(source) if limit is None else limit

    def spend(self) -> None:
        day = self._now().date().isoformat()
        try:
            self._table.update_item(
                Key={"source": BUDGET, "item": f"{self._source}#{day}"},
                UpdateExpression="ADD requests :one SET expires_at = :expires",
                ConditionExpression="attribute_not_exists(requests) OR requests < :most",
                ExpressionAttributeValues={":one": 1, ":most": self._limit, ":expires": expiry(day, KEPT)},
            )
        except self._table.meta.client.exceptions.ConditionalCheckFailedException:
            spent = BudgetSpentError(
                f"the {self._limit:,} requests of {self._source} that {day} allows are made: the next run after "
                f"midnight UTC goes on, or raise {source_budget_variable(self._source)}"
            )
        else:
            return
        raise spent
