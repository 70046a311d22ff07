"""Artists of the Spotify Web API: those of the watch list, by id, else by a search for the name.

Popularity and followers move, so every artist is asked for in every run, and delivered when the answer is another: by
If-None-Match where the API gave an ETag, by the hash of the bytes where it did not.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from concert_platform.settings import settings
from concert_platform.sources.budget import Budget, DailyBudget
from concert_platform.sources.client import Answer, Api, SourceClient
from concert_platform.sources.delivery import Delivery
from concert_platform.sources.each import deliver_each
from concert_platform.sources.errors import SourceError, UnavailableError
from concert_platform.sources.keys import source_keys
from concert_platform.sources.responses import SpotifyArtist, SpotifySearch, Token
from concert_platform.sources.run import IngestRun
from concert_platform.sources.watch_list import WatchedArtist, read_watch_list

SOURCE = "spotify"
API = Api(SOURCE, "Spotify")  # its limit is a rolling one that it does not tell; a 429 says how long to wait
SEARCH_LIMIT = 5  # candidates for a name; new apps get no more than 10
RENEWAL_PAUSE = 60.0  # seconds
EARLY = 60.0  # seconds before its end at which a token counts as spent


def ingest_artists(run: IngestRun) -> dict[str, Any]:
    """Deliver the watched artists whose record is not the one that was delivered last."""
    delivery = Delivery(run, SOURCE, "artist")
    watch = read_watch_list(delivery.s3)
    if watch.artists:
        reader = ArtistReader(delivery, api_client())
        deliver_each(delivery, watch.artists, reader.deliver)
    counts = delivery.commit()
    watch.require_usable()
    return counts


class ArtistReader:
    """Delivers artists, one request each."""

    def __init__(self, delivery: Delivery, client: SourceClient) -> None:
        self._delivery, self._client = delivery, client

    def deliver(self, artist: WatchedArtist) -> None:
        if artist.spotify_id:
            self._by_id(artist.spotify_id)
        else:
            self._by_name(artist.name)

    def _by_id(self, identifier: str) -> None:
        item = f"artist#{identifier}"
        answer = self._client.get(
            f"/v1/artists/{identifier}", what=f"artist {identifier}", model=SpotifyArtist, accept=(304, 404),
            headers=condition(self._delivery.known(item)),
        )  # fmt: skip
        if answer.status == 200:
            self._add(f"artist-{identifier}", answer, item, 1, "")

    def _by_name(self, name: str) -> None:
        item = f"search#{name.casefold()}"
        answer = self._client.get(
            "/v1/search", {"type": "artist", "q": name, "limit": str(SEARCH_LIMIT)}, what=f"search for {name}",
            model=SpotifySearch, accept=(304,), headers=condition(self._delivery.known(item)),
        )  # fmt: skip
        if answer.status == 200 and answer.body.artists.items:
            self._add("search", answer, item, len(answer.body.artists.items), "artists.items")

    def _add(self, name: str, answer: Answer, item: str, records: int, records_path: str) -> None:
        digest = hashlib.sha256(answer.content).hexdigest()
        version = etag_version(answer.headers) or digest
        if self._delivery.is_new(item, version):
            self._delivery.add_answer(
                f"{name}-{digest[:12]}.json", answer, item=item, version=version, records=records,
                records_path=records_path,
            )  # fmt: skip


def etag_version(headers: Mapping[str, str]) -> str | None:
    """Version of an item that an ETag names."""
    etag = next((value for name, value in headers.items() if name.lower() == "etag"), None)
    return f"etag:{etag}" if etag else None


def condition(version: str | None) -> dict[str, str]:
    """Header that asks for the record only if it is another than this version."""
    return {"If-None-Match": version.removeprefix("etag:")} if version and version.startswith("etag:") else {}


# ---------------------------------------------------------------- client credentials
def api_client(*, budget: Budget | None = None, sleep: Callable[[float], None] = time.sleep) -> SourceClient:
    """Client with the id and secret of Secrets Manager.

    :raises SourceKeyError: when there are none
    """
    budget = budget or DailyBudget(SOURCE)
    client_id, client_secret = source_keys(SOURCE, "client_id", "client_secret")
    accounts = SourceClient(
        API, settings().source_url("spotify_accounts"), ClientIdentity(client_id, client_secret), budget=budget,
        sleep=sleep,
    )  # fmt: skip
    return SourceClient(API, settings().source_url(SOURCE), AccessToken(accounts), budget=budget, sleep=sleep)


class ClientIdentity:
    """Id and secret of the app, with which a token is asked for."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._secret = client_secret
        self._basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Basic {self._basic}"}

    def query(self) -> Mapping[str, str]:
        return {}

    def secrets(self) -> tuple[str, ...]:
        return (self._secret, self._basic)

    def renew(self) -> bool:
        return False


class AccessToken:
    """A token for an hour or so, asked for when it is needed.

    :param accounts: client of the accounts service
    """

    def __init__(self, accounts: SourceClient) -> None:
        self._accounts = accounts
        self._token = ""
        self._ends = 0.0  # of time.monotonic(), as is the next
        self._renewed_at = -RENEWAL_PAUSE

    def headers(self) -> Mapping[str, str]:
        if time.monotonic() >= self._ends:
            body = self._ask()
            self._token = body.access_token
            self._ends = time.monotonic() + max(body.expires_in - EARLY, 1.0)
        return {"Authorization": f"Bearer {self._token}"}

    def _ask(self) -> Token:
        form = {"grant_type": "client_credentials"}
        try:
            return self._accounts.post("/api/token", form, what="token", model=Token).body
        except UnavailableError as error:
            reason = str(error)
        raise SourceError(reason)  # all attempts were made: the request that needs the token makes no more

    def query(self) -> Mapping[str, str]:
        return {}

    def secrets(self) -> tuple[str, ...]:
        return (self._token,) if self._token else ()

    def renew(self) -> bool:
        """Forget the token; one that is refused soon after another was would be refused again."""
        if time.monotonic() - self._renewed_at < RENEWAL_PAUSE:
            return False
        self._renewed_at, self._ends = time.monotonic(), 0.0
        return True
