"""The whole platform under the real scheduler, on a small input: run, break, run again, stop."""

import csv
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from local.platform.main_job import CHAIN
from tests.deadlines import until
from tests.end_to_end.conftest import BROADWAY_ROWS, INTERACTION_ROWS, Checkout

pytestmark = [pytest.mark.end_to_end, pytest.mark.usefixtures("first_run")]


def counts(report: dict) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Accounts by source and entity."""
    names = ("read", "loaded", "quarantined", "deduplicated")
    return {(row["source"], row["entity"]): tuple(row[name] for name in names) for row in report["sources"]}


def ask(checkout: Checkout, sql: str) -> list[list]:
    """Rows of a statement, through the Redshift Data API."""
    known, client = checkout.read("endpoints.json"), checkout.client("redshift-data")
    statement = client.execute_statement(
        WorkgroupName=known["redshift_workgroup"], Database=known["redshift_database"], Sql=sql
    )["Id"]

    def ended() -> dict[str, Any] | None:
        state = client.describe_statement(Id=statement)
        return state if state["Status"] in ("FINISHED", "FAILED", "ABORTED") else None

    state = until(ended)
    assert state["Status"] == "FINISHED", state.get("Error")
    rows = client.get_statement_result(Id=statement)["Records"]
    return [[next(iter(field.values())) for field in row] for row in rows]


def test_each_dag_of_the_chain_has_exactly_one_successful_run(checkout: Checkout) -> None:
    dags = checkout.read("run-report.json")["dags"]
    assert sorted(dag["dag_id"] for dag in dags) == sorted(CHAIN)
    assert {dag["state"] for dag in dags} == {"success"}


def test_every_record_of_the_samples_is_accounted_for(checkout: Checkout) -> None:
    found = counts(checkout.read("run-report.json"))
    tours = checkout.folder / "samples/taylor_swift_tours/taylor_swift_tours.csv"
    with tours.open(newline="") as file:
        concerts = len(list(csv.DictReader(file)))
    assert found["broadway_weekly_grosses", "box_office"][0] == BROADWAY_ROWS
    assert found["taylor_swift_tours", "box_office"][0] == concerts
    assert found["lastfm", "interaction"][0] == INTERACTION_ROWS
    assert found["ticketmaster", "event"][0] >= 40
    for source, (read, loaded, quarantined, deduplicated) in found.items():
        assert read == loaded + quarantined + deduplicated, source


def test_the_accounts_are_those_of_core_itself(checkout: Checkout) -> None:
    found = counts(checkout.read("run-report.json"))
    live = dict(ask(checkout, "SELECT source, COUNT(*) FROM core.fact_box_office GROUP BY source"))
    assert live["broadway_weekly_grosses"] == found["broadway_weekly_grosses", "box_office"][1]
    assert live["taylor_swift_tours"] == found["taylor_swift_tours", "box_office"][1]
    assert ask(checkout, "SELECT COUNT(*) FROM core.fact_interaction") == [[found["lastfm", "interaction"][1]]]
    assert ask(checkout, "SELECT COUNT(*) FROM core.fact_event") == [[found["ticketmaster", "event"][1]]]


def test_every_model_is_trained_compared_and_serves(first_report: dict) -> None:
    models = first_report["models"]
    assert [model["name"] for model in models] == ["recommender", "sales", "venues"]
    for model in models:
        assert (model["status"], model["trained"], model["serves"]) == ("Approved", True, True), model
        assert model["reason"]
    sales = models[1]
    assert 0 < sales["metrics"]["wape"] < 1
    assert 0 < sales["baseline"]["wape"] < 1


def test_scores_are_published_for_users_events_and_venues(first_report: dict) -> None:
    scores = first_report["scores"]
    assert scores["lastfm_users_with_10_recommendations"] >= 0.95 * scores["lastfm_users"] > 0
    assert scores["upcoming_events_with_forecast"] == scores["upcoming_events"] >= 30
    assert sum(row["events"] for row in scores["forecasts"]) == scores["upcoming_events"]
    assert sum(scores["venues_analysed"].values()) > 0


def test_the_api_finds_what_the_warehouse_holds(checkout: Checkout) -> None:
    client, table = checkout.client("dynamodb"), "concert-platform-development-model-scores"
    for model, subjects in (
        ("sales", "SELECT 'concert/' || concert_id FROM ml.sales_forecast"),
        ("venues", "SELECT 'venue/' || venue_id FROM ml.venue_analysis"),
        ("recommender", "SELECT DISTINCT 'user/hybrid/' || user_id FROM ml.recommendation LIMIT 20"),
    ):
        pointer = client.get_item(
            TableName=table, Key={"subject": {"S": f"{model}/current"}, "publication": {"S": "current"}}
        )["Item"]
        for (subject,) in ask(checkout, subjects):
            key = {"subject": {"S": f"{model}/{subject}"}, "publication": pointer["name"]}
            assert "Item" in client.get_item(TableName=table, Key=key), subject


def test_the_deployed_api_serves_what_the_warehouse_holds(checkout: Checkout) -> None:
    known = checkout.read("endpoints.json")

    def get(path: str) -> Any:
        asked = urllib.request.Request(
            known["api_url"] + quote(path, safe="/?="), headers={"X-Api-Key": known["api_key"]}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())

    of_a_user = "FROM ml.recommendation WHERE algorithm = 'hybrid'"
    [[user]] = ask(checkout, f"SELECT MIN(user_id) {of_a_user}")
    listed = ask(checkout, f"SELECT artist_id {of_a_user} AND user_id = '{user}' ORDER BY position LIMIT 5")
    shown = get(f"/recommendations/{user}?limit=5")["recommendations"]
    assert [[one["artist_id"]] for one in shown] == listed
    newest = "FROM ml.sales_forecast ORDER BY as_of DESC, concert_id LIMIT 1"
    [[concert, tickets]] = ask(checkout, f"SELECT concert_id, expected_tickets {newest}")
    assert get(f"/concerts/{concert}/forecast")["expected_tickets"] == tickets
    [[venue, version]] = ask(checkout, "SELECT venue_id, model_version FROM ml.venue_analysis LIMIT 1")
    assert get(f"/venues/{venue}/analysis")["model_version"] == version


def test_what_endpoints_json_names_is_there(checkout: Checkout) -> None:
    known = checkout.read("endpoints.json")
    found = {name: set(known[name].values()) for name in ("streams", "functions", "buckets")}
    deployed = {
        "streams": set(checkout.client("kinesis").list_streams()["StreamNames"]),
        "functions": {item["FunctionName"] for item in checkout.client("lambda").list_functions()["Functions"]},
        "buckets": {item["Name"] for item in checkout.client("s3").list_buckets()["Buckets"]},
    }
    assert all(found.values())
    assert {name: found[name] - deployed[name] for name in found} == {name: set() for name in found}


def test_a_file_without_a_column_fails_the_run_in_one_line_and_the_run_after_it_changes_no_count(
    checkout: Checkout,
) -> None:
    before = counts(checkout.read("run-report.json"))
    bucket = checkout.read("endpoints.json")["buckets"]["raw"]
    s3 = checkout.client("s3")
    key = "landing/box_office/mapping=broadway_weekly_grosses/half.csv"
    s3.put_object(Bucket=bucket, Key=key, Body=b"show,week_ending\nHamilton,2018-05-06\n")
    answer = checkout.command("run")
    s3.delete_object(Bucket=bucket, Key=key)
    assert answer.returncode == 1
    reasons = [line for line in answer.stdout.splitlines() if line.startswith("error:")]
    assert any("half.csv" in line and "log:" in line for line in reasons), answer.stdout[-3000:]
    answer = checkout.command("run")
    assert answer.returncode == 0, answer.stdout[-3000:]
    report = checkout.read("run-report.json")
    assert counts(report) == before
    models = [(model["name"], model["trained"], model["serves"]) for model in report["models"]]
    assert models == [(name, False, True) for name in ("recommender", "sales", "venues")], "no new data: no training"


def test_every_service_listens_on_this_machine_only(checkout: Checkout) -> None:
    listening = [socket for socket in sockets(checkout.processes()) if socket.status == psutil.CONN_LISTEN]
    assert {socket.laddr.ip for socket in listening} == {"127.0.0.1"}


def sockets(processes: list[int]) -> Iterator[Any]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a task's process has ended since it was listed
            yield from psutil.Process(process).net_connections("tcp")


def test_stop_leaves_no_process(checkout: Checkout) -> None:
    assert checkout.command("stop").returncode == 0
    left = checkout.processes()
    assert checkout.command("up").returncode == 0, "what was stopped comes up again, for the other tests too"
    assert left == []


def test_the_caller_of_a_piped_run_gets_its_end(first_run: subprocess.CompletedProcess[str]) -> None:
    """`run` was called with its output in a pipe, which ends although the platform stays up."""
    assert "Airflow" in first_run.stdout
    assert Path(first_run.args[0]).exists()
