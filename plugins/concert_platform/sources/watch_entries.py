"""What an entry of a watch list may hold; without Airflow, so that whoever writes a list can judge its entries."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

NAME = r"^[^\x00-\x1f]+$"  # in one line, since messages quote it


class Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)


class WatchDocument(Entry):
    """A whole list, whose entries are judged one by one."""

    artists: list[Any] = []
    venues: list[Any] = []


class WatchedArtist(Entry):
    name: str = Field(pattern=NAME, max_length=500)
    musicbrainz_id: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    spotify_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]{22}$")
    ticketmaster_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z_-]+$")


class WatchedVenue(Entry):
    name: str = Field(pattern=NAME, max_length=500)
    ticketmaster_id: str | None = Field(default=None, pattern=r"^[0-9A-Za-z_-]+$")
    setlistfm_id: str | None = Field(default=None, pattern=r"^[0-9a-f]+$")


def misfit(error: ValidationError, *place: str | int) -> str:
    """The first thing that is wrong and where, in one line.

    :param place: of what was read, within the document
    """
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, (*place, *first['loc']))) or 'document'}: {first['msg']}"
