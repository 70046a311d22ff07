"""Venue analyses to show, as the nightly run published them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.published import PublishedStore, SubjectStore
from ml.venues.errors import UnknownVenueError

PUBLISHED_FOLDER = "VENUE_ANALYSES_FOLDER"


class PublicationError(ValueError):
    """Published analyses that cannot be read; the message names the place, the reason and what to do."""


@dataclass(frozen=True)
class InMemoryStore:
    analyses: dict[str, dict[str, Any]]

    def find(self, venue_id: str) -> dict[str, Any] | None:
        return self.analyses.get(venue_id)


def published_analyses(table: str, client: Any = None) -> PublishedStore:
    """Analyses of the publication that is current at the first read."""
    return PublishedStore(table, "venues", "venue", client)


def read_files(folder: Path) -> InMemoryStore:
    """The folder that predict.py writes.

    :raises PublicationError: when it is missing or damaged
    """
    try:
        with (folder / "analyses" / "analyses.json").open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        return InMemoryStore(
            {
                row["venue_id"]: json.loads(row["analysis"])
                | {"as_of": row["as_of"], "model_version": row["model_version"]}
                for row in rows
            }
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise PublicationError(f"{folder} holds no usable analyses ({error}): publish them again") from error


class VenuePopularityService:
    """
    :param store: without one, the files in the folder that VENUE_ANALYSES_FOLDER names
    """

    def __init__(self, store: SubjectStore | None = None) -> None:
        if store is None:
            folder = os.environ.get(PUBLISHED_FOLDER)
            if not folder:
                raise PublicationError(f"{PUBLISHED_FOLDER} is not set: name the folder of published analyses")
            store = read_files(Path(folder))
        self._store = store

    def analyze_venue(self, venue_id: str) -> dict[str, Any]:
        """Attendance rate, capacity utilisation, revenue trend, seasonality, rank among peers, and what they rest on.

        :raises UnknownVenueError: when the venue has no report
        """
        found = self._store.find(venue_id)
        if found is None:
            raise UnknownVenueError(f"venue {venue_id} has no box-office report: ask for one that has")
        return dict(found)
