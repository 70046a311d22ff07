"""The sources of ingest_concerts against the local AWS, under Airflow's own role.

A kill is played by an exception at the place in question; then the same or the next run goes on.
"""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from concert_platform.settings import source_budget_variable
from concert_platform.sources import delivery as delivery_module
from concert_platform.sources import landing, publication, setlistfm
from concert_platform.sources.budget import DailyBudget
from concert_platform.sources.connectors import CONNECTORS
from concert_platform.sources.errors import BudgetSpentError, RunIdTakenError, SourceKeyError
from concert_platform.sources.files import UnusableFilesError, import_box_office, import_interactions
from concert_platform.sources.run import IngestRun
from concert_platform.sources.state import IngestState
from concert_platform.sources.ticketmaster import ingest_events
from local.replay.watch_list import watch_list
from tests.contract.conftest import REPOSITORY, Emulator
from tests.contract.ingest_platform import DAY, DROP, FIRST, HEADER, KEY, ROLE, SECOND, SECRET, WEEK, Platform, publish

pytest_plugins = ["tests.contract.ingest_platform"]


def killed(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt("killed")


def test_events_keep_the_bytes_of_each_page(ingest: Platform) -> None:
    assert ingest_events(FIRST) == {"source": "ticketmaster", "entity": "event", "files": 2, "records": 40}
    manifest = ingest.manifest("ticketmaster", "event", FIRST)
    assert (manifest["records"], manifest["as_of"], manifest["dt"]) == (40, DAY, DAY)
    for file in manifest["files"]:
        body = ingest.read(file["key"])
        assert len(body) == file["bytes"]
        assert len(json.loads(body)["_embedded"]["events"]) == file["records"] == 20
        assert file["headers"]["Rate-Limit"] == "5000"
        assert "page=" in file["request"]["url"]
    assert KEY not in json.dumps(manifest)


def test_unchanged_pages_are_delivered_once_a_day(ingest: Platform) -> None:
    ingest_events(FIRST)
    assert ingest_events(SECOND)["records"] == 0
    assert ingest.manifest("ticketmaster", "event", SECOND)["files"] == []
    assert ingest_events(IngestRun("2020-03-05", "third-run"))["records"] == 40


def test_a_run_id_of_another_day_is_refused_before_anything_is_read(ingest: Platform) -> None:
    ingest_events(FIRST)
    ingest.drop("cats.csv", WEEK)
    for source in (ingest_events, import_box_office):
        with pytest.raises(RunIdTakenError, match=rf"^run first-run has brought {DAY} already"):
            source(IngestRun("2020-03-05", FIRST.run_id))
    assert sum(entry["records"] for entry in import_box_office(SECOND)) == 1


def test_changed_page_is_delivered_again(ingest: Platform) -> None:
    ingest_events(FIRST)
    ingest.replay.ticketmaster.events[25]["name"] += " (moved)"
    assert ingest_events(SECOND)["records"] == 20


def test_listing_that_breaks_off_delivers_nothing(ingest: Platform) -> None:
    ingest.secrets.put_secret_value(SecretId=SECRET, SecretString='{"api_key": "revoked"}')
    with pytest.raises(SourceKeyError, match="401 Invalid ApiKey: put a valid key into secret"):
        ingest_events(FIRST)
    assert ingest.keys("raw/") == []
    assert publish(FIRST) == []


def test_missing_secret_is_named(ingest: Platform) -> None:
    ingest.secrets.put_secret_value(SecretId=SECRET, SecretString="no JSON")
    with pytest.raises(SourceKeyError, match=f"into secret {SECRET}$"):
        ingest_events(FIRST)


def test_samples_are_landed_once_and_imported_with_their_bytes(ingest: Platform) -> None:
    # The role of the DAG reads the drop zone; a box office fills it.
    assert len(landing.land_samples(ingest.s3)) == 3
    assert landing.land_samples(ingest.s3) == []
    counts = {entry["source"]: entry["records"] for entry in [*import_box_office(FIRST), *import_interactions(FIRST)]}
    assert counts == {"broadway_weekly_grosses": 44_535, "taylor_swift_tours": 445, "canonical": 0, "lastfm": 92_834}
    entry = ingest.manifest("broadway_weekly_grosses", "box_office", FIRST)["files"][0]
    assert ingest.read(entry["key"]) == (REPOSITORY / "samples/broadway_weekly_grosses" / entry["name"]).read_bytes()
    assert (entry["mapping"], entry["format"]) == ("broadway_weekly_grosses", "csv")
    assert entry["origin"] == f"s3://{ingest.bucket}/{DROP}broadway_weekly_grosses.csv.gz"
    assert [entry["records"] for entry in import_box_office(SECOND)] == [0, 0, 0]


def test_replaced_file_is_imported_again(ingest: Platform) -> None:
    ingest.drop("week.csv", WEEK)
    import_box_office(FIRST)
    ingest.drop("week.csv", WEEK + "Rent,Nederlander Theatre,1990-01-07,8,0,1000,7000,300000\n")
    assert {entry["source"]: entry["records"] for entry in import_box_office(SECOND)}["broadway_weekly_grosses"] == 2


def test_a_file_too_large_for_one_request_is_uploaded_in_parts(
    ingest: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_module, "LARGE", 6 * 2**20)
    monkeypatch.setattr(delivery_module, "PART", 5 * 2**20)  # the least that S3 takes
    content = (WEEK + WEEK.splitlines()[1].replace("Cats", "C" * 500) + "\n" * (12 * 2**20)).encode()
    ingest.drop("large.csv", content)
    import_box_office(FIRST)
    file = ingest.manifest("broadway_weekly_grosses", "box_office", FIRST)["files"][0]
    assert ingest.read(file["key"]) == content and file["bytes"] == len(content)
    assert ingest.s3.head_object(Bucket=ingest.bucket, Key=file["key"])["ETag"].endswith('-3"')  # of three parts


def test_bad_files_are_named_and_the_others_delivered(ingest: Platform) -> None:
    ingest.drop("good.csv.gz", gzip.compress(WEEK.encode()))
    ingest.drop("half.csv.gz", gzip.compress(WEEK.encode() * 500)[:80])
    ingest.drop("short.csv", "show,theatre\nCats,Winter Garden Theatre\n")
    ingest.drop("empty.parquet", b"")
    ingest.s3.put_object(Bucket=ingest.bucket, Key="landing/box_office/mapping=other/a.csv", Body=b"a")
    ingest.s3.put_object(Bucket=ingest.bucket, Key="landing/box_office/beside.csv", Body=b"a")
    with pytest.raises(UnusableFilesError) as caught:
        import_box_office(FIRST)
    message = str(caught.value)
    assert message.startswith("5 of 6 dropped files not imported: ")
    assert f"s3://{ingest.bucket}/{DROP}half.csv.gz: it is half-written: its gzip stream breaks off" in message
    assert f"{DROP}short.csv: it lacks the columns week_ending, performances" in message
    assert f"{DROP}empty.parquet: it is empty" in message
    assert "mapping=other/a.csv: it lies in none of" in message
    assert "landing/box_office/beside.csv: it lies in none of" in message
    assert "\n" not in message
    assert ingest.manifest("broadway_weekly_grosses", "box_office", FIRST)["records"] == 1
    assert publish(FIRST) == [FIRST]


def test_cleared_task_imports_the_mended_file_in_the_same_run(ingest: Platform) -> None:
    ingest.drop("good.csv", WEEK)
    ingest.drop("bad.csv", HEADER + '"')
    with pytest.raises(UnusableFilesError, match=r"bad\.csv"):
        import_box_office(FIRST)
    publish(FIRST)
    ingest.drop("bad.csv", WEEK.replace("Cats", "Rent"))
    assert sum(entry["records"] for entry in import_box_office(FIRST)) == 2
    assert [state.run for state in IngestState().unpublished()] == [FIRST]
    assert publish(SECOND) == [FIRST]


def test_run_index_lists_the_manifests_of_every_source(ingest: Platform) -> None:
    ingest_events(FIRST)
    import_box_office(FIRST)
    import_interactions(FIRST)
    assert publish(FIRST) == [FIRST]
    index = json.loads(ingest.read(f"raw/_runs/dt={DAY}/first-run.json"))
    assert [key.split("/")[1] for key in index.pop("manifests")] == [
        "source=broadway_weekly_grosses", "source=canonical", "source=lastfm", "source=taylor_swift_tours",
        "source=ticketmaster",
    ]  # fmt: skip
    assert index.pop("revision") > 0
    assert index == {"run_id": "first-run", "dt": DAY, "as_of": DAY}


def test_run_index_is_another_version_once_a_manifest_has_grown_and_else_the_same(ingest: Platform) -> None:
    def published() -> bytes:
        import_box_office(FIRST)
        publish(FIRST)
        return ingest.read(f"raw/_runs/dt={DAY}/first-run.json")

    ingest.drop("week.csv", WEEK)
    first = published()
    assert published() == first
    ingest.drop("next.csv", WEEK.replace("Cats", "Rent"))
    grown = published()
    assert json.loads(grown)["manifests"] == json.loads(first)["manifests"]
    assert grown != first, "the backlog takes it for curated already"


@pytest.mark.parametrize("step", ["write_manifest", "reopen"])
def test_run_killed_before_its_commit_counts_for_nothing(ingest: Platform, monkeypatch, step: str) -> None:
    ingest.drop("week.csv", WEEK)
    with monkeypatch.context() as patched:
        patched.setattr(delivery_module if step == "write_manifest" else IngestState, step, killed)
        with pytest.raises(KeyboardInterrupt):
            import_box_office(FIRST)
    assert publish(SECOND) == []
    assert sum(entry["records"] for entry in import_box_office(FIRST)) == 1
    assert sum(entry["records"] for entry in import_box_office(SECOND)) == 0
    assert publish(SECOND) == [FIRST, SECOND]


def test_run_killed_after_its_commit_is_published_by_the_next_run_without_a_second_delivery(
    ingest: Platform, monkeypatch
) -> None:
    ingest.drop("week.csv", WEEK)
    with monkeypatch.context() as patched:
        patched.setattr(IngestState, "mark", killed)
        with pytest.raises(KeyboardInterrupt):
            import_box_office(FIRST)
    assert sum(entry["records"] for entry in import_box_office(SECOND)) == 0
    assert publish(SECOND) == [FIRST, SECOND]
    assert publish(SECOND) == [SECOND]  # a retry of the task sends its own run again
    assert IngestState().unpublished() == []


@pytest.mark.parametrize("step", ["write_manifest", "mark"])
def test_kill_while_a_published_manifest_grows_loses_nothing(ingest: Platform, monkeypatch, step: str) -> None:
    ingest.drop("week.csv", WEEK)
    import_box_office(FIRST)
    publish(FIRST)
    ingest.drop("more.csv", WEEK)
    with monkeypatch.context() as patched:
        patched.setattr(delivery_module if step == "write_manifest" else IngestState, step, killed)
        with pytest.raises(KeyboardInterrupt):
            import_box_office(FIRST)
    import_box_office(SECOND)
    delivered = [ingest.manifest("broadway_weekly_grosses", "box_office", run)["files"] for run in (FIRST, SECOND)]
    assert sorted(file["item"] for files in delivered for file in files) == [f"{DROP}more.csv", f"{DROP}week.csv"]
    assert publish(SECOND) == [FIRST, SECOND]


def test_commit_during_publication_keeps_the_run_unpublished(ingest: Platform) -> None:
    import_interactions(FIRST)
    seen = publication.write_indexes(FIRST)
    import_box_office(FIRST)
    publication.confirm([[*entry.run, entry.revision] for entry in seen])
    assert [state.run for state in IngestState().unpublished()] == [FIRST]


# ---------------------------------------------------------------- every API
def watched(ingest: Platform) -> None:
    """The local watch list, and an artist that is known by name alone."""
    ingest.s3.put_object(Bucket=ingest.bucket, Key="landing/watch_list/names.yaml", Body=b"artists: [{name: Arctic}]")
    ingest.s3.put_object(
        Bucket=ingest.bucket, Key="landing/watch_list/replayed.yaml", Body=watch_list(REPOSITORY / "samples").encode()
    )


def test_every_connector_delivers_what_the_payloads_hold(ingest: Platform, monkeypatch) -> None:
    monkeypatch.setattr(setlistfm, "API", replace(setlistfm.API, interval=0.0))
    watched(ingest)
    asked: list[str] = []
    answer = ingest.replay.answer
    monkeypatch.setattr(ingest.replay, "answer", lambda request: asked.append(request.path) or answer(request))
    records = {name: connector(FIRST)["records"] for name, connector in CONNECTORS.items()}
    assert records["ticketmaster_events"] == 40
    assert records["spotify_artists"] >= len(ingest.replay.spotify.artists)
    assert records["setlistfm_setlists"] == len(ingest.replay.setlistfm.setlists)
    assert all(records.values())
    assert len([path for path in asked if path.startswith("/rest/")]) <= 20
    assert len([path for path in asked if path.startswith("/discovery/")]) <= 5
    assert publish(FIRST) == [FIRST]
    repeated = {name: connector(SECOND)["files"] for name, connector in CONNECTORS.items()}
    assert set(repeated.values()) == {0}
    written = ingest.keys()
    assert [key for key in written if KEY in ingest.read(key).decode("utf-8", "replace")] == []


def test_records_are_found_by_the_path_that_the_manifest_gives(ingest: Platform, monkeypatch) -> None:
    monkeypatch.setattr(setlistfm, "API", replace(setlistfm.API, interval=0.0))
    watched(ingest)
    paths: dict[tuple[str, str], set[str]] = {}
    for connector in CONNECTORS.values():
        counts = connector(FIRST)
        manifest = ingest.manifest(counts["source"], counts["entity"], FIRST)
        for file in manifest["files"]:
            part = json.loads(ingest.read(file["key"]))
            for name in filter(None, file["records_path"].split(".")):
                part = part[name]
            assert file["records"] == (len(part) if file["records_path"] else 1)
            paths.setdefault((counts["source"], counts["entity"]), set()).add(file["records_path"])
    assert paths == {
        ("ticketmaster", "event"): {"_embedded.events"},
        ("ticketmaster", "artist"): {"_embedded.attractions"},
        ("ticketmaster", "venue"): {"_embedded.venues"},
        ("spotify", "artist"): {"", "artists.items"},
        ("setlistfm", "artist"): {""},
        ("setlistfm", "setlist"): {"setlist"},
        ("setlistfm", "venue"): {""},
    }


def test_two_runs_at_once_both_hold_every_record_and_the_next_one_nothing(ingest: Platform) -> None:
    watched(ingest)
    names = ("ticketmaster_events", "spotify_artists")
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(CONNECTORS[name], run) for name in names for run in (FIRST, SECOND)]
        counts = [future.result()["records"] for future in futures]
    assert all(counts)
    # Either order of the two: what both have read belongs to both, and their accounts close by themselves.
    assert publish(SECOND) == [FIRST, SECOND]
    third = IngestRun(DAY, "third-run")
    assert [CONNECTORS[name](third)["files"] for name in names] == [0, 0]


def test_spent_budget_ends_the_task_in_one_line(ingest: Platform, monkeypatch) -> None:
    monkeypatch.setenv(source_budget_variable("ticketmaster"), "1")
    with pytest.raises(BudgetSpentError) as caught:
        ingest_events(FIRST)
    assert "the 1 requests of ticketmaster that" in str(caught.value)
    assert "TICKETMASTER_DAILY_REQUESTS" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ingest.keys("raw/") == []


def test_runs_at_once_share_one_budget_a_day(ingest: Platform) -> None:
    day = datetime(2020, 3, 4, 23, tzinfo=UTC)

    def spend(_: int) -> bool:
        try:
            DailyBudget("spotify", limit=7, now=lambda: day).spend()
        except BudgetSpentError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(spend, range(12))) == 7
    DailyBudget("spotify", limit=7, now=lambda: day + timedelta(hours=2)).spend()


def test_calls_are_made_and_allowed_under_the_role_of_airflow(ingest: Platform, own_emulator: Emulator) -> None:
    ingest.drop("week.csv", WEEK)
    ingest_events(FIRST)
    import_box_office(FIRST)
    publish(FIRST)
    calls = [call for call in own_emulator.calls(outcome="executed") if ROLE in str(call["role"])]
    assert {("dynamodb", "UpdateItem"), ("dynamodb", "PutItem"), ("s3", "PutObject")} <= {
        (call["service"], call["action"]) for call in calls
    }


def test_rows_that_are_of_use_for_a_time_only_expire(ingest: Platform) -> None:
    ingest_events(FIRST)
    table = ingest.dynamodb.Table(ingest.table)
    rows = {(row["source"], row["item"]): row for row in table.scan()["Items"]}
    page = rows["ticketmaster", f"page#{DAY}#0000"]
    assert datetime.fromtimestamp(int(page["expires_at"]), UTC) > datetime.now(UTC) + timedelta(days=59)
    assert all("expires_at" in row for (source, _), row in rows.items() if source == "_budget")
    kept = [item for (source, item), row in rows.items() if source == "ticketmaster" and "expires_at" not in row]
    assert kept and all(item.startswith("seen#") for item in kept)
