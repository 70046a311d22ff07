"""Box-office reports from files of any mapping in include/mappings/, as the forecasts need them.

The mapping files are those of the curation job, their format is described in include/mappings/canonical.yaml.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ml.sales import expressions

MAPPINGS = Path(__file__).parents[2] / "include" / "mappings"
COLUMNS = [
    "source", "report_id", "show", "artist", "venue", "city", "country", "period_start", "period_end", "performances",
    "capacity", "tickets_sold", "gross",
]  # fmt: skip
# A canonical file may lack the others here: a forecast can do without.
NEEDED = ["report_id", "venue", "period_end", "capacity", "tickets_sold"]
CANONICAL = "canonical"


class UnreadableReportsError(ValueError):
    """A file of reports, or its mapping, cannot be read."""


def read(paths: Iterable[Path], mapping: str) -> pd.DataFrame:
    """Reports of all files with COLUMNS, in the order of the files; dates, numbers and texts typed, else null.

    :param mapping: name of a file of include/mappings/ without its ending
    :raises UnreadableReportsError: when a file or the mapping cannot be read, or a column is missing
    """
    rules = _rules(mapping)
    frames = [_mapped(path, rules, mapping) for path in paths]
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS)
    for column in ("period_start", "period_end"):
        frame[column] = pd.to_datetime(frame[column], errors="coerce", format="ISO8601").astype("datetime64[ns]")
    for column in ("performances", "capacity", "tickets_sold", "gross"):
        frame[column] = pd.to_numeric(frame[column].astype(object).map(_plain), errors="coerce").astype(float)
        frame[column] = frame[column].where(np.isfinite(frame[column]))
    return frame.assign(period_start=frame["period_start"].fillna(frame["period_end"]))


def _plain(value: Any) -> Any:
    return None if value is None else str(value)


def _rules(mapping: str) -> dict[str, Any]:
    path = MAPPINGS / f"{mapping}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in MAPPINGS.glob("*.yaml")))
        raise UnreadableReportsError(f"there is no mapping {mapping!r}: write {path}, or use one of {known}")
    rules: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return rules


def _raw(path: Path, delimiter: str) -> list[dict[str, Any]]:
    try:
        if path.suffix == ".parquet" or ".parquet." in path.name:
            table = pq.read_table(path)
            texts = [pd.Series(column.to_pylist(), dtype=object).map(_plain) for column in table.columns]
            return pd.DataFrame(dict(zip(table.column_names, texts, strict=True)), dtype=object).to_dict("records")
        content = path.read_bytes()
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise UnreadableReportsError(f"{path} cannot be read: {error}") from error


def _mapped(path: Path, rules: dict[str, Any], mapping: str) -> pd.DataFrame:
    raw = _raw(path, rules.get("delimiter", ","))
    if not raw:
        return pd.DataFrame(columns=COLUMNS, dtype=object)
    required = NEEDED if mapping == CANONICAL else rules["required_columns"]
    missing = [column for column in required if column not in raw[0]]
    if missing:
        raise UnreadableReportsError(f"{path} lacks {', '.join(missing)}, which the mapping {mapping} needs")
    nulls = {"", *rules.get("null_values", [])}
    named = {rule["column"] for rule in rules["columns"].values() if "column" in rule}
    rows = [{**dict.fromkeys(named), **{key: _cell(cell, nulls) for key, cell in row.items()}} for row in raw]
    if "group_by" in rules:
        rows = _grouped(rows, rules)
    try:
        return pd.DataFrame({name: _column(rows, rules["columns"][name]) for name in COLUMNS}, dtype=object)
    except KeyError as error:
        raise UnreadableReportsError(f"{path} lacks {error}, which the mapping {mapping} names") from error


def _cell(cell: Any, nulls: set[str]) -> Any:
    return None if not isinstance(cell, str) or cell.strip() in nulls else cell.strip()


def _grouped(rows: list[dict[str, Any]], rules: dict[str, Any]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in rules["group_by"]), []).append(row)
    aggregates = {name: expressions.parse(text) for name, text in rules.get("aggregates", {}).items()}
    return [
        {
            **dict(zip(rules["group_by"], key, strict=True)),
            **{name: reduce({expressions.ROWS_OF_GROUP: members}) for name, reduce in aggregates.items()},
        }
        for key, members in groups.items()
    ]


def _column(rows: list[dict[str, Any]], rule: dict[str, Any]) -> list[Any]:
    if "value" in rule:
        return [rule["value"]] * len(rows)
    if "column" in rule:
        return [row[rule["column"]] for row in rows]
    value = expressions.parse(rule["expression"])
    return [value(row) for row in rows]
