"""Attractions and venues: those that events name, many ids a request, once a month."""

import pytest

from concert_platform.sources import ticketmaster, ticketmaster_entities
from concert_platform.sources.client import ATTEMPTS
from concert_platform.sources.each import MOST_OUTAGES
from concert_platform.sources.errors import RefusedRequestError, UnavailableError
from concert_platform.sources.run import IngestRun
from local.replay.answers import Answer, Request
from tests.unit.sources.conftest import Sources, order

FIRST, SECOND = IngestRun("2020-03-04", "first"), IngestRun("2020-03-05", "second")
NEXT_MONTH = IngestRun("2020-04-01", "third")


def ingest(run: IngestRun) -> tuple[int, int, int]:
    """Records of events, attractions and venues."""
    connectors = (
        ticketmaster.ingest_events,
        ticketmaster_entities.ingest_attractions,
        ticketmaster_entities.ingest_venues,
    )
    events, attractions, venues = (connector(run)["records"] for connector in connectors)
    return events, attractions, venues


def test_what_events_name_is_read_by_id_in_few_requests(sources: Sources) -> None:
    events, attractions, venues = ingest(FIRST)
    assert events == 40
    named = {
        kind: {part["id"] for event in sources.records("ticketmaster", "event", FIRST)
               for part in event["_embedded"].get(kind, [])}
        for kind in ("attractions", "venues")
    }  # fmt: skip
    assert {entry["id"] for entry in sources.records("ticketmaster", "artist", FIRST)} == named["attractions"]
    assert {entry["id"] for entry in sources.records("ticketmaster", "venue", FIRST)} == named["venues"]
    assert (attractions, venues) == (len(named["attractions"]), len(named["venues"]))
    assert len(sources.requests) == 5  # 2 pages of events, both again in one, attractions, venues
    links = [entry["externalLinks"] for entry in sources.records("ticketmaster", "artist", FIRST)
             if "externalLinks" in entry]  # fmt: skip
    assert sum("spotify" in entry for entry in links) > 5


def test_they_are_read_once_a_month(sources: Sources) -> None:
    first = ingest(FIRST)
    assert ingest(SECOND) == (40, 0, 0)
    assert ingest(NEXT_MONTH) == first


def test_failed_task_is_made_up_by_the_next_run(sources: Sources) -> None:
    ticketmaster.ingest_events(FIRST)
    order(sources.replay, *[500] * ATTEMPTS * (1 + MOST_OUTAGES))
    with pytest.raises(UnavailableError, match="5 failures: Ticketmaster venue Kov"):
        ticketmaster_entities.ingest_venues(FIRST)
    assert ticketmaster_entities.ingest_venues(SECOND)["records"] > 20


def test_watched_records_are_read_also_when_no_event_names_them(sources: Sources) -> None:
    sources.watch(
        {"name": "Alice Cooper", "ticketmaster_id": "K8vZ9171ulV"},
        venues=({"name": "Placeholder", "ticketmaster_id": "KovZpZAFnIEA"},),
    )
    assert ticketmaster_entities.ingest_attractions(FIRST)["records"] == 1
    assert ticketmaster_entities.ingest_venues(FIRST)["records"] == 1


def test_record_that_the_listing_lacks_is_asked_for_alone_and_a_404_is_remembered(sources: Sources) -> None:
    sources.watch(
        {"name": "Alice Cooper", "ticketmaster_id": "K8vZ9171ulV"}, {"name": "Gone", "ticketmaster_id": "K8vZgone"}
    )
    assert ticketmaster_entities.ingest_attractions(FIRST)["records"] == 1
    assert sources.requests == ["/discovery/v2/attractions.json", "/discovery/v2/attractions/K8vZgone.json"]
    ticketmaster_entities.ingest_attractions(SECOND)
    assert len(sources.requests) == 2


def test_api_that_heeds_no_list_of_ids_is_asked_one_by_one(sources: Sources, monkeypatch) -> None:
    original = sources.replay.ticketmaster.answer

    def answer(request: Request) -> Answer:
        query = {name: value for name, value in request.query.items() if name != "id"}
        return original(Request(request.method, request.path, query))

    monkeypatch.setattr(sources.replay.ticketmaster, "answer", answer)
    sources.watch(
        {"name": "Alice Cooper", "ticketmaster_id": "K8vZ9171ulV"}, {"name": "Eagles", "ticketmaster_id": "K8vZ9171ob7"}
    )
    assert ticketmaster_entities.ingest_attractions(FIRST)["records"] == 2
    found = {entry["name"] for entry in sources.records("ticketmaster", "artist", FIRST)}
    assert found == {"Alice Cooper", "Eagles"}


def test_record_that_comes_under_another_id_leaves_none_of_its_batch_undelivered(sources: Sources, monkeypatch) -> None:
    """The API gives a record that it has merged into another under the other's id."""
    original, merged = sources.replay.ticketmaster.answer, {"K8vZmerged": "K8vZ9171ob7"}

    def answer(request: Request) -> Answer:
        asked = [merged.get(identifier, identifier) for identifier in request.query.get("id", "").split(",")]
        path = request.path.replace("K8vZmerged", merged["K8vZmerged"])
        return original(Request(request.method, path, {**request.query, "id": ",".join(asked)}))

    monkeypatch.setattr(sources.replay.ticketmaster, "answer", answer)
    sources.watch(
        {"name": "Alice Cooper", "ticketmaster_id": "K8vZ9171ulV"}, {"name": "Old", "ticketmaster_id": "K8vZmerged"}
    )
    ticketmaster_entities.ingest_attractions(FIRST)
    delivered = [entry["name"] for entry in sources.records("ticketmaster", "artist", FIRST)]
    assert sorted(delivered) == ["Alice Cooper", "Eagles", "Eagles"]
    assert sources.requests == ["/discovery/v2/attractions.json", "/discovery/v2/attractions/K8vZmerged.json"]
    ticketmaster_entities.ingest_attractions(SECOND)
    assert len(sources.requests) == 2, "each is read once a month"


@pytest.mark.parametrize("status", [400, 503])
def test_record_that_fails_its_batch_holds_up_none_of_the_others(
    sources: Sources, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    original = sources.replay.ticketmaster.answer

    def answer(request: Request) -> Answer:
        return Answer(status, {}) if "K8vZbad" in request.path + request.query.get("id", "") else original(request)

    monkeypatch.setattr(sources.replay.ticketmaster, "answer", answer)
    sources.watch(
        {"name": "Alice Cooper", "ticketmaster_id": "K8vZ9171ulV"}, {"name": "Bad", "ticketmaster_id": "K8vZbad"},
        {"name": "Eagles", "ticketmaster_id": "K8vZ9171ob7"},
    )  # fmt: skip
    with pytest.raises((RefusedRequestError, UnavailableError), match=f"^Ticketmaster attraction K8vZbad: {status}"):
        ticketmaster_entities.ingest_attractions(FIRST)
    assert len(sources.records("ticketmaster", "artist", FIRST)) == 2
    sources.requests.clear()
    with pytest.raises((RefusedRequestError, UnavailableError)):
        ticketmaster_entities.ingest_attractions(SECOND)
    assert {path.rpartition("/")[2] for path in sources.requests} == {"attractions.json", "K8vZbad.json"}


def test_id_with_the_marks_of_an_address_is_asked_for_as_it_is(sources: Sources) -> None:
    venue = {"id": "a/b?c=d,e#f", "name": "Odd"}
    sources.replay.ticketmaster.events = [{"id": "one", "_embedded": {"venues": [venue, None, {"id": 5}]}}]
    sources.replay.ticketmaster._details["venues"] = {venue["id"]: venue}
    ticketmaster.ingest_events(FIRST)
    assert ticketmaster_entities.ingest_venues(FIRST)["records"] == 1
    assert sources.records("ticketmaster", "venue", FIRST) == [venue]
