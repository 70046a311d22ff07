"""Artists and venues to follow: include/sources/watch_list.yaml and landing/watch_list/*.yaml of the raw bucket.

    artists:
      - {name: Björk, musicbrainz_id: ..., spotify_id: ..., ticketmaster_id: ...}     # each id may be left out
    venues:
      - {name: The Forum, setlistfm_id: ..., ticketmaster_id: ...}

Entries with an id in common are one artist. setlist.fm is asked by MusicBrainz id; Spotify by its id, else by name.
An entry or a file that cannot be used is named in the error at the end of the task; what else is listed is read before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from concert_platform.resources import resource
from concert_platform.settings import settings
from concert_platform.sources.errors import RefusedError
from concert_platform.sources.watch_entries import Entry, WatchDocument, WatchedArtist, WatchedVenue, misfit

DROP_ZONE = "landing/watch_list/"
OWN_LIST = "include/sources/watch_list.yaml"
LARGEST = 2**20  # bytes of a file
NAMED = 5  # entries of a file that the error quotes
IDS = ("musicbrainz_id", "spotify_id", "ticketmaster_id")


class UnusableWatchListError(RefusedError):
    """A file of the watch list, or an entry, cannot be used; what else is listed was read."""


@dataclass(frozen=True)
class WatchFile:
    """What one file lists, and why others of its entries cannot be used."""

    artists: Sequence[WatchedArtist]
    venues: Sequence[WatchedVenue]
    unusable: Sequence[str] = ()


@dataclass(frozen=True)
class WatchList:
    """All that is watched, and the reason by file where it, or some of its entries, could not be used."""

    artists: Sequence[WatchedArtist]
    venues: Sequence[WatchedVenue]
    unusable: dict[str, str] = field(default_factory=dict)

    def require_usable(self) -> None:
        """End the task in an error when a file or an entry could not be used.

        :raises UnusableWatchListError: naming each with the reason
        """
        if self.unusable:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(self.unusable.items()))
            raise UnusableWatchListError(f"not all of the watch list was used: {reasons}; mend or remove these")


def read_watch_list(s3: Any = None) -> WatchList:
    """Read the platform's own list and those of the drop zone."""
    if s3 is None:
        import boto3

        s3 = boto3.client("s3")
    files, unusable = [], {}
    for name, content in _documents(s3, settings().raw_bucket):
        try:
            file = parse(content)
        except ValueError as error:
            unusable[name] = str(error)
            continue
        files.append(file)
        if file.unusable:
            more = f", and {len(file.unusable) - NAMED} more" if len(file.unusable) > NAMED else ""
            unusable[name] = ", ".join(file.unusable[:NAMED]) + more
    artists = merged(entry for file in files for entry in file.artists)
    venues = list({repr(entry): entry for file in files for entry in file.venues}.values())
    return WatchList(artists, venues, unusable)


def parse(content: bytes) -> WatchFile:
    """Read one file; entries that cannot be used are passed over.

    :raises ValueError: when nothing of it can be used, with the reason in one line
    """
    import yaml

    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST:,} bytes")
    try:
        document = yaml.safe_load(content.decode("utf-8"))
        listed = WatchDocument.model_validate(document or {})
        unusable: list[str] = []
        artists = _usable(WatchedArtist, listed.artists, "artists", unusable)
        return WatchFile(artists, _usable(WatchedVenue, listed.venues, "venues", unusable), unusable)
    except RecursionError:
        reason = "it is nested too deeply"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except yaml.YAMLError as error:
        reason = f"it is no YAML: {' '.join(str(error).split())}"
    except ValidationError as error:
        reason = misfit(error)
    raise ValueError(reason)


def _usable[Model: Entry](model: type[Model], entries: list[Any], place: str, unusable: list[str]) -> list[Model]:
    """Entries that fit; the reason of each other one is added to ``unusable``."""
    found = []
    for number, entry in enumerate(entries):
        try:
            found.append(model.model_validate(entry))
        except ValidationError as error:
            unusable.append(misfit(error, place, number))
    return found


def merged(entries: Iterable[WatchedArtist]) -> list[WatchedArtist]:
    """One entry an artist: those with an id in common, or the same name and no id that differs, become one."""
    artists: list[WatchedArtist] = []
    for entry in entries:
        found, place = entry, len(artists)
        # Again after each one: what two have become may have an id in common with a further one.
        while same := [position for position, known in enumerate(artists) if _is_same(known, found)]:
            known, place = artists.pop(same[0]), min(place, same[0])
            found = known.model_copy(update={name: getattr(known, name) or getattr(found, name) for name in IDS})
        artists.insert(place, found)
    return artists


def _is_same(one: WatchedArtist, other: WatchedArtist) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in IDS]
    both = [pair for pair in pairs if all(pair)]
    if any(left == right for left, right in both):
        return True
    return not both and one.name.casefold() == other.name.casefold()


def _documents(s3: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    yield OWN_LIST, resource(OWN_LIST).read_bytes()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=DROP_ZONE):
        for entry in page.get("Contents", []):
            if entry["Key"].endswith((".yaml", ".yml")):
                content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read(LARGEST + 1)
                yield f"s3://{bucket}/{entry['Key']}", content
