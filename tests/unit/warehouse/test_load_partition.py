"""A partition's transactions: side by side, the last one after all; what a retry sends, what a backfill asks."""

from types import SimpleNamespace
from typing import Any

import pytest

from concert_platform import backlog, warehouse
from concert_platform.compat import AirflowFailException
from concert_platform.operators import redshift
from concert_platform.partitions import Partition
from concert_platform.warehouse import data_api
from concert_platform.warehouse.loads import Transactions


class FakeDataApi:
    """A token names one batch; a batch whose SQL holds 'broken' fails."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.batches: dict[str, str] = {}

    def batch_execute_statement(self, *, ClientToken: str, Sqls: list[str], **_: Any) -> dict[str, str]:
        if ClientToken not in self.batches:
            self.batches[ClientToken] = Sqls[0]
            self.sent.append(Sqls[0])
        return {"Id": self.batches[ClientToken]}

    def describe_statement(self, *, Id: str) -> dict[str, Any]:
        return {"Id": Id, "Status": "FAILED" if "broken" in Id else "FINISHED", "Error": "disk full"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeDataApi:
    fake = FakeDataApi()
    monkeypatch.setattr(data_api, "client", lambda service: fake)
    monkeypatch.setattr(data_api, "settings", lambda: SimpleNamespace(workgroup="w", database="d"))
    return fake


def run(monkeypatch: pytest.MonkeyPatch, try_number: int, **entities: str) -> Any:
    planned = Transactions({name: [sql] for name, sql in entities.items()}, ["closing"])
    monkeypatch.setattr(warehouse, "transactions", lambda values: planned)
    operator = redshift.LoadPartitionOperator(task_id="load_partition", values={}, retries=2)
    ti = SimpleNamespace(
        dag_id="d", task_id="load_partition", run_id="r", map_index=0, try_number=try_number, max_tries=2,
        xcom_push=lambda key, value: None,
    )  # fmt: skip
    return operator.execute({"ti": ti})


def test_the_last_transaction_follows_all_entities(api: FakeDataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, 1, event="event", venue="venue")
    assert api.sent == ["event", "venue", "closing"]


def test_a_run_of_another_days_id_is_not_tried_again(api: FakeDataApi) -> None:
    values = {"run_id": "r", "dt": "2020-03-05", "other_days": ["2020-03-04"]}
    told: dict[str, str] = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: told.update({key: value}))
    with pytest.raises(AirflowFailException, match="run r of 2020-03-05 is not loaded"):
        redshift.LoadPartitionOperator(task_id="load_partition", values=values).execute({"ti": ti})
    assert told["error"].startswith("run r of 2020-03-05 is not loaded")
    assert api.sent == []


def test_a_retry_sends_only_what_has_failed(api: FakeDataApi, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(warehouse.StatementFailedError, match=r"^venue: SQL broken venue failed: disk full$"):
        run(monkeypatch, 1, event="event", venue="broken venue")
    assert "closing" not in api.sent
    run(monkeypatch, 2, event="event", venue="venue")
    assert api.sent == ["event", "broken venue", "venue", "closing"]


@pytest.mark.parametrize(("run_type", "expected"), [("backfill", ["a", "b"]), ("scheduled", ["b"])])
def test_a_backfill_takes_every_run_of_its_day_and_the_daily_tick_those_not_loaded(
    monkeypatch: pytest.MonkeyPatch, run_type: str, expected: list[str]
) -> None:
    found = [backlog.Version(Partition("2020-03-04", run), f"etag-{run}") for run in ("a", "b")]
    asked: list[str] = []
    monkeypatch.setattr(backlog, "_versions", lambda bucket, prefix, pattern: asked.append(prefix) or found)
    monkeypatch.setattr(backlog, "_loaded", lambda: {("a", "etag-a")})
    monkeypatch.setattr(backlog, "settings", lambda: SimpleNamespace(curated_bucket="curated"))
    moment = SimpleNamespace(date=lambda: SimpleNamespace(isoformat=lambda: "2020-03-04"))
    context = {"dag_run": SimpleNamespace(conf={}, logical_date=moment, run_after=None, run_type=run_type)}
    assert backlog.to_load_again(context) == [Partition("2020-03-04", run) for run in expected]
    assert asked == ["curated/_reports/dt=2020-03-04/"]
