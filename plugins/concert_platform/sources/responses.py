"""What the connectors read of the APIs' answers; fields that are not named here stay in the raw bytes and are ignored.

An envelope (pages, totals, of a single record the id) must fit, or the answer counts as broken. A record need not:
`each` leaves out one that the connector can do nothing with, and curation judges it from the raw bytes. So only what
the connectors use is named here: any other field would make an outage of a record that has it in another form.

    Ticketmaster  _embedded is absent from an empty page; venues, attractions, links may each be absent, or null
    Spotify       genres may be empty; popularity and followers are absent for new apps since February 2026
    setlist.fm    lastUpdated with a +0000 offset; venue, its id, tour and sets may be absent; no result is a 404
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

log = logging.getLogger(__name__)


class Document(BaseModel):
    """A JSON object with fields that nobody has told us about."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    @classmethod
    def each(cls, records: Iterable[Any]) -> Iterator[Self]:
        """Records that fit; the others are counted in the log."""
        misfits = 0
        for record in records:
            try:
                yield cls.model_validate(record)
            except ValidationError:
                misfits += 1
        if misfits:
            log.warning("%d records do not look like a %s: curation judges them", misfits, cls.__name__)


NullIsEmpty = BeforeValidator(lambda value: {} if value is None else value)  # as where the API leaves the part out
Records = Annotated[list[Any], BeforeValidator(lambda value: [] if value is None else value)]


# ---------------------------------------------------------------- Ticketmaster Discovery v2
class PageNumbers(Document):
    total_elements: int = Field(alias="totalElements")
    total_pages: int = Field(alias="totalPages")


class EmbeddedRecords(Document):
    events: Records = []
    attractions: Records = []
    venues: Records = []


class Listing(Document):
    """A page of events, attractions or venues."""

    page: PageNumbers
    embedded: Annotated[EmbeddedRecords, NullIsEmpty] = Field(default_factory=EmbeddedRecords, alias="_embedded")


class Reference(Document):
    """A record of which only the id matters here."""

    id: str


class EventParts(Document):
    venues: Records = []
    attractions: Records = []


class Event(Document):
    id: str
    embedded: Annotated[EventParts, NullIsEmpty] = Field(default_factory=EventParts, alias="_embedded")


# ---------------------------------------------------------------- Spotify
class Token(Document):
    access_token: str
    expires_in: float = 3600.0


class SpotifyArtist(Document):
    id: str


class SpotifyArtistPage(Document):
    items: Records = []


class SpotifySearch(Document):
    artists: SpotifyArtistPage


# ---------------------------------------------------------------- setlist.fm
class SetlistfmArtist(Document):
    mbid: str


class SetlistfmVenue(Document):
    id: str | None = None


class Setlist(Document):
    id: str
    last_updated: AwareDatetime | None = Field(default=None, alias="lastUpdated")
    venue: Annotated[SetlistfmVenue, NullIsEmpty] = Field(default_factory=SetlistfmVenue)


class SetlistPage(Document):
    setlist: list[Any]
    total: int
    page: int
    items_per_page: int = Field(alias="itemsPerPage", ge=1)
