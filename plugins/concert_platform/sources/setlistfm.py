"""Artists, setlists and venues of setlist.fm: those of the watch list's MusicBrainz ids.

Two requests a second and 1,440 a day are granted, so nothing is asked for twice:

- an artist's setlists are read from the newest on, PAGES_PER_RUN pages a run until all are there (`history#<mbid>` says
  how far); from then on the search by `lastUpdated` gives what was added or edited since the watermark, however old
- an artist is read once a month, a venue once a year, VENUES_PER_RUN a run: each setlist holds both anyway
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.budget import Budget
from concert_platform.sources.client import Answer, Api, SourceClient
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.each import deliver_each
from concert_platform.sources.errors import ListingError
from concert_platform.sources.keys import ApiKey, source_keys
from concert_platform.sources.responses import Setlist, SetlistfmArtist, SetlistfmVenue, SetlistPage
from concert_platform.sources.run import IngestRun
from concert_platform.sources.watch_list import WatchList, read_watch_list

SOURCE = "setlistfm"
API = Api(SOURCE, "setlist.fm", interval=0.55)  # the documented 2 requests a second, with a margin
PAGES_PER_RUN = 5  # of one artist's history
VENUES_PER_RUN = 25
COMPLETE = "complete"
MARGIN = timedelta(hours=1)  # before the watermark


def ingest_artists(run: IngestRun) -> dict[str, Any]:
    """Deliver the watched artists, each once a month."""
    delivery, watch = Delivery(run, SOURCE, "artist"), read_watch_list()
    due = [mbid for mbid in watched(watch) if delivery.known(f"artist#{mbid}") != run.dt[:7]]

    def deliver(client: SourceClient, mbid: str) -> None:
        path, what = f"/rest/1.0/artist/{mbid}", f"artist {mbid}"
        answer = client.get(path, what=what, model=SetlistfmArtist, accept=(404,))
        if answer.status == 200:
            delivery.add_answer(
                f"artist-{mbid}-{_digest(answer)[:12]}.json", answer, item=f"artist#{mbid}", version=run.dt[:7],
                records=1, records_path="",
            )  # fmt: skip
        else:
            delivery.note(f"artist#{mbid}", run.dt[:7])  # setlist.fm does not know everybody

    return _deliver_each(delivery, due, deliver, watch)


def ingest_setlists(run: IngestRun) -> dict[str, Any]:
    """Deliver what was added to or edited of the watched artists' setlists."""
    delivery, watch = Delivery(run, SOURCE, "setlist"), read_watch_list()

    def deliver(client: SourceClient, mbid: str) -> None:
        SetlistReader(delivery, client, year=run.dt[:4]).deliver(mbid)

    return _deliver_each(delivery, watched(watch), deliver, watch)


def ingest_venues(run: IngestRun) -> dict[str, Any]:
    """Deliver venues that setlists name, some a run: others each time, so that one that the API refuses blocks none."""
    delivery, watch = Delivery(run, SOURCE, "venue"), read_watch_list()
    named = {venue.setlistfm_id: run.dt[:4] for venue in watch.venues if venue.setlistfm_id}
    named |= delivery.items("seen#venue#")
    read = delivery.items("venue#")
    due = sorted(
        (identifier for identifier, year in named.items() if read.get(identifier) != year),
        key=lambda identifier: hashlib.sha256(f"{run.run_id}#{identifier}".encode()).digest(),
    )

    def deliver(client: SourceClient, identifier: str) -> None:
        path, what = f"/rest/1.0/venue/{identifier}", f"venue {identifier}"
        answer = client.get(path, what=what, model=SetlistfmVenue, accept=(404,))
        item, version = f"venue#{identifier}", named[identifier]
        if answer.status == 200:
            name = f"venue-{identifier}-{_digest(answer)[:12]}.json"
            delivery.add_answer(name, answer, item=item, version=version, records=1, records_path="")
        else:
            delivery.note(item, version)

    return {**_deliver_each(delivery, due[:VENUES_PER_RUN], deliver, watch), "left": len(due[VENUES_PER_RUN:])}


def watched(watch: WatchList) -> list[str]:
    """MusicBrainz ids to follow."""
    return [artist.musicbrainz_id for artist in watch.artists if artist.musicbrainz_id]


def api_client(*, budget: Budget | None = None, sleep: Callable[[float], None] = time.sleep) -> SourceClient:
    """Client with the key of Secrets Manager.

    :raises SourceKeyError: when there is none
    """
    (key,) = source_keys(SOURCE, "api_key")
    credentials = ApiKey(key, header="x-api-key")
    return SourceClient(API, settings().source_url(SOURCE), credentials, budget=budget, sleep=sleep)


def _deliver_each(
    delivery: Delivery, identifiers: Iterable[str], deliver: Callable[[SourceClient, str], None], watch: WatchList
) -> dict[str, Any]:
    """Deliver one after the other and commit; without any, no key is needed."""
    if due := list(identifiers):
        deliver_each(delivery, due, partial(deliver, api_client()))
    counts = delivery.commit()
    watch.require_usable()
    return counts


class SetlistReader:
    """Delivers the setlists of artists.

    :param year: version of the venues that the setlists name
    """

    def __init__(self, delivery: Delivery, client: SourceClient, *, year: str) -> None:
        self._delivery, self._client, self._year = delivery, client, year

    def deliver(self, mbid: str) -> None:
        watermark, history = self._delivery.known(f"watermark#{mbid}"), self._delivery.known(f"history#{mbid}")
        if watermark:
            self._read_changes(mbid, datetime.fromisoformat(watermark))
        if history == COMPLETE and not watermark:
            history = None
        if history != COMPLETE:
            # The last page again: what was taken away since has drawn the head of the next one into it.
            self._read_history(mbid, first=int(history or 1))

    def _read_history(self, mbid: str, first: int) -> None:
        """Deliver the next pages of all setlists, newest first; a setlist that comes in shifts them towards the end."""
        path, total, again = f"/rest/1.0/artist/{mbid}/setlists", 0, 0
        number, last = first, first + PAGES_PER_RUN - 1
        while number <= last:
            page = self._page(path, {"p": str(number)}, f"setlists of {mbid}, page {number}")
            if page is None and number == 1:
                return  # there is none yet: the next run asks again
            if page is None or page.body.total < total:
                # A setlist was taken away: what was the head of this page has moved to the one before.
                again += 1
                if again > 1:
                    raise ListingError(f"setlist.fm setlists of {mbid} kept shrinking while read: run the task again")
                total, number = page.body.total if page else 0, max(number - 1, 1)
                continue
            total = page.body.total
            self._add(page, f"page#{mbid}#{number:04d}", f"{mbid}-page-{number:04d}")
            newest = _newest([page])
            # The first page's, since a setlist may be edited while the others are read.
            if newest and number == 1 and not self._delivery.known(f"watermark#{mbid}"):
                self._delivery.note(f"watermark#{mbid}", newest.isoformat())
                self._delivery.note(f"changes#{mbid}#0001", _version(_updated_since(newest - MARGIN, page)))
            is_last = number * page.body.items_per_page >= total
            self._delivery.note(f"history#{mbid}", COMPLETE if is_last else str(number))
            if is_last:
                return
            number += 1

    def _read_changes(self, mbid: str, since: datetime) -> None:
        """Deliver the setlists that were added or edited since a moment.

        The watermark moves when all pages were read and none came in or went meanwhile. The search begins MARGIN before
        it, and the digest of its setlists says whether a page is new: an edit may become visible after a newer one.
        """
        query = {"artistMbid": mbid, "lastUpdated": f"{(since - MARGIN).astimezone(UTC):%Y%m%d%H%M%S}"}
        pages: list[Answer] = []
        while True:
            number = len(pages) + 1
            page = self._page("/rest/1.0/search/setlists", {**query, "p": str(number)}, f"changes of {mbid}")
            if page is None:
                break
            pages.append(page)
            version = _version(page.body.setlist)
            self._add(page, f"changes#{mbid}#{number:04d}", f"{mbid}-changes-{number:04d}", version)
            if number * page.body.items_per_page >= page.body.total:
                break
        newest = _newest(pages)
        if newest and {page.body.total for page in pages} == {sum(len(page.body.setlist) for page in pages)}:
            self._delivery.note(f"watermark#{mbid}", max(newest, since).isoformat())

    def _page(self, path: str, query: Mapping[str, str], what: str) -> Answer | None:
        answer = self._client.get(path, query, what=what, model=SetlistPage, accept=(404,))
        return answer if answer.status == 200 and answer.body.setlist else None

    def _add(self, page: Answer, item: str, name: str, version: str | None = None) -> None:
        digest = _digest(page)
        version = version or digest
        if self._delivery.is_new(item, version):
            self._delivery.add_answer(
                f"{name}-{digest[:12]}.json", page, item=item, version=version, records=len(page.body.setlist),
                records_path="setlist",
            )  # fmt: skip
        for setlist in Setlist.each(page.body.setlist):
            if setlist.venue.id:
                self._delivery.note(f"seen#venue#{setlist.venue.id}", self._year)


def _newest(pages: Iterable[Answer]) -> datetime | None:
    """Last update among setlists; one that lies ahead of now would hide those to come."""
    moments = [setlist.last_updated for page in pages for setlist in Setlist.each(page.body.setlist)]
    newest = max((moment for moment in moments if moment), default=None)
    return min(newest, datetime.now(UTC)) if newest else None


def _updated_since(since: datetime, page: Answer) -> list[Any]:
    """The setlists of a page that the search by lastUpdated, which counts whole seconds, would give."""
    start = since.replace(microsecond=0)
    each = ((record, next(Setlist.each([record]), None)) for record in page.body.setlist)
    return [record for record, known in each if known and known.last_updated and known.last_updated >= start]


def _version(setlists: Iterable[Any]) -> str:
    """The same for the same setlists, whichever request gave them in whichever order."""
    return hashlib.sha256("\n".join(sorted(json.dumps(one, sort_keys=True) for one in setlists)).encode()).hexdigest()


def _digest(answer: Answer) -> str:
    return hashlib.sha256(answer.content).hexdigest()
