"""Mapping files: how any CSV or Parquet becomes canonical box-office text; canonical.yaml describes the format."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from concert_etl.box_office import CANONICAL
from concert_etl.errors import CurationError
from concert_etl.raw import CELLS, cell_names
from concert_etl.texts import SPACES, clean, quoted

# What may be a column in an expression: a word that is no function's name, or a name in backticks; no text in quotes.
NAME = re.compile(r"'(?:[^'\\]|\\.)*'|`([^`]+)`|\b([A-Za-z_]\w*)\b(?!\s*\()")


@dataclass(frozen=True)
class Mapping:
    """One mapping file."""

    name: str
    columns: dict[str, dict[str, Any]]
    delimiter: str = ","
    null_values: list[str] = field(default_factory=list)
    required_columns: list[str] = field(default_factory=list)
    group_by: list[str] = field(default_factory=list)
    aggregates: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if missing := [name for name in CANONICAL if len(self.columns.get(name, {})) != 1]:
            raise CurationError(f"mapping {self.name} has not exactly one rule for {', '.join(missing)}")

    @property
    def referenced(self) -> set[str]:
        """Names that a rule may take from the file: its columns, and words of expressions that might be some."""
        found = {*self.group_by, *(rule["column"] for rule in self.columns.values() if "column" in rule)}
        expressions = [*self.aggregates.values(), *(rule.get("expression", "") for rule in self.columns.values())]
        return found | {name for text in expressions for names in NAME.findall(text) for name in names if name}


def load_mapping(name: str) -> Mapping:
    """Read a mapping file, which lies beside the suites: in the job's zip file as in the repository.

    :raises CurationError: when there is none of that name, or it is incomplete
    """
    import yaml

    path = files("expectations").parent / "mappings" / f"{name}.yaml"  # type: ignore[attr-defined]
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, KeyError):
        raise CurationError(f"mapping {name} is unknown: add include/mappings/{name}.yaml and deploy") from None
    return Mapping(name=name, **document)


def apply_mapping(raw: DataFrame, mapping: Mapping) -> DataFrame:
    """Turn raw cells into reports with canonical ``_text``."""
    own = ("_meta", "_record", "_malformed")
    known = cell_names(raw)
    # Only these leave the struct: a column of the file that no rule names may be called anything.
    wanted = {name.casefold(): name for name in sorted(mapping.referenced)}
    absent = F.lit(None).cast("string")
    found = {folded: clean(F.col(CELLS).getField(name), mapping.null_values) for folded, name in known.items()}
    cells = raw.select(*own, *(found.get(folded, absent).alias(name) for folded, name in wanted.items()))
    reports = _grouped(cells, mapping) if mapping.group_by else cells.withColumn("_records", F.lit(1))
    texts = [clean(_value(mapping.columns[name]).cast("string")).alias(name) for name in CANONICAL]
    return reports.select(*own, "_records", F.struct(*texts).alias("_text"))


def _grouped(cells: DataFrame, mapping: Mapping) -> DataFrame:
    """One report per file and combination of the group's columns, in whatever case and spaces they are written; an
    unreadable row spoils the whole group's total."""
    columns = [(name, F.col(quoted(name))) for name in mapping.group_by]
    alike = [F.lower(F.regexp_replace(column, f"[{SPACES}]+", " ")) for _, column in columns]
    groups = cells.groupBy(
        F.col("_meta.file_name").alias("_file_name"),
        *(column.alias(f"_group_{number}") for number, column in enumerate(alike)),
    )
    ordered = F.array_sort(F.collect_list(F.struct(F.col("_meta.position").alias("position"), F.col("_record"))))
    return groups.agg(
        F.max("_meta").alias("_meta"),
        F.concat(F.lit("["), F.array_join(ordered.getField("_record"), ","), F.lit("]")).alias("_record"),
        F.max("_malformed").alias("_malformed"),
        F.count(F.lit(1)).cast("int").alias("_records"),
        *(F.min(column).alias(name) for name, column in columns),
        *(F.expr(sql).alias(name) for name, sql in mapping.aggregates.items()),
    )


def _value(rule: dict[str, Any]) -> Column:
    if "column" in rule:
        return F.col(quoted(rule["column"]))
    if "value" in rule:
        return F.lit(None if rule["value"] is None else str(rule["value"]))
    return F.expr(rule["expression"])
