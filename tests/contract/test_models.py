"""Versions of the models: registered, chosen, rolled back and recorded, on the real registry and warehouse."""

import json
from types import SimpleNamespace

import pytest

from concert_platform import model_tasks, notifications, warehouse
from concert_platform.compat import AirflowSkipException
from concert_platform.models import evaluation, names, records, registry
from tests.contract.curated_runs import T2, Platform, report
from tests.contract.model_platform import (
    CODE,
    DAY,
    RUN,
    SALES,
    evaluation_of,
    forecast,
    load_next_day,
    publish,
    record,
    refused,
    register,
    trained,
)

pytest_plugins = ["tests.contract.warehouse_platform", "tests.contract.model_platform"]


def recorded() -> dict[str, tuple[str, str]]:
    rows = warehouse.query("SELECT version, status, reason FROM ml.model_registry WHERE name = 'sales'")
    return {version: (status, reason) for version, status, reason in rows}


# ---------------------------------------------------------------- registration


def test_a_better_version_becomes_champion_and_a_worse_one_is_kept_as_rejected(registered: Platform) -> None:
    register(registered, "v1")
    register(registered, "v2", **refused())
    champion = registry.champion(SALES)
    assert champion is not None and champion.version == "v1"
    assert champion.reason == "better than the baseline"
    assert champion.properties["metrics:wape"] == "0.031" and champion.properties["baseline:wape"] == "0.039"
    assert "metrics:utilisation_r2" not in champion.properties, "a figure that does not exist"
    assert recorded() == {
        "v1": ("Approved", "better than the baseline"), "v2": ("Rejected", "wape is worse than the champion's")
    }  # fmt: skip
    assert json.loads(warehouse.query("SELECT decision FROM ml.model_registry WHERE version = 'v2'")[0][0]) == {
        "promote": False, "reason": "wape is worse than the champion's", "margin": 0.01, "bound": 0.05
    }  # fmt: skip


def test_registering_again_makes_no_second_version_and_undoes_no_rollback(registered: Platform) -> None:
    register(registered, "v1")
    register(registered, "v2")
    registry.roll_back(SALES, "v1", "by-hand")
    assert register(registered, "v2").status == "Rejected"
    assert [version.version for version in registry.versions(SALES)] == ["v2", "v1"]
    assert len(warehouse.query("SELECT version FROM ml.model_registry")) == 2


@pytest.mark.parametrize("stated", ["v1", None], ids=["compared", "could not be used"])
def test_a_version_that_beats_a_former_champion_does_not_replace_the_one_since(
    registered: Platform, published_code: str, stated: str | None
) -> None:
    register(registered, "v1")
    old = trained(registered, "job-v2", evaluation_of("v2", champion={"version": stated} if stated else None))
    register(registered, "v3")
    run = SimpleNamespace(run_id="run-v2")
    looked = {"fingerprint": "1-2-4", "code": CODE, "champion": "v1"}
    for _ in range(2):
        model_tasks.register_trained.function("sales", old, looked, ti=run)
        champion, newest = registry.champion(SALES), registry.newest(SALES)
        assert champion is not None and champion.version == "v3"
        assert newest is not None and (newest.version, newest.status, newest.fingerprint) == ("v2", "Rejected", "")
        assert newest.reason == (
            "the champion has changed since: v1 was compared, v3 serves; the next run compares again"
        )
        assert not newest.was_approved


def test_a_worse_version_keeps_its_own_reason_when_the_champion_has_changed(registered: Platform) -> None:
    register(registered, "v1")
    found = register(registered, "v2", champion={"version": "v0"}, **refused())
    assert (found.reason, found.fingerprint) == ("wape is worse than the champion's", "1-2-3")


def test_without_an_approved_version_there_is_no_champion(registered: Platform) -> None:
    register(registered, "v1", **refused("worse than the baseline"))
    assert registry.champion(SALES) is None
    newest = registry.newest(SALES)
    assert newest is not None and newest.fingerprint == "1-2-3"


def test_a_training_without_evaluation_is_named_in_one_line(registered: Platform) -> None:
    uri = trained(registered, "job-silent", None)
    with pytest.raises(evaluation.EvaluationError, match=r"output\.tar\.gz is missing: train\.py must write"):
        evaluation.read_evaluation(uri)
    stated = evaluation_of("v1")
    del stated["decision"]
    with pytest.raises(evaluation.EvaluationError, match=r"holds no usable evaluation\.json \(KeyError: 'decision'\)"):
        evaluation.read_evaluation(trained(registered, "job-half", stated))


def test_drift_is_recorded_once_and_named(registered: Platform) -> None:
    comparison = {"feature": "capacity", "statistic": "psi", "value": 0.31, "threshold": 0.2, "drifted": True}
    calm = {"metric": "wape", "value": 1.0, "threshold": 1.5, "drifted": False}
    for _ in range(2):
        register(registered, "v1", drift={"inputs": [comparison], "errors": [calm]})
    rows = warehouse.query("SELECT version, kind, feature, value, drifted FROM ml.model_drift ORDER BY kind")
    assert rows == [["v1", "error", "wape", 1.0, False], ["v1", "input", "capacity", 0.31, True]]
    found = evaluation.read_evaluation(f"{names.model_uri('sales')}job-v1/output/model.tar.gz")
    assert found.drifted == ["input capacity: psi is 0.31, threshold 0.2"]


# ---------------------------------------------------------------- rollback


def test_a_rollback_makes_the_former_version_champion_and_the_warehouse_says_so(registered: Platform) -> None:
    for version in ("v1", "v2", "v3"):
        register(registered, version)
    changed = registry.roll_back(SALES, "v1", "by-hand")
    record(records.record_statuses(SALES, "by-hand", changed))
    champion = registry.champion(SALES)
    assert champion is not None and champion.version == "v1"
    reason = "rolled back to v1 by by-hand"
    assert recorded() == {
        "v1": ("Approved", "better than the baseline"), "v2": ("Rejected", reason), "v3": ("Rejected", reason)
    }  # fmt: skip
    metrics = warehouse.query("SELECT metrics FROM ml.model_registry WHERE version = 'v3'")
    assert json.loads(metrics[0][0])["wape"] == 0.031, "figures of the version stay"


def test_what_was_rolled_back_can_be_rolled_forward(registered: Platform) -> None:
    register(registered, "v1")
    register(registered, "v2")
    registry.roll_back(SALES, "v1", "one")
    registry.roll_back(SALES, "v2", "two")
    champion = registry.champion(SALES)
    assert champion is not None and (champion.version, champion.reason) == ("v2", "rolled back to by two")


def test_a_rollback_that_is_repeated_tells_the_warehouse_of_what_the_first_has_changed(registered: Platform) -> None:
    for version in ("v1", "v2", "v3"):
        register(registered, version)
    registry.roll_back(SALES, "v1", "by-hand")  # killed before it could tell
    changed = registry.roll_back(SALES, "v1", "by-hand")
    record(records.record_statuses(SALES, "by-hand", changed))
    assert {version: status for version, (status, _) in recorded().items()} == {
        "v1": "Approved", "v2": "Rejected", "v3": "Rejected"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("v9", "sales has no version 'v9': choose one of v2, v1"),
        ("v2", r"sales v2 never was approved \(wape is worse than the champion's\): choose a version that was"),
    ],
)
def test_a_version_that_cannot_serve_is_refused_in_one_line(registered: Platform, wanted: str, message: str) -> None:
    register(registered, "v1")
    register(registered, "v2", **refused())
    with pytest.raises(registry.UnknownVersionError, match=message):
        registry.roll_back(SALES, wanted, "by-hand")
    champion = registry.champion(SALES)
    assert champion is not None and champion.version == "v1"


# ---------------------------------------------------------------- tasks of the nightly run


@pytest.fixture
def published_code(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(names, "model_code", lambda: CODE)
    return CODE


def choose() -> dict[str, str]:
    return model_tasks.find_champion.function("sales", ti=SimpleNamespace(run_id=RUN))


def look(day: str = DAY) -> dict[str, str]:
    return model_tasks.find_new_data.function("sales", model_tasks.take_fingerprints.function(day))


def test_rows_that_are_loaded_after_the_fingerprint_are_new_data_on_the_next_night(
    registered: Platform, published_code: str
) -> None:
    registered.curate(box_office=[report(1)])
    registered.load()
    fingerprints = model_tasks.take_fingerprints.function(DAY)
    load_next_day(registered, box_office=[report(2, ingested_at=T2)])  # before or after the UNLOAD: nobody can tell
    register(registered, "v1", fingerprint=model_tasks.find_new_data.function("sales", fingerprints)["fingerprint"])
    assert look()["nothing_new"] == ""


def test_without_new_data_there_is_nothing_to_train_and_the_champion_goes_on(
    registered: Platform, published_code: str
) -> None:
    registered.curate(box_office=[report(1)])
    registered.load()
    first = look()
    assert (first["nothing_new"], first["champion_uri"]) == ("", "")
    champion = register(registered, "v1", fingerprint=first["fingerprint"])
    again = look("2020-03-05")
    assert again["nothing_new"] == "sales: no new data since v1 was trained, so there is no training"
    assert again["champion_uri"] == champion.model_uri.removesuffix("model.tar.gz")
    assert choose()["version"] == "v1"
    load_next_day(registered, box_office=[report(2, ingested_at=T2)])
    assert look()["nothing_new"] == ""


def test_a_rejected_version_is_not_trained_again_on_the_same_data(registered: Platform, published_code: str) -> None:
    found = look()["fingerprint"]
    register(registered, "v1")
    register(registered, "v2", fingerprint=found, **refused())
    again = look()
    assert again["nothing_new"].startswith("sales: no new data since v2 was trained")
    assert choose()["version"] == "v1"


def test_a_model_without_an_approved_version_is_not_scored(registered: Platform, published_code: str) -> None:
    with pytest.raises(AirflowSkipException, match="sales: no version was approved yet"):
        choose()


NEW_CODE = "s3://artifacts/artifacts/1b/ml/source.tar.gz"


@pytest.mark.parametrize(
    ("schema", "trained_with", "expected"),
    [
        (3, CODE, CODE), (3, NEW_CODE, NEW_CODE), (4, NEW_CODE, CODE)
    ],
    ids=["the published code has trained nothing yet", "it reads the same features", "it reads other features"],
)  # fmt: skip
def test_a_version_is_scored_with_code_that_reads_its_features(
    registered: Platform, monkeypatch: pytest.MonkeyPatch, schema: int, trained_with: str, expected: str
) -> None:
    monkeypatch.setattr(names, "model_code", lambda: NEW_CODE)
    register(registered, "v1")
    register(registered, "v2", feature_schema=schema, code=trained_with)
    registry.roll_back(SALES, "v1", "by-hand")
    chosen = choose()
    assert (chosen["version"], chosen["code"]) == ("v1", expected)


def test_what_was_never_recorded_is_recorded_with_the_next_publication(
    registered: Platform, published_code: str
) -> None:
    comparison = {"feature": "capacity", "statistic": "psi", "value": 0.31, "threshold": 0.2, "drifted": True}
    for version, changes in (("v1", {}), ("v2", refused())):
        register(registered, version, drift={"inputs": [comparison], "errors": []}, **changes)
    warehouse.execute_batch(["DELETE FROM ml.model_registry", "DELETE FROM ml.model_drift"])
    query = "SELECT version, status, run_id, metrics, published_run_id FROM ml.model_registry ORDER BY version"
    for _ in range(2):
        publish(registered, SALES, [forecast("e1", 800)], told=choose())
        found = warehouse.query(query)
        assert [row[:3] for row in found] == [["v1", "Approved", "run-v1"], ["v2", "Rejected", "run-v2"]]
        assert json.loads(found[0][3])["wape"] == 0.031
        assert [row[4] for row in found] == ["x", None]
        assert warehouse.query("SELECT version FROM ml.model_drift ORDER BY version") == [["v1"], ["v2"]]


def test_a_publication_leaves_the_status_that_a_rollback_has_recorded_since(
    registered: Platform, published_code: str
) -> None:
    for version in ("v1", "v2"):
        register(registered, version)
    chosen = choose()
    record(records.record_statuses(SALES, "by-hand", registry.roll_back(SALES, "v1", "by-hand")))
    publish(registered, SALES, [forecast("e1", 800)], chosen["version"], told=chosen)
    assert recorded()["v2"] == ("Rejected", "rolled back to v1 by by-hand")


def test_a_version_whose_evaluation_is_gone_is_recorded_without_figures(
    registered: Platform, published_code: str
) -> None:
    version = register(registered, "v1")
    bucket, _, key = evaluation.evaluation_uri(version.model_uri).removeprefix("s3://").partition("/")
    registered.s3.delete_object(Bucket=bucket, Key=key)
    warehouse.execute_batch(["DELETE FROM ml.model_registry"])
    publish(registered, SALES, [forecast("e1", 800)], told=choose())
    assert warehouse.query("SELECT version, status, metrics FROM ml.model_registry") == [["v1", "Approved", None]]


def test_drift_is_told_when_the_version_is_registered(registered: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(notifications, "send_alert", lambda subject, message: told.append((subject, message)))
    comparison = {"feature": "capacity", "statistic": "psi", "value": 0.31, "threshold": 0.2, "drifted": True}
    for before, version, drift in (("", "v1", []), ("v1", "v2", [comparison])):
        uri = trained(registered, f"job-{version}", evaluation_of(version, drift={"inputs": drift, "errors": []}))
        run = SimpleNamespace(run_id=f"run-{version}")
        looked = {"fingerprint": "1-2-3", "code": CODE, "champion": before}
        values = model_tasks.register_trained.function("sales", uri, looked, ti=run)
        record(values)
    assert told == [("Concert platform: drift of model sales", "v2: input capacity: psi is 0.31, threshold 0.2")]
    assert warehouse.query("SELECT version, run_id FROM ml.model_drift") == [["v2", "run-v2"]]
