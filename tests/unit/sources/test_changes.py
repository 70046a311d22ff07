"""Change events between two fetches: which ones, under which ids, and when the state advances."""

import io
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform.sources import changes as module
from concert_platform.sources.changes import PageUnreadableError, announce, sent_by, state_of
from concert_platform.sources.manifests import Manifest, RawFile, raw_prefix
from concert_platform.sources.run import IngestRun
from concert_platform.streams.records import LARGEST_RECORD, RecordsRefusedError, RefusedRecord, SendReport

FIRST, SECOND, THIRD = (IngestRun("2026-07-03", f"run-{number}") for number in (1, 2, 3))


class FakeState:
    """The ingest-state table, as far as the announcement sees it."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.committed: dict[IngestRun, list[str]] = {}

    def run(self, run: IngestRun) -> Any:
        return SimpleNamespace(manifests=self.committed[run]) if run in self.committed else None

    def rows(self, source: str) -> Any:
        return (dict(row) for (one, _), row in self.items.items() if one == source)

    def put_if(self, row: dict[str, Any], condition: str = "", values: dict[str, Any] | None = None) -> bool:
        known = self.items.get((row["source"], row["item"]))
        if condition and known and known.get("revision") != (values or {}).get(":seen"):
            return False
        if module.PENDING in condition and known and module.PENDING in known:
            return False
        self.items[row["source"], row["item"]] = row
        return True


class FakeProducer:
    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.spills = self.is_down = False

    def send(self, records: Any) -> SendReport:
        report = SendReport()
        for record in records:
            if self.is_down:
                raise RuntimeError("killed")
            if record.size > LARGEST_RECORD:
                report.refused.append(RefusedRecord(record, "it is too large"))
                continue
            self.sent.append(json.loads(record.data))
            self.keys.append(record.partition_key)
            report.sent += not self.spills
            report.spilled += self.spills
        if report.sent:
            report.positions = {"shardId-000000000000": str(len(self.sent))}
        return report


class Source:
    """Raw bucket with the pages of runs."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.state, self.producer = FakeState(), FakeProducer()

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[Key])}

    def deliver(self, run: IngestRun, *pages: Any, at: str | None = None) -> None:
        prefix = raw_prefix("ticketmaster", "event", run)
        at = at or f"2026-07-03T{12 + int(run.run_id[-1])}:00:00.000000+00:00"
        files = []
        for number, page in enumerate(pages):
            key = f"{prefix}/page-{number}.json"
            body = page if isinstance(page, bytes) else json.dumps({"_embedded": {"events": page}}).encode()
            self.objects[key] = body
            files.append(RawFile(f"page-{number}.json", key, len(body), "0", 1, "json", f"page{number}", "v", at))
        manifest = Manifest("ticketmaster", "event", run.dt, run.run_id, at, files)
        self.objects[manifest.key] = manifest.to_json().encode()
        self.state.committed[run] = [manifest.key]

    def announce(self, run: IngestRun) -> list[tuple[str, str]]:
        """Kind and concert of what this call has sent."""
        before = len(self.producer.sent)
        announce(run, state=self.state, s3=self, producer=self.producer)  # type: ignore[arg-type]
        return [(sent["type"], sent["concert_id"]) for sent in self.producer.sent[before:]]


def event(number: int = 1, **changed: Any) -> dict[str, Any]:
    found = {"status": "onsale", "date": "2026-09-01", "time": "20:00:00", "min": 49.5, "max": 99.0, **changed}
    return {
        "id": f"vv{number}", "name": "Björk", "more": {"unknown": True},
        "dates": {"start": {"localDate": found["date"], "localTime": found["time"]},
                  "status": {"code": found["status"]}},
        "priceRanges": [{"type": "standard", "currency": "USD", "min": found["min"], "max": found["max"]}],
    }  # fmt: skip


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setattr(module, "settings", lambda: SimpleNamespace(raw_bucket="raw"))
    monkeypatch.setattr(module, "publish", lambda values: None)
    return Source()


def test_a_new_event_is_listed_and_an_unchanged_one_says_nothing(source: Source) -> None:
    source.deliver(FIRST, [event(1), event(2)])
    assert source.announce(FIRST) == [("event_listed", "vv1"), ("event_listed", "vv2")]
    source.deliver(SECOND, [event(1), event(2), event(3)])
    assert source.announce(SECOND) == [("event_listed", "vv3")]
    first = source.producer.sent[0]
    assert first["properties"] == {
        "status": "onsale", "local_date": "2026-09-01", "local_time": "20:00:00", "price_min": "49.50",
        "price_max": "99.00", "currency": "USD",
    }  # fmt: skip
    assert (first["schema_version"], first["source"], "user_id" in first) == (1, "ticketmaster", False)
    assert first["occurred_at"] == "2026-07-03T13:00:00.000000+00:00" and source.producer.keys[0] == "vv1"


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({"status": "cancelled"}, ["status_changed"]), ({"date": "2026-10-01"}, ["rescheduled"]),
        ({"time": None}, ["rescheduled"]), ({"min": 10}, ["price_changed"]), ({"max": 99}, []), ({"min": 49.50}, []),
        ({"status": "cancelled", "date": None, "max": 200}, ["status_changed", "rescheduled", "price_changed"]),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_an_event_of_its_own(source: Source, changed: dict, kinds: list[str]) -> None:
    source.deliver(FIRST, [event()])
    source.announce(FIRST)
    source.deliver(SECOND, [event(**changed)])
    assert source.announce(SECOND) == [(kind, "vv1") for kind in kinds]
    assert len({sent["event_id"] for sent in source.producer.sent}) == 1 + len(kinds)


def test_a_change_carries_the_old_and_the_new_values(source: Source) -> None:
    source.deliver(FIRST, [event()])
    source.announce(FIRST)
    source.deliver(SECOND, [event(status="offsale")])
    source.announce(SECOND)
    assert source.producer.sent[-1]["properties"] == {"old_status": "onsale", "new_status": "offsale"}


def test_a_run_that_is_killed_before_the_stream_took_it_sends_all_when_repeated(source: Source) -> None:
    source.deliver(FIRST, [event(1), event(2)])
    source.producer.is_down = True
    with pytest.raises(RuntimeError):
        source.announce(FIRST)
    source.producer.is_down = False
    assert source.announce(FIRST) == [("event_listed", "vv1"), ("event_listed", "vv2")]


def test_a_kill_between_stream_and_state_repeats_the_same_ids_in_any_run(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.deliver(FIRST, [event(1), event(2)])

    def killed(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_remember", killed)
        with pytest.raises(RuntimeError):
            source.announce(FIRST)
    source.announce(FIRST)  # the same run again
    sent = [one["event_id"] for one in source.producer.sent]
    assert sent[:2] == sent[2:] and len(set(sent)) == 2
    source.state.items.clear()
    source.deliver(SECOND, [event(1), event(2)])
    source.announce(SECOND)  # another run that finds the same
    assert [one["event_id"] for one in source.producer.sent[4:]] == sent[:2]


def test_a_change_there_and_back_and_there_again_is_three_events(source: Source) -> None:
    for run, status in (
        (FIRST, "onsale"),
        (SECOND, "offsale"),
        (THIRD, "onsale"),
        (IngestRun("d", "run-4"), "offsale"),
    ):
        source.deliver(run, [event(status=status)])
        source.announce(run)
    assert len({one["event_id"] for one in source.producer.sent}) == len(source.producer.sent) == 4


def test_a_run_of_an_earlier_day_that_is_repeated_changes_nothing(source: Source) -> None:
    source.deliver(SECOND, [event(status="offsale")])
    source.announce(SECOND)
    source.deliver(FIRST, [event(status="onsale")])
    assert source.announce(FIRST) == []


def test_an_event_on_two_pages_is_announced_once_with_its_later_state(source: Source) -> None:
    source.deliver(FIRST, [event(1, status="onsale")], [event(1, status="offsale")])
    assert source.announce(FIRST) == [("event_listed", "vv1")]
    assert source.producer.sent[0]["properties"]["status"] == "offsale"


def test_what_was_spilled_counts_as_announced(source: Source) -> None:
    source.deliver(FIRST, [event()])
    source.producer.spills = True
    assert len(source.announce(FIRST)) == 1 and source.announce(FIRST) == []


def test_an_event_that_the_stream_takes_never_is_named_and_not_announced(source: Source) -> None:
    source.deliver(FIRST, [{**event(1), "id": "x" * (LARGEST_RECORD + 1)}, event(2)])
    with pytest.raises(RecordsRefusedError, match="1 records refused"):
        source.announce(FIRST)
    assert [row["item"] for row in source.state.rows("_announced#ticketmaster")] == ["vv2"]


def test_a_run_that_committed_nothing_announces_nothing(source: Source) -> None:
    assert source.announce(FIRST) == []


def test_a_run_notes_how_far_it_has_written_and_a_repetition_keeps_that(source: Source) -> None:
    assert sent_by("run-1", source.state) is None  # type: ignore[arg-type]
    source.deliver(FIRST, [event(1), event(2)])
    source.announce(FIRST)
    source.announce(FIRST)
    noted = sent_by("run-1", source.state)  # type: ignore[arg-type]
    assert noted is not None and noted["positions"] == {"shardId-000000000000": "2"}


def test_tries_of_a_run_add_up_to_the_last_position_of_each_shard(source: Source) -> None:
    for positions in ({"a": "9", "b": "7"}, {"b": "10", "c": "3"}, {"a": "5"}, {}):
        module._note(source.state, FIRST, positions)  # type: ignore[arg-type]
    noted = sent_by("run-1", source.state)  # type: ignore[arg-type]
    assert noted is not None and noted["positions"] == {"a": "9", "b": "10", "c": "3"}


@pytest.mark.parametrize(
    "strange",
    [{}, {"dates": None}, {"dates": {"start": []}}, {"priceRanges": "free"}, {"priceRanges": [None]},
     {"dates": {"status": {"code": 7}}}, {"priceRanges": [{"min": True}]}],
)  # fmt: skip
def test_an_event_that_says_little_is_listed_all_the_same(source: Source, strange: dict) -> None:
    source.deliver(FIRST, [{"id": "vv1", **strange}, {"name": "without an id"}, "no event"])
    assert source.announce(FIRST) == [("event_listed", "vv1")]
    assert state_of(strange)["price_min"] is None


def test_the_standard_price_is_the_one_that_is_watched() -> None:
    prices = [{"type": "vip", "min": 500}, {"type": "standard", "min": 50, "currency": "EUR"}]
    assert state_of({"priceRanges": prices})["price_min"] == "50.00"


def test_a_page_that_is_no_json_is_named(source: Source) -> None:
    source.deliver(FIRST, b'{"_embedded": ')
    with pytest.raises(PageUnreadableError, match=r"s3://raw/.*page-0\.json is no JSON"):
        source.announce(FIRST)


def test_what_was_sent_and_not_remembered_is_sent_again_before_what_has_changed_since(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the note, the change back would look like no change, and the stream would keep the one between."""
    source.deliver(FIRST, [event()])
    source.announce(FIRST)
    source.deliver(SECOND, [event(status="offsale")])
    with monkeypatch.context() as patched:
        patched.setattr(module, "_remember", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt("killed")))
        with pytest.raises(KeyboardInterrupt):
            source.announce(SECOND)
    source.deliver(THIRD, [event()])
    assert source.announce(THIRD) == [("status_changed", "vv1")] * 2
    sent = source.producer.sent[-3:]
    assert [one["properties"]["new_status"] for one in sent] == ["offsale", "offsale", "onsale"]
    assert sent[0]["event_id"] == sent[1]["event_id"] != sent[2]["event_id"]
    assert source.announce(THIRD) == []


def interrupted_first_run(source: Source) -> dict[str, dict[str, Any]]:
    """The rows as they were before the first run noted its event, which it never sent."""
    source.deliver(FIRST, [event()])
    source.deliver(SECOND, [event(status="offsale")])
    read = module.announced(source.state)  # type: ignore[arg-type]
    source.producer.is_down = True
    with pytest.raises(RuntimeError):
        source.announce(FIRST)
    source.producer.is_down = False
    return read


def test_a_change_that_meets_another_runs_note_follows_what_that_run_is_about_to_send(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = [interrupted_first_run(source)]  # the second run has read the rows before the first one's note
    read = module.announced
    monkeypatch.setattr(module, "announced", lambda state: readings.pop() if readings else read(state))
    assert source.announce(SECOND) == [("event_listed", "vv1"), ("status_changed", "vv1")]
    assert source.announce(SECOND) == []


def test_a_change_that_meets_other_runs_each_time_is_named_and_left_to_the_retry(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = interrupted_first_run(source)
    with monkeypatch.context() as patched:
        patched.setattr(module, "announced", lambda _: stale)
        with pytest.raises(module.AnnouncementContestedError, match=r"1 events of run run-2 .* 'vv1'"):
            source.announce(SECOND)
    assert source.announce(SECOND) == [("event_listed", "vv1"), ("status_changed", "vv1")]


def test_an_event_that_the_stream_refuses_does_not_keep_the_others_from_a_second_look(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = [interrupted_first_run(source)]
    source.deliver(SECOND, [{**event(1), "id": "x" * (LARGEST_RECORD + 1)}, event(status="offsale")])
    read = module.announced
    monkeypatch.setattr(module, "announced", lambda state: readings.pop() if readings else read(state))
    with pytest.raises(RecordsRefusedError, match="1 records refused"):
        source.announce(SECOND)
    assert [sent["type"] for sent in source.producer.sent] == ["event_listed", "status_changed"]


@pytest.mark.parametrize(
    ("date", "expires"), [("2026-09-01", "2026-11-30"), ("2020-01-01", "2026-10-01"), (None, "2028-07-02")]
)
def test_an_announced_event_expires_after_its_day(source: Source, date: str | None, expires: str) -> None:
    source.deliver(FIRST, [event(date=date)])
    source.announce(FIRST)
    (row,) = source.state.rows("_announced#ticketmaster")
    assert datetime.fromtimestamp(row["expires_at"], UTC).date().isoformat() == expires
