"""Every SQL file parses as Redshift, says what it is, and takes values only through the checking filters."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from concert_platform import settings as settings_module
from concert_platform import warehouse
from concert_platform.models import MODELS
from concert_platform.models.features import feature_checks
from concert_platform.warehouse import sql_files
from local.lint import redshift

SQL = Path(__file__).parents[3] / "include" / "sql"
FILES = sorted(path.relative_to(SQL).as_posix() for path in SQL.glob("*/*.sql"))
SHARED = sorted(path.relative_to(SQL).as_posix() for path in SQL.glob("load/shared/*.sql"))
CHECKS = sorted(path for path in FILES if path.startswith("checks/") and path != "checks/account.sql")
VALUES: dict[str, Any] = {
    "dt": "2020-03-04", "as_of": "2020-03-04", "oldest": "2020-03-04", "since": "2020-03-04T00:00:00+00:00",
    "run_id": "run-1", "report_etag": "0a1b", "run_ids": ["run-1"], "model_name": "sales",
    "model_version": "2020-03-04-0a1b2c3d", "run_moment": "20200304T030000-000000",
    "known": [*warehouse.ENTITIES], "is_whole": False, "due_keys": [1, 2], "other_days": [],
    "manifests": {entity: f"s3://a-bucket/{entity}.manifest" for entity in warehouse.ENTITIES},
    "features": [{"file": "features/sales_history.sql", "uri": "s3://a-bucket/history/"}],
    **{f"{name}_uri": f"s3://a-bucket/{name}/"
       for name in ("accounts", "checks", "quarantine_manifest", "forecasts", "recommendations", "analyses", "registry",
                    "drift", "objects", "manifest")},
}  # fmt: skip


@pytest.fixture(autouse=True)
def staging(monkeypatch: pytest.MonkeyPatch) -> None:
    names = settings_module.Settings(environment="staging", account_id="000000000000", region="us-east-1")
    monkeypatch.setattr(sql_files, "settings", lambda: names)


def rendered(file: str) -> list[str]:
    named = {"checks": warehouse.checks(), "feature_checks": feature_checks()}
    return warehouse.render([file], entity=Path(file).stem, **named, **VALUES)


@cache
def text(file: str) -> str:
    return (SQL / file).read_text(encoding="utf-8")


TABLES = [file for file in FILES if file.startswith("migrations/") and "\nCREATE TABLE" in text(file)]
TABLES.remove("migrations/0040_load_locks.sql")


def test_there_are_files_of_every_kind() -> None:
    folders = {file.split("/")[0] for file in FILES}
    assert (
        folders == {"migrations", "load", "stream", "marts", "checks", "features", "feature_checks"}
        and len(TABLES) >= 20
    )


@pytest.mark.parametrize("file", FILES)
def test_a_file_parses_as_redshift(file: str) -> None:
    statements = rendered(file)
    assert statements and [redshift.problem(statement) for statement in statements] == [None] * len(statements)


@pytest.mark.parametrize("file", FILES)
def test_a_file_begins_with_a_comment_and_holds_nothing_that_commits_or_is_enforced_by_nobody(file: str) -> None:
    assert text(file).startswith("-- ")
    words = " ".join(rendered(file)).upper()
    for forbidden in ("TRUNCATE", "PRIMARY KEY", "UNIQUE", "QUALIFY", " TOP ", "DECODE(", "FLOAT"):
        assert forbidden not in words


OF_THE_FILES = ("check.table", "check.runs", "table", "column", 'key | join(", ")', 'columns | join(", ")')


@pytest.mark.parametrize("file", FILES + SHARED)
def test_a_value_enters_only_through_a_filter(file: str) -> None:
    """What stands there without one is a name that the SQL files themselves set."""
    for expression in re.findall(r"\{\{(.*?)\}\}", text(file)):
        assert (
            re.search(r"\| sql_(date|timestamp|slugs?|s3_uri|role_arn) *$", expression)
            or expression.strip() in OF_THE_FILES
        )


@pytest.mark.parametrize("file", SHARED)
def test_a_shared_part_says_what_it_is(file: str) -> None:
    assert text(file).startswith("-- ")


@pytest.mark.parametrize("file", TABLES)
def test_a_table_has_a_file_of_its_name_with_grain_key_and_source(file: str) -> None:
    (statement,) = rendered(file)
    table = sqlglot.parse_one(statement, dialect="redshift").find(exp.Table)
    assert table is not None
    assert file[len("migrations/0000_") :] == f"{table.db}_{table.name}.sql"
    assert text(file).startswith(f"-- {table.db}.{table.name}: ")
    assert re.search(r"^-- (Key|No key)", text(file), re.MULTILINE) and "Source: " in text(file)
    assert statement.startswith("CREATE TABLE IF NOT EXISTS")


@pytest.mark.parametrize("file", TABLES)
def test_money_is_decimal_beside_a_currency(file: str) -> None:
    columns = {
        column.name: column.args["kind"].sql(dialect="redshift")
        for column in sqlglot.parse_one(rendered(file)[0], dialect="redshift").find_all(exp.ColumnDef)
    }
    money = {name for name in columns if name.startswith("price") or name in ("gross", "average_price", "top_price")}
    assert all(columns[name].startswith("DECIMAL") for name in money)
    assert not money or "currency" in columns


def test_each_check_states_severity_and_table() -> None:
    assert sorted(check["file"] for check in warehouse.checks()) == CHECKS


def test_each_check_of_the_features_states_severity_and_a_feature_set() -> None:
    found = feature_checks()
    assert {check["features"] for check in found} <= set(FILES)
    assert sorted(check["file"] for check in found) == [file for file in FILES if file.startswith("feature_checks/")]
    models = {f"features/{model.name}_{feature}.sql" for model in MODELS for feature in model.features}
    stopped = {check["features"] for check in found if check["severity"] == "fail"}
    assert models == stopped, "each feature set that a model reads has a rule that stops the run"


def test_an_entity_without_rows_is_not_copied() -> None:
    values = {**VALUES, "manifests": {**VALUES["manifests"], "event": None}, "quarantine_manifest_uri": None,
              "entities": ["event", "venue"]}  # fmt: skip
    planned = warehouse.transactions(values)
    copied = {
        name: re.findall(r"^COPY (\S+)", "\n".join(statements), re.MULTILINE)
        for name, statements in (*planned.entities.items(), ("closing", planned.closing))
    }
    assert copied == {"event": ["account"], "venue": ["staged", "account"], "closing": ["quality.check_result"]}


@pytest.mark.parametrize("entity", warehouse.ENTITIES)
def test_a_load_locks_before_it_takes_a_snapshot(entity: str) -> None:
    """LOCK takes none; after any other statement the second of two loads would not see what the first has written."""
    assert rendered(f"load/{entity}.sql")[0] == f"LOCK staging.lock_{entity}"


def test_what_an_earlier_load_brought_is_decided_under_the_lock_and_not_by_what_was_known_before() -> None:
    first, again = (
        warehouse.render(["load/event.sql"], entity="event", **{**VALUES, "known": known}) for known in ([], ["event"])
    )
    assert first == again and first[0].startswith("LOCK")
    assert any(statement.startswith("DELETE FROM quality.load_audit") for statement in first)


@pytest.mark.parametrize("value", ["run-1'; DROP TABLE core.fact_event; --", "", "a b"])
def test_a_run_id_that_is_no_slug_never_becomes_sql(value: str) -> None:
    with pytest.raises(ValueError, match="may not stand in SQL"):
        warehouse.render(["load/close_load.sql"], **{**VALUES, "run_id": value})


@pytest.mark.parametrize("value", ["yesterday", "2020-03-04' OR '1' = '1", ""])
def test_a_time_that_is_none_never_becomes_sql(value: str) -> None:
    with pytest.raises(ValueError, match="Invalid isoformat string"):
        warehouse.render(["load/concert_artists.sql"], **{**VALUES, "since": value})


def test_a_time_stands_in_sql_in_utc() -> None:
    (statement,) = warehouse.render(["load/concert_artists.sql"], **{**VALUES, "since": "2020-03-04T01:30:00+02:00"})
    assert "loaded_at > '2020-03-03 23:30:00.000000'" in statement


@pytest.mark.parametrize("value", ["arn:aws:iam::1:role/x", "arn:aws:iam::000000000000:role/x' CREDENTIALS '"])
def test_a_role_that_is_no_arn_never_becomes_sql(value: str) -> None:
    with pytest.raises(ValueError, match="no ARN of a role"):
        warehouse.render(["load/shared/stage_account.sql"], accounts_uri="s3://a-bucket/x", warehouse_role=value)


def test_a_pattern_without_a_file_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"load/nothing_\*\.sql matches no file"):
        warehouse.render(["load/nothing_*.sql"])


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("SELECT 1;\nSELECT 2;\n", ["SELECT 1", "SELECT 2"]),
        ("-- it's a comment;\nSELECT 1", ["SELECT 1"]),
        ("SELECT 'a;--b''c'; SELECT 2 -- end;", ["SELECT 'a;--b''c'", "SELECT 2"]),
        ("UNLOAD ($$ SELECT 1; -- it's\n $$) TO 's3://x'", ["UNLOAD ($$ SELECT 1; -- it's\n $$) TO 's3://x'"]),
        (" ; -- nothing\n", []),
    ],
)
def test_text_is_split_outside_literals_and_comments(sql: str, statements: list[str]) -> None:
    assert warehouse.split(sql) == statements


def test_the_checks_after_many_loads_fit_one_batch() -> None:
    """BatchExecuteStatement takes 40 statements: their number may not grow with that of the loads."""
    files = ["load/clear_failure.sql", "load/record_checks.sql"]
    values = {**VALUES, "run_ids": [f"run-{n}" for n in range(60)]}
    assert len(warehouse.render(files, checks=warehouse.checks(), **values)) <= warehouse.MOST_STATEMENTS
