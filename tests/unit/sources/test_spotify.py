"""Spotify: tokens, conditional reads, artists with and without what new apps no longer get."""

import base64
import logging

import pytest

from concert_platform.sources import client as client_module
from concert_platform.sources import each, spotify
from concert_platform.sources.errors import (
    BudgetSpentError,
    QuotaSpentError,
    RefusedRequestError,
    SourceError,
    SourceKeyError,
    UnavailableError,
)
from concert_platform.sources.run import IngestRun
from local.replay.answers import Answer, Request
from tests.unit.sources.conftest import KEY, Sources, Waits, order, spotify_client

FIRST, SECOND = IngestRun("2020-03-04", "first"), IngestRun("2020-03-04", "second")
BOWIE = {"name": "David Bowie", "spotify_id": "0oSGxfWSnnOXhD2fKuz2Gy"}
COOPER = {"name": "Alice Cooper", "spotify_id": "3EhbVgyfGd7HkpsagwL9GS"}
NAKAJIMA = {"name": "中島みゆき"}


def names(sources: Sources, run: IngestRun) -> list[str]:
    return sorted(entry["name"] for entry in sources.records("spotify", "artist", run))


def test_artists_are_read_by_id_else_by_name(sources: Sources) -> None:
    sources.watch(BOWIE, COOPER, NAKAJIMA, {"name": "Nobody"}, {"name": "Gone", "spotify_id": "x" * 22})
    assert spotify.ingest_artists(FIRST)["records"] == 3
    assert names(sources, FIRST) == ["Alice Cooper", "David Bowie", "中島みゆき"]
    paths = {file["records_path"] for file in sources.bucket.manifest("spotify", "artist", FIRST)["files"]}
    assert paths == {"", "artists.items"}


def test_unchanged_artists_answer_304_and_are_not_delivered_again(sources: Sources) -> None:
    sources.watch(BOWIE, COOPER, NAKAJIMA)
    spotify.ingest_artists(FIRST)
    assert spotify.ingest_artists(SECOND)["files"] == 0


def test_changed_popularity_is_delivered(sources: Sources) -> None:
    sources.watch(BOWIE, COOPER)
    spotify.ingest_artists(FIRST)
    sources.replay.spotify.artists[BOWIE["spotify_id"]]["popularity"] = 78
    spotify.ingest_artists(SECOND)
    assert names(sources, SECOND) == ["David Bowie"]


def test_answer_without_an_etag_is_told_by_its_bytes(sources: Sources, monkeypatch) -> None:
    original = sources.replay.spotify.answer

    def answer(request: Request) -> Answer:
        reply = original(request)
        reply.headers.pop("ETag", None)
        return reply

    monkeypatch.setattr(sources.replay.spotify, "answer", answer)
    sources.watch(BOWIE)
    assert [spotify.ingest_artists(run)["files"] for run in (FIRST, SECOND)] == [1, 0]


def test_one_token_serves_a_run_and_is_renewed_when_it_ends(sources: Sources, monkeypatch) -> None:
    sources.watch(BOWIE, COOPER)
    client = spotify_client(sources.replay, sources.waits)
    monkeypatch.setattr(spotify, "api_client", lambda: client)
    spotify.ingest_artists(FIRST)
    assert sources.requests.count("/api/token") == 1
    given = sources.replay.spotify._tokens
    given.update(dict.fromkeys(given, 0.0))  # every token ends now
    assert spotify.ingest_artists(SECOND)["files"] == 0
    assert sources.requests.count("/api/token") == 2


def test_token_that_is_always_refused_names_the_secret(sources: Sources, monkeypatch) -> None:
    monkeypatch.setattr(sources.replay.spotify, "_read", lambda _: Answer(401, {"error": {"message": "No"}}))
    sources.watch(BOWIE)
    with pytest.raises(SourceKeyError, match=r"401 No: put a valid key into secret .*/sources/spotify$"):
        spotify.ingest_artists(FIRST)
    assert sources.requests.count("/api/token") == 2


def test_unknown_client_names_the_secret_at_once(sources: Sources, waits: Waits) -> None:
    client = spotify_client(sources.replay, waits, key="another-key")
    with pytest.raises(SourceKeyError, match=r"^Spotify token: 400 Invalid client: put a valid key") as caught:
        spotify.ArtistReader(None, client)._client.get("/v1/search", what="search", model=spotify.SpotifySearch)
    assert "another-key" not in str(caught.value)
    assert waits == []


def test_accounts_service_out_of_order_is_not_asked_again_by_every_attempt(sources: Sources) -> None:
    sources.watch(BOWIE)
    order(sources.replay, *[503] * 40, api="spotify")
    with pytest.raises(SourceError, match="Spotify token: 503"):
        spotify.ingest_artists(FIRST)
    assert sources.requests == ["/api/token"] * client_module.ATTEMPTS


def test_retry_after_is_obeyed(sources: Sources) -> None:
    sources.watch(BOWIE)
    order(sources.replay, 429, api="spotify")
    spotify.ingest_artists(FIRST)
    assert 1 <= sources.waits[0] <= 1.25


def test_long_retry_after_ends_the_task_and_says_when(sources: Sources, monkeypatch) -> None:
    monkeypatch.setattr("local.replay.spotify.RETRY_AFTER", 40_000)
    sources.watch(COOPER)
    order(sources.replay, 429, api="spotify")
    with pytest.raises(QuotaSpentError, match="the API answers again at 20"):
        spotify.ingest_artists(FIRST)


def test_refused_request_is_not_repeated_and_holds_up_no_other_record(sources: Sources, monkeypatch) -> None:
    monkeypatch.setattr(spotify, "SEARCH_LIMIT", 51)
    sources.watch(BOWIE, NAKAJIMA, COOPER)
    with pytest.raises(
        RefusedRequestError, match="Spotify search for 中島みゆき: 400 Invalid limit: the API has changed"
    ):
        spotify.ingest_artists(FIRST)
    assert names(sources, FIRST) == ["Alice Cooper", "David Bowie"]
    assert sources.waits == []


def answering(sources: Sources, monkeypatch: pytest.MonkeyPatch, **answers: int) -> None:
    """Let the API answer requests for some artists with an error."""
    original = sources.replay.spotify.answer

    def answer(request: Request) -> Answer:
        status = answers.get(request.path.rpartition("/")[2])
        return Answer(status, {"error": {"message": "No"}}) if status else original(request)

    monkeypatch.setattr(sources.replay.spotify, "answer", answer)


def test_records_that_fail_are_named_in_one_line_and_the_kind_of_the_error_lets_the_task_be_tried_again(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(sources, monkeypatch, **{"a" * 22: 400, "b" * 22: 503})
    sources.watch({"name": "A", "spotify_id": "a" * 22}, BOWIE, {"name": "B", "spotify_id": "b" * 22}, COOPER)
    with pytest.raises(UnavailableError) as caught:
        spotify.ingest_artists(FIRST)
    assert str(caught.value).startswith("2 failures: Spotify artist bbb")
    assert "Spotify artist aaa" in str(caught.value) and "\n" not in str(caught.value)
    assert names(sources, FIRST) == ["Alice Cooper", "David Bowie"]


def test_api_that_is_out_of_order_is_not_asked_for_every_artist(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = [f"{number:022}" for number in range(20)]
    answering(sources, monkeypatch, **dict.fromkeys(lost, 503))
    sources.watch(BOWIE, *({"name": f"Artist {name}", "spotify_id": name} for name in lost))
    with pytest.raises(UnavailableError, match="5 failures"):
        spotify.ingest_artists(FIRST)
    assert len({path for path in sources.requests if path.startswith("/v1/artists/0000")}) == each.MOST_OUTAGES
    assert names(sources, FIRST) == ["David Bowie"]


def test_spent_budget_ends_the_loop_and_what_came_before_is_committed(sources: Sources, monkeypatch) -> None:
    client = spotify_client(sources.replay, sources.waits)
    monkeypatch.setattr(spotify, "api_client", lambda: client)
    sources.watch(BOWIE, COOPER, NAKAJIMA)
    asked: list[str] = []

    def spend() -> None:
        asked.append("")
        if len(asked) > 1:
            raise BudgetSpentError("spent")

    client._budget.spend = spend
    with pytest.raises(BudgetSpentError):
        spotify.ingest_artists(FIRST)
    assert (len(asked), names(sources, FIRST)) == (2, ["David Bowie"])


def test_secret_and_token_stand_in_no_log_manifest_or_file(sources: Sources, caplog) -> None:
    sources.watch(BOWIE)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="urllib3"):
        spotify.ingest_artists(FIRST)
    basic = base64.b64encode(f"{KEY}:{KEY}".encode()).decode()
    kept = caplog.text + "".join(content.decode() for content in sources.bucket.objects.values())
    assert "POST /api/token" in caplog.text
    assert [word for word in (KEY, basic, *sources.replay.spotify._tokens) if word in kept] == []


def test_artists_whose_fields_have_another_form_are_delivered_as_they_are(sources: Sources, waits: Waits) -> None:
    odd = [{"popularity": 50.5}, {"genres": [None, "rock"]}, {"name": 7}, {"name": None}, {"followers": "many"}, {}]
    artists = [{"type": "artist", "id": f"{number:022d}", "name": "A", **fields} for number, fields in enumerate(odd)]
    sources.replay.spotify.artists |= {artist["id"]: artist for artist in artists}
    sources.watch(*({"name": f"A{artist['id']}", "spotify_id": artist["id"]} for artist in artists))
    assert spotify.ingest_artists(FIRST)["records"] == len(odd)
    assert sources.records("spotify", "artist", FIRST) == artists
    assert waits == []
