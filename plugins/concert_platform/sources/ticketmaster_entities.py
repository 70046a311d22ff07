"""Attractions (artists) and venues of the Ticketmaster Discovery API: those that events name, and those watched.

The whole listing of the API has 170,000 attractions and serves 1,000 of them, so records are asked for by id, many ids
a request. One that the listing does not find under its id, as when the API has merged it into another, is asked for
alone; so are all if the API should not heed several ids.
Each is read again in a month in which events name it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched, chain
from typing import Any
from urllib.parse import quote

from concert_platform.sources.client import SourceClient
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.each import deliver_each
from concert_platform.sources.errors import RefusedRequestError, UnavailableError
from concert_platform.sources.responses import Listing, Reference
from concert_platform.sources.run import IngestRun
from concert_platform.sources.ticketmaster import SOURCE, api_client
from concert_platform.sources.watch_list import WatchList, read_watch_list

log = logging.getLogger(__name__)

IDS_PER_REQUEST = 50  # keeps the address below 2,000 characters


@dataclass(frozen=True)
class Kind:
    """What one entity is called: by the platform, in the state table, in the API's paths and pages."""

    entity: str
    name: str
    plural: str


ATTRACTION = Kind("artist", "attraction", "attractions")
VENUE = Kind("venue", "venue", "venues")


def ingest_attractions(run: IngestRun) -> dict[str, Any]:
    """Deliver the attractions that are due, as the entity `artist`."""
    watch = read_watch_list()
    return _ingest(run, ATTRACTION, watch, [entry.ticketmaster_id for entry in watch.artists])


def ingest_venues(run: IngestRun) -> dict[str, Any]:
    """Deliver the venues that are due."""
    watch = read_watch_list()
    return _ingest(run, VENUE, watch, [entry.ticketmaster_id for entry in watch.venues])


def _ingest(run: IngestRun, kind: Kind, watch: WatchList, watched: Sequence[str | None]) -> dict[str, Any]:
    delivery = Delivery(run, SOURCE, kind.entity)
    due = due_records(delivery, kind, {identifier: run.dt[:7] for identifier in watched if identifier})
    if due:
        reader = EntityReader(delivery, kind, api_client())
        batches = ({identifier: due[identifier] for identifier in ids} for ids in batched(sorted(due), IDS_PER_REQUEST))
        deliver_each(delivery, chain.from_iterable(map(reader.deliver, batches)), reader.deliver_alone)
    counts = delivery.commit()
    watch.require_usable()
    return counts


def due_records(delivery: Delivery, kind: Kind, watched: dict[str, str]) -> dict[str, str]:
    """Month in which each record was last named, where that is not the month in which it was last read."""
    named = {**watched, **delivery.items(f"seen#{kind.name}#")}
    read = delivery.items(f"{kind.name}#")
    return {identifier: month for identifier, month in named.items() if read.get(identifier) != month}


class EntityReader:
    """Delivers records of one kind by id."""

    def __init__(self, delivery: Delivery, kind: Kind, client: SourceClient) -> None:
        self._delivery, self._kind, self._client = delivery, kind, client

    def deliver(self, due: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Deliver one batch of records.

        :param due: month by id
        :return: id and month of those that have to be asked for alone: all when one of them fails the request
        """
        try:
            found = self._deliver_batch(due)
        except (RefusedRequestError, UnavailableError) as error:
            log.warning("%s; each of these %d is asked for alone", error, len(due))
            found = set()
        for identifier in found:
            self._note(identifier, due[identifier])
        yield from ((identifier, due[identifier]) for identifier in sorted(due.keys() - found))

    def _deliver_batch(self, due: dict[str, str]) -> set[str]:
        """Ask for records in one request; those of the ids that it has delivered."""
        kind = self._kind
        query = {"id": ",".join(due), "size": str(len(due))}
        path = f"/discovery/v2/{kind.plural}.json"
        answer = self._client.get(path, query, what=f"{kind.plural} {min(due)}...", model=Listing)
        records = getattr(answer.body.embedded, kind.plural)
        # A merged record comes under an id that nobody asked for, and is delivered with the others.
        found = due.keys() & {record.id for record in Reference.each(records)}
        # An API that did not heed the ids would list more records than were asked for.
        if not found or answer.body.page.total_elements > len(due):
            return set()
        digest = hashlib.sha256(answer.content).hexdigest()
        self._delivery.add_answer(
            f"{kind.plural}-{digest[:12]}.json", answer, item=f"batch#{kind.name}#{digest[:32]}", version=digest,
            records=len(records), records_path=f"_embedded.{kind.plural}",
        )  # fmt: skip
        return found

    def _note(self, identifier: str, month: str) -> None:
        """Also what the API does not know: it is asked for again when an event of another month names it."""
        self._delivery.note(f"{self._kind.name}#{identifier}", month)

    def deliver_alone(self, record: tuple[str, str]) -> None:
        """Deliver a record.

        :param record: id and month
        """
        (identifier, month), kind = record, self._kind
        path = f"/discovery/v2/{kind.plural}/{quote(identifier, safe='')}.json"
        answer = self._client.get(path, what=f"{kind.name} {identifier}", model=Reference, accept=(404,))
        if answer.status == 200:
            digest = hashlib.sha256(answer.content).hexdigest()
            self._delivery.add_answer(
                f"{kind.name}-{identifier}-{digest[:12]}.json", answer, item=f"detail#{kind.name}#{identifier}",
                version=digest, records=1, records_path="",
            )  # fmt: skip
        self._note(identifier, month)
