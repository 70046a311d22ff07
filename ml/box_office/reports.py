"""Box-office reports from files of any mapping in include/mappings/, as frames.

The mapping files are those of the curation job, their format is described in include/mappings/canonical.yaml.
``read`` keeps every report; ``read_accepted`` leaves out those that curation would quarantine.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ml.box_office import acceptance, expressions

MAPPINGS = Path(__file__).parents[2] / "include" / "mappings"
DAYS = ["period_start", "period_end"]
NUMBERS = ["performances", "capacity", "tickets_sold", "gross"]
COLUMNS = ["source", "report_id", "show", "artist", "venue", "city", "country", *DAYS, *NUMBERS, "currency"]
# A canonical file may lack the others here: forecasts and analyses can do without.
NEEDED = ["report_id", "venue", "period_end", "capacity", "tickets_sold"]
CANONICAL = "canonical"

Rows = list[dict[str, Any]]


class UnreadableReportsError(ValueError):
    """A file of reports, or its mapping, cannot be read; the message names it, the reason and what to do."""


def read(paths: Iterable[Path], mapping: str) -> pd.DataFrame:
    """Reports of all files with COLUMNS, in the order of the files; dates, numbers and texts typed, else null.

    :param mapping: name of a file of include/mappings/ without its ending
    :raises UnreadableReportsError: when a file or the mapping cannot be read, or a column is missing
    """
    return _typed(_canonical(paths, mapping))


def read_accepted(paths: Iterable[Path], mapping: str) -> pd.DataFrame:
    """As ``read``, without the reports that break a rule of curation; ``attrs["rejected"]`` counts them by rule."""
    texts = _canonical(paths, mapping)
    typed = _typed(texts)
    no_day = (texts[DAYS].notna() & typed[DAYS].isna()).any(axis=1)
    return acceptance.accepted(typed, no_day)


def rules_of(mapping: str) -> dict[str, Any]:
    """Content of a mapping file."""
    path = MAPPINGS / f"{mapping}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in MAPPINGS.glob("*.yaml")))
        raise UnreadableReportsError(f"there is no mapping {mapping!r}: write {path}, or use one of {known}")
    rules: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return rules


def _typed(texts: pd.DataFrame) -> pd.DataFrame:
    frame = texts.copy()
    for column in DAYS:
        frame[column] = pd.to_datetime(frame[column], errors="coerce", format="ISO8601").astype("datetime64[ns]")
    for column in NUMBERS:
        frame[column] = pd.to_numeric(frame[column].astype(object).map(_plain), errors="coerce").astype(float)
        frame[column] = frame[column].where(np.isfinite(frame[column]))
    return frame.assign(period_start=frame["period_start"].fillna(frame["period_end"]))


def _plain(value: Any) -> Any:
    return None if value is None else str(value)


def _canonical(paths: Iterable[Path], mapping: str) -> pd.DataFrame:
    rules = rules_of(mapping)
    frames = [_mapped(path, rules, mapping) for path in paths]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=COLUMNS, dtype=object)


def _mapped(path: Path, rules: dict[str, Any], mapping: str) -> pd.DataFrame:
    header, raw = _raw(path, rules.get("delimiter", ","))
    required = NEEDED if mapping == CANONICAL else rules["required_columns"]
    missing = [column for column in required if column not in header]
    if missing:
        raise UnreadableReportsError(f"{path} lacks {', '.join(missing)}, which the mapping {mapping} needs")
    nulls = {"", *rules.get("null_values", [])}
    named = {rule["column"] for rule in rules["columns"].values() if "column" in rule}
    rows = [{**dict.fromkeys(named), **{key: _cell(cell, nulls) for key, cell in row.items()}} for row in raw]
    try:
        if "group_by" in rules:
            rows = _grouped(rows, rules)
        return pd.DataFrame({name: _column(rows, rules["columns"].get(name)) for name in COLUMNS}, dtype=object)
    except KeyError as error:
        raise UnreadableReportsError(f"{path} lacks {error}, which the mapping {mapping} names") from error
    except expressions.UnsupportedExpressionError as error:
        raise UnreadableReportsError(f"the mapping {mapping} cannot be read without Spark: {error}") from error


def _raw(path: Path, delimiter: str) -> tuple[list[str], Rows]:
    """Names of the columns, and the rows as text."""
    try:
        header, rows = _parquet(path) if path.suffix == ".parquet" else _csv(path, delimiter)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise UnreadableReportsError(f"{path} cannot be read ({error}): give a UTF-8 CSV or a Parquet file") from error
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise UnreadableReportsError(f"{path} has several columns {', '.join(twice)}: rename or remove all but one")
    return header, rows


def _parquet(path: Path) -> tuple[list[str], Rows]:
    table = pq.read_table(path)
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return table.column_names, [dict(zip(table.column_names, row, strict=True)) for row in zip(*columns, strict=True)]


def _csv(path: Path, delimiter: str) -> tuple[list[str], Rows]:
    content = path.read_bytes()
    text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return list(reader.fieldnames or []), list(reader)


def _cell(cell: Any, nulls: set[str]) -> Any:
    return None if not isinstance(cell, str) or cell.strip() in nulls else cell.strip()


def _grouped(rows: Rows, rules: dict[str, Any]) -> Rows:
    groups: dict[tuple[Any, ...], Rows] = {}
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


def _column(rows: Rows, rule: dict[str, Any] | None) -> list[Any]:
    if rule is None:
        return [None] * len(rows)
    if "value" in rule:
        return [rule["value"]] * len(rows)
    if "column" in rule:
        return [row[rule["column"]] for row in rows]
    value = expressions.parse(rule["expression"])
    return [value(row) for row in rows]
