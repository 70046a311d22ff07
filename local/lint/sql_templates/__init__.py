"""What sqlfluff fills the templates of include/sql with (library_path in .sqlfluff): filters, and a value of each name.

The filters only quote here; that they refuse what may not stand in SQL is shown by tests/unit/warehouse.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

SQL = Path(__file__).resolve().parents[3] / "include" / "sql"
_HEADER = re.compile(r"Severity: (?P<severity>\w+)\. Table: (?P<table>\w+\.\w+)(?:\. Runs: (?P<runs>\w+))?")


def _quoted(value: object) -> str:
    return f"'{value}'"


def _all_quoted(values: Iterable[object]) -> str:
    return ", ".join(map(_quoted, values))


def _checks() -> list[dict[str, Any]]:
    found = []
    for path in sorted(SQL.glob("checks/*.sql")):
        if header := _HEADER.search(path.read_text(encoding="utf-8")):
            found.append({"name": path.stem, "file": f"checks/{path.name}", **header.groupdict()})
    return found


def _feature_checks() -> list[dict[str, str]]:
    return [
        {"name": path.stem, "file": f"feature_checks/{path.name}", "severity": "fail",
         "features": "features/sales_history.sql"}
        for path in sorted(SQL.glob("feature_checks/*.sql"))
    ]  # fmt: skip


SQLFLUFF_JINJA_FILTERS: dict[str, Callable[[Any], str]] = {
    "sql_date": _quoted, "sql_slug": _quoted, "sql_slugs": _all_quoted, "sql_s3_uri": _quoted, "sql_role_arn": _quoted,
    "sql_timestamp": _quoted,
}  # fmt: skip

dt = as_of = oldest = "2020-03-04"
since = "2020-03-04 00:00:00"
run_id, run_ids, report_etag = "run-1", ["run-1", "run-2"], "0a1b"
known, due_keys = ["event"], [1, 2]
entity, model_name, is_whole = "an_entity", "sales", False
model_version = "2020-03-04-0a1b2c3d"
run_moment = "20200304T030000-000000"
manifests: dict[str, str] = defaultdict(lambda: "s3://a-bucket/a.manifest")
warehouse_role = "arn:aws:iam::000000000000:role/warehouse"
checks, feature_checks = _checks(), _feature_checks()
accounts_uri = checks_uri = quarantine_manifest_uri = forecasts_uri = registry_uri = "s3://a-bucket/a"
recommendations_uri = analyses_uri = drift_uri = objects_uri = manifest_uri = "s3://a-bucket/a"
features = [{"file": "features/sales_history.sql", "uri": "s3://a-bucket/a"}]
