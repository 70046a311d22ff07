"""Box-office files to canonical reports, by the mappings of include/mappings, for work without the platform.

Judges a report as curation does (docs/box-office-files.md) and leaves out what would be quarantined there; the frame's
``attrs["rejected"]`` counts it by rule.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ml.mapping_expressions import GROUP, ExpressionError, compile_expression

MAPPINGS = Path(__file__).parent.parent / "include" / "mappings"
TEXT = ("source", "report_id", "show", "artist", "venue", "city", "country", "currency", "period_precision")
NUMBERS = ("performances", "capacity", "tickets_sold", "gross", "average_price", "top_price")
DAYS = ("period_start", "period_end")
COLUMNS = (*TEXT, *DAYS, *NUMBERS)
MOST_SEATED = 1.6  # times the capacity; between 1 and this is standing room


class ReportFileError(ValueError):
    """A box-office file or mapping that cannot be read; the message names it, the reason and what to do."""


def read_reports(paths: list[Path], mapping: str = "canonical") -> pd.DataFrame:
    """Canonical reports of CSV (also gzip) or Parquet files, without those that break a rule.

    :param mapping: name of a file in include/mappings, without its ending
    :raises ReportFileError: when a file or the mapping cannot be used
    """
    rules = read_mapping(mapping)
    frames = [_canonical(_read_text(path, rules), rules, path, mapping) for path in paths]
    return _judged(_typed(pd.concat(frames, ignore_index=True)))


def read_mapping(name: str) -> dict[str, Any]:
    path = MAPPINGS / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in MAPPINGS.glob("*.yaml")))
        raise ReportFileError(f"{name} is no mapping: use one of {known}, or add a file to include/mappings")
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def _read_text(path: Path, rules: dict[str, Any]) -> pd.DataFrame:
    """Every cell as text, None where it is empty or stands for nothing."""
    try:
        if path.suffix == ".parquet":
            cells = pd.read_parquet(path).astype("string").astype(object)
        else:
            cells = pd.read_csv(path, sep=rules["delimiter"], dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError, EOFError) as error:  # pandas' parser errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise ReportFileError(f"{path} cannot be read ({reason}): give a UTF-8 CSV or a Parquet file") from error
    missing = [name for name in rules["required_columns"] if name not in cells.columns]
    if missing:
        raise ReportFileError(f"{path} lacks the column {missing[0]}: its header must hold {rules['required_columns']}")
    nothing = {"", *rules.get("null_values", [])}
    return cells.map(lambda cell: None if pd.isna(cell) or cell.strip() in nothing else cell.strip())


def _canonical(cells: pd.DataFrame, rules: dict[str, Any], path: Path, mapping: str) -> pd.DataFrame:
    try:
        rows: list[dict[str, Any]] = cells.to_dict("records")
        if "group_by" in rules:
            rows = _grouped(rows, rules)
        return pd.DataFrame({name: _column(rows, rules["columns"].get(name)) for name in COLUMNS}, dtype=object)
    except ExpressionError as error:
        raise ReportFileError(f"{path}: mapping {mapping} is not readable without Spark ({error})") from error


def _grouped(rows: list[dict[str, Any]], rules: dict[str, Any]) -> list[dict[str, Any]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in rules["group_by"]), []).append(row)
    aggregates = {name: compile_expression(text) for name, text in rules["aggregates"].items()}
    return [
        dict(zip(rules["group_by"], key, strict=True))
        | {name: aggregate({GROUP: members}) for name, aggregate in aggregates.items()}
        for key, members in groups.items()
    ]


def _column(rows: list[dict[str, Any]], rule: dict[str, Any] | None) -> list[Any]:
    if rule is None:
        return [None] * len(rows)
    if "column" in rule:
        return [row.get(rule["column"]) for row in rows]
    if "value" in rule:
        return [rule["value"]] * len(rows)
    expression = compile_expression(rule["expression"])
    return [expression(row) for row in rows]


def _typed(reports: pd.DataFrame) -> pd.DataFrame:
    for name in NUMBERS:
        reports[name] = pd.to_numeric(
            reports[name].map(lambda cell: None if cell is None else str(cell)), errors="coerce"
        )
    for name in DAYS:
        given = reports[name].notna()
        reports[name] = pd.to_datetime(reports[name].astype("string"), errors="coerce", format="ISO8601")
        reports[f"_bad_{name}"] = given & reports[name].isna()
    return reports


def _judged(reports: pd.DataFrame) -> pd.DataFrame:
    """The reports that curation would load; a key that comes twice keeps its last report."""
    tickets, capacity = reports["tickets_sold"], reports["capacity"]
    rules = {
        "no_show_or_artist": reports["show"].isna() & reports["artist"].isna(),
        "no_venue": reports["venue"].isna() | reports["country"].isna(),
        "bad_period": reports["_bad_period_start"]
        | reports["_bad_period_end"]
        | (reports["period_start"] > reports["period_end"]),
        "performances": ~(reports["performances"] >= 1),
        "capacity": ~(capacity > 0),
        "tickets_sold": ~(tickets > 0) | (tickets % 1 != 0) | (tickets > MOST_SEATED * capacity),
        "gross": ~(reports["gross"] >= 0),
    }
    rejected, bad = {}, pd.Series(False, index=reports.index)
    for name, broken in rules.items():
        rejected[name] = int((broken & ~bad).sum())
        bad |= broken
    kept = reports[~bad].drop(columns=["_bad_period_start", "_bad_period_end"])
    unique = kept.drop_duplicates(["source", "report_id"], keep="last").reset_index(drop=True)
    unique.attrs["rejected"] = {name: count for name, count in rejected.items() if count}
    unique.attrs["repeated"] = len(kept) - len(unique)
    return unique
