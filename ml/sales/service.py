"""Ticket-sales forecasts as the API and the chatbot ask for them: what the nightly run has published, by concert.

    TicketSalesPredictionService(scores).predict_sales(concert_id) -> SalesForecast

published_forecasts reads them where the nightly run publishes them; MemoryStore holds them in the process, read from
the file that scoring has written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.published import PublishedStore, SubjectStore


class UnknownConcertError(LookupError):
    """No forecast is published for a concert."""


class UnreadableForecastError(ValueError):
    """A published forecast lacks what a forecast has, or is damaged."""


@dataclass(frozen=True)
class Driver:
    """A feature of the model and by how much of capacity it moves the forecast (SHAP value)."""

    feature: str
    value: float | None
    effect: float


@dataclass(frozen=True)
class SalesForecast:
    """What will sell.

    :param expected_tickets: estimate of the mean
    :param lower_tickets: with upper_tickets, bounds that hold 80 % of outcomes
    :param utilisation: expected_tickets / capacity
    :param lower_revenue: lower_tickets at the low price; None where no price is announced or known of the past
    :param currency: of the revenue; None where no report or event tells one
    :param basis: closest history behind it: own history, venue, city or market
    """

    concert_id: str
    expected_tickets: int
    lower_tickets: int
    upper_tickets: int
    capacity: int
    utilisation: float
    lower_revenue: float | None
    upper_revenue: float | None
    currency: str | None
    drivers: tuple[Driver, ...]
    basis: str
    capacity_basis: str
    model_version: str
    as_of: str


class MemoryStore:
    """Published forecasts held in memory; of two of one concert the later `as_of` is served."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        ordered = sorted(rows, key=lambda row: str(row.get("as_of", "")))
        self._rows = {str(row["concert_id"]): row for row in ordered}

    @classmethod
    def read(cls, path: Path) -> MemoryStore:
        """Forecasts of a JSON lines file such as scoring writes (service/forecasts.json).

        :raises UnreadableForecastError: when the file is damaged
        """
        try:
            return cls(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise UnreadableForecastError(f"{path} holds no readable forecasts ({error}): score again") from error

    def find(self, concert_id: str) -> Mapping[str, Any] | None:
        return self._rows.get(concert_id)


def published_forecasts(table: str, client: Any = None) -> PublishedStore:
    """Forecasts of the publication that is current at the first read (rows of ml.sales.predict.published)."""
    return PublishedStore(table, "sales", "concert", client)


class TicketSalesPredictionService:
    """Serves published forecasts.

    :param store: where they are read from
    """

    def __init__(self, store: SubjectStore) -> None:
        self._store = store

    def predict_sales(self, concert_id: str) -> SalesForecast:
        """The forecast of a concert.

        :raises UnknownConcertError: when none is published
        :raises UnreadableForecastError: when the published one is damaged
        """
        row = self._store.find(concert_id)
        if row is None:
            raise UnknownConcertError(
                f"no sales forecast of concert {concert_id!r}: unknown, over, or listed after the last retrain_models"
            )
        try:
            return _forecast(row)
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableForecastError(
                f"the forecast of concert {concert_id!r} is damaged ({error!r}): score again"
            ) from error


def _forecast(row: Mapping[str, Any]) -> SalesForecast:
    lower, upper = int(row["lower_tickets"]), int(row["upper_tickets"])
    prices = [None if row.get(name) is None else float(row[name]) for name in ("price_low", "price_high")]
    return SalesForecast(
        concert_id=str(row["concert_id"]),
        expected_tickets=int(row["expected_tickets"]),
        lower_tickets=lower,
        upper_tickets=upper,
        capacity=int(row["capacity"]),
        utilisation=float(row["utilisation"]),
        lower_revenue=None if prices[0] is None else round(lower * prices[0], 2),
        upper_revenue=None if prices[1] is None else round(upper * prices[1], 2),
        currency=None if row.get("currency") is None else str(row["currency"]),
        drivers=tuple(Driver(**driver) for driver in row.get("drivers", ())),
        basis=str(row["basis"]),
        capacity_basis=str(row["capacity_basis"]),
        model_version=str(row["model_version"]),
        as_of=str(row["as_of"]),
    )
