"""The data dictionary, made from the migrations: `python -m concert_platform.warehouse.dictionary docs/data.md`.

Tables, columns, types and what their comments say come from include/sql/migrations in order, so that the page says what
the schema says. The part of the page between the two markers is replaced.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from concert_platform.resources import resource

BEGIN = "<!-- data dictionary: python -m concert_platform.warehouse.dictionary docs/data.md -->"
END = "<!-- end of the data dictionary -->"
SCHEMAS = ("core", "marts", "ml", "quality")  # staging is of the loads alone
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (?P<name>\w+\.\w+) \(\n(?P<columns>.*?)\n\)[^;]*;", re.DOTALL)
_ADDED = re.compile(r"ALTER TABLE (?P<name>\w+\.\w+) ADD COLUMN (?P<column>[^;]+);(?P<note>[ \t]*--[^\n]*)?")
_VIEW = re.compile(r"CREATE (?:OR REPLACE )?VIEW (?P<name>\w+\.\w+) AS")
_COMMENT = re.compile(r"COMMENT ON TABLE (?P<name>\w+\.\w+) IS\s+'(?P<text>(?:[^']|'')*)';")
_SOURCE = re.compile(r"\bSource: .*?\.(?= [A-Z]|$)")
_COLUMN = re.compile(
    r"^(?P<name>\w+) (?P<type>[A-Z]+(?: PRECISION)?(?:\(\d+(?:, \d+)?\))?)(?P<rest>[^-]*?),?\s*(?:--\s*(?P<note>.*))?$"
)


@dataclass(frozen=True)
class Column:
    """A column with its type, whether it may be null, and the comment beside it."""

    name: str
    type: str
    is_required: bool
    note: str


@dataclass
class Table:
    """A table or view as the migrations leave it.

    :param header: what its migration says of grain, keys, layout and source; the source is that of the last migration
        with a column of it, and comments on the table follow
    :param columns: none for a view
    """

    name: str
    header: str
    columns: list[Column] = field(default_factory=list)


def tables(folder: Path | None = None) -> list[Table]:
    """Tables and views, by schema and name.

    :param folder: migrations; default those of the project
    :raises ValueError: when a line of a table's definition cannot be read
    """
    found: dict[str, Table] = {}
    for path in sorted((folder or resource("include/sql/migrations")).glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        for match in _TABLE.finditer(text):
            lines = [line.strip() for line in match["columns"].splitlines() if line.strip()]
            found[match["name"]] = Table(match["name"], _header(text), [_column(line, path) for line in lines])
        for match in _VIEW.finditer(text):
            found[match["name"]] = Table(match["name"], _header(text))
        for match in _ADDED.finditer(text):
            line = f"{' '.join(match['column'].split())} {(match['note'] or '').strip()}".strip()
            table = found[match["name"]]
            table.columns.append(_column(line, path))
            if (source := _SOURCE.search(_header(text))) and (first := _SOURCE.search(table.header)):
                table.header = table.header.replace(first[0], source[0])
        for match in _COMMENT.finditer(text):
            found[match["name"]].header += f" {match['text'].replace("''", "'")}"
    shown = [table for name, table in found.items() if name.split(".")[0] in SCHEMAS]
    return sorted(shown, key=lambda table: (SCHEMAS.index(table.name.split(".")[0]), table.name))


def _header(text: str) -> str:
    """The comment at a file's beginning as one paragraph."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def _column(line: str, path: Path) -> Column:
    match = _COLUMN.match(line)
    if match is None:
        raise ValueError(f"{path.name}: {line!r} is no column definition of the form `name TYPE [NOT NULL], -- note`")
    return Column(match["name"], match["type"], "NOT NULL" in match["rest"], (match["note"] or "").strip())


def markdown(found: list[Table]) -> str:
    """The dictionary as Markdown, a section each table."""
    parts = []
    for table in found:
        parts += [f"### {table.name}", "", _escaped(table.header), ""]
        if table.columns:
            parts += ["| column | type | null | |", "| --- | --- | --- | --- |"]
            parts += [
                f"| `{one.name}` | {one.type} | {'no' if one.is_required else 'yes'} | {_escaped(one.note)} |"
                for one in table.columns
            ]
            parts.append("")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def renewed(page: str) -> str:
    """A page with its dictionary made anew.

    :raises ValueError: when it lacks the markers
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page lacks the lines {BEGIN!r} and {END!r}, between which the dictionary stands")
    return f"{before}{BEGIN}\n\n{markdown(tables())}\n{END}{after}"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m concert_platform.warehouse.dictionary PAGE")
    page = Path(sys.argv[1])
    try:
        page.write_text(renewed(page.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as error:
        sys.exit(f"{page}: {error}")


if __name__ == "__main__":
    main()
