"""Rows as text with aligned columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], longest: int | None = None) -> list[str]:
    """Lines of a table, the header first.

    :param columns: key of a row -> its header
    :param longest: where a cell is cut, in characters; None shows all of it
    """
    cells = [list(columns.values()), *([_cell(row[key], longest) for key in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _cell(value: Any, longest: int | None) -> str:
    text = " ".join(str(value).split())
    return text if longest is None or len(text) <= longest else f"{text[: longest - 3]}..."
