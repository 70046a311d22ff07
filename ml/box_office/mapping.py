"""Mapping files of box-office reports (format: include/mappings/canonical.yaml), applied without Spark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ml.box_office import expressions, files
from ml.box_office.cells import Unread
from ml.box_office.errors import UnreadableReportsError

KINDS = ("column", "value", "expression")
LOST = "\0lost"  # of a group: by aggregate, the texts of which it made nothing
SPACES = re.compile(f"[{files.SPACES}]+")
LISTS = ("required_columns", "null_values", "group_by")


def load(path: Path) -> dict[str, Any]:
    """Content of a mapping file, with all that it may leave out.

    :raises UnreadableReportsError: when it is no YAML, or lacks what a mapping needs
    """
    name = path.stem
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableReportsError(f"the mapping {name} is no YAML ({reason}): correct {path}") from error
    rules = found if isinstance(found, dict) else {}
    if not isinstance(rules.get("columns"), dict):
        raise UnreadableReportsError(f"the mapping {name} has no rules under columns: see canonical.yaml beside {path}")
    for key in LISTS:
        if not isinstance(rules.setdefault(key, []), list):
            raise UnreadableReportsError(f"the mapping {name} has under {key} no list: correct {path}")
    if not isinstance(rules.setdefault("aggregates", {}), dict):
        raise UnreadableReportsError(f"the mapping {name} has under aggregates no names: correct {path}")
    delimiter = rules.setdefault("delimiter", ",")
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '\r\n"':
        raise UnreadableReportsError(f"the mapping {name} has a delimiter that is no single sign: correct {path}")
    for column, rule in rules["columns"].items():
        if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in KINDS:
            raise UnreadableReportsError(
                f"the mapping {name} has not exactly one of {', '.join(KINDS)} for {column}: correct {path}"
            )
    return rules


def apply(path: Path, rules: dict[str, Any], name: str, required: Sequence[str], made: Sequence[str]) -> pd.DataFrame:
    """Texts of the columns ``made``, a row per report; Unread where an expression makes nothing of a text.

    :raises UnreadableReportsError: when the file or an expression cannot be read, or a required column is missing
    """
    table = files.read(path, rules["delimiter"])
    present = {column.casefold() for column in table.columns}
    missing = [column for column in required if str(column).casefold() not in present]
    if missing:
        raise UnreadableReportsError(f"{path} lacks {', '.join(map(str, missing))}, which the mapping {name} needs")
    nulls = {"", *map(str, rules["null_values"])}
    try:
        absent = dict.fromkeys(_named(rules, made) - present)
        rows = [{**absent, **{key: files.clean(cell, nulls) for key, cell in row.items()}} for row in table.rows]
        if rules["group_by"]:
            rows = _grouped(rows, rules)
        columns = {column: _column(rows, rules["columns"].get(column), nulls) for column in made}
        return pd.DataFrame(columns, dtype=object)
    except KeyError as error:
        raise UnreadableReportsError(
            f"the mapping {name} names {error}, which is neither in group_by nor in aggregates: correct it"
        ) from error
    except expressions.UnsupportedExpressionError as error:
        raise UnreadableReportsError(f"the mapping {name} cannot be read without Spark: {error}") from error


def is_readable(rule: dict[str, Any]) -> bool:
    """Whether a rule can be evaluated here."""
    try:
        return "expression" not in rule or expressions.parse(str(rule["expression"])) is not None
    except expressions.UnsupportedExpressionError:
        return False


def _named(rules: dict[str, Any], made: Sequence[str]) -> set[str]:
    """Case-folded columns that a rule may take from the file; those that it lacks are null."""
    found = {str(key).casefold() for key in rules["group_by"]}
    texts = list(rules["aggregates"].values())
    for rule in (rules["columns"][column] for column in made if column in rules["columns"]):
        if "column" in rule:
            found.add(str(rule["column"]).casefold())
        if "expression" in rule:
            texts.append(rule["expression"])
    return found.union(*(expressions.names(str(text)) for text in texts))


def _grouped(rows: files.Rows, rules: dict[str, Any]) -> files.Rows:
    keys = [str(key).casefold() for key in rules["group_by"]]
    groups: dict[tuple[Any, ...], files.Rows] = {}
    for row in rows:
        groups.setdefault(tuple(_alike(row[key]) for key in keys), []).append(row)
    found: files.Rows = []
    lost: list[str] = []
    aggregates = {
        str(name).casefold(): expressions.parse(str(text), lost.append) for name, text in rules["aggregates"].items()
    }
    for members in groups.values():
        report: dict[str, Any] = {LOST: {}}
        for key in keys:
            report[key] = min((row[key] for row in members if row[key] is not None), default=None)
        for name, reduce in aggregates.items():
            lost.clear()
            report[name] = reduce({expressions.ROWS_OF_GROUP: members})
            report[LOST][name] = list(lost)
        found.append(report)
    return found


def _alike(text: str | None) -> str | None:
    """A text as it tells groups apart: in whatever case and spaces it is written."""
    return None if text is None else SPACES.sub(" ", text).lower()


def _column(rows: files.Rows, rule: dict[str, Any] | None, nulls: set[str]) -> list[str | None]:
    if rule is None:
        return [None] * len(rows)
    if "value" in rule:
        return [files.clean(rule["value"], nulls)] * len(rows)
    lost: list[str] = []
    if "column" in rule:
        name = str(rule["column"]).casefold()
        return [_found(files.clean(row[name], nulls), _lost(row, {name})) for row in rows]
    text = str(rule["expression"])
    value, names = expressions.parse(text, lost.append), expressions.names(text)
    made: list[str | None] = []
    for row in rows:
        lost.clear()
        found = files.clean(value(row), nulls)
        made.append(_found(found, [*lost, *_lost(row, names)]))
    return made


def _lost(row: dict[str, Any], names: set[str]) -> list[str]:
    """Texts of which the aggregates of these names made nothing."""
    return [text for name, texts in row.get(LOST, {}).items() if name in names for text in texts]


def _found(text: str | None, lost: list[str]) -> str | None:
    return Unread(lost[0]) if text is None and lost else text
