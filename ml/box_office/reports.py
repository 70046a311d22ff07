"""Box-office reports from files of any mapping in include/mappings/, as frames.

The mapping files are those of the curation job, their format is described in include/mappings/canonical.yaml.
``read`` keeps every report; ``read_accepted`` leaves out those that curation would quarantine. What cannot be read is
empty, and told in a line on stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ml.box_office import acceptance, cells
from ml.box_office import mapping as mappings
from ml.box_office.errors import UnreadableReportsError

__all__ = ["COLUMNS", "MAPPINGS", "UnreadableReportsError", "read", "read_accepted", "rules_of"]

MAPPINGS = Path(__file__).parents[2] / "include" / "mappings"
DAYS = ["period_start", "period_end"]
COUNTS = ["performances", "capacity", "tickets_sold"]
NUMBERS = [*COUNTS, "gross"]
COLUMNS = ["source", "report_id", "show", "artist", "venue", "city", "country", *DAYS, *NUMBERS, "currency"]
PRICES = ["average_price", "top_price"]  # curation judges them; no forecast and no analysis uses them
# A canonical file may lack the others here: forecasts and analyses can do without.
NEEDED = ["report_id", "venue", "period_end", "capacity", "tickets_sold"]
CANONICAL = "canonical"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def read(paths: Iterable[Path], mapping: str, tell: cells.Note = _to_stderr) -> pd.DataFrame:
    """Reports of all files with COLUMNS, in the order of the files; dates, numbers and texts typed, else null.

    A report without a period_start starts when it ends; one whose period_start cannot be read has none.

    :param mapping: name of a file of include/mappings/ without its ending
    :param tell: gets a line for each column of a file with cells that are given and cannot be read
    :raises UnreadableReportsError: when a file or the mapping cannot be read, a column is missing, or a number is
        spelt in a way that could be several
    """
    return _typed(paths, mapping, tell)[0][COLUMNS]


def read_accepted(paths: Iterable[Path], mapping: str, tell: cells.Note = _to_stderr) -> pd.DataFrame:
    """As ``read``, without the reports that break a rule of curation or whose key comes again.

    ``tell`` gets a line for each kind; ``attrs["rejected"]`` and ``attrs["repeated"]`` count them.
    """
    typed, no_day, file = _typed(paths, mapping, tell)
    accepted = acceptance.accepted(typed, no_day, file)
    for line in acceptance.left_out(accepted):
        tell(line)
    found = accepted[COLUMNS]
    found.attrs = dict(accepted.attrs)
    return found


def rules_of(mapping: str) -> dict[str, Any]:
    """Content of a mapping file.

    :raises UnreadableReportsError: when there is none, or it is no mapping
    """
    path = MAPPINGS / f"{mapping}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in MAPPINGS.glob("*.yaml")))
        raise UnreadableReportsError(f"there is no mapping {mapping!r}: write {path}, or use one of {known}")
    return mappings.load(path)


def _typed(paths: Iterable[Path], mapping: str, tell: cells.Note) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Reports with COLUMNS and PRICES, whether each gives something for a date that is none, and the file of each."""
    rules = rules_of(mapping)
    required = NEEDED if mapping == CANONICAL else rules["required_columns"]
    made = [*COLUMNS, *(name for name in PRICES if mappings.is_readable(rules["columns"].get(name, {})))]
    frames, broken, files = [], [], []
    for path in paths:
        texts = mappings.apply(path, rules, mapping, required, made).reindex(columns=[*COLUMNS, *PRICES])
        frame, no_day = _file(texts, path, tell)
        frames.append(frame)
        broken.append(no_day)
        files += [str(path.resolve())] * len(frame)  # a file that is named twice is one
    file = pd.Series(files, dtype=object)
    if not frames:
        return pd.DataFrame(columns=[*COLUMNS, *PRICES], dtype=object), pd.Series(dtype=bool), file
    return pd.concat(frames, ignore_index=True), pd.concat(broken, ignore_index=True), file


def _file(texts: pd.DataFrame, path: Path, tell: cells.Note) -> tuple[pd.DataFrame, pd.Series]:
    frame, no_day = texts.copy(), pd.Series(False, index=texts.index)
    for name in DAYS:
        read = cells.days(texts[name], path, tell)
        frame[name] = read.values
        # Of what an expression made nothing, curation sees no text either.
        no_day[[row for row, text in read.unread.items() if not isinstance(text, cells.Unread)]] = True
    for name in (*NUMBERS, *PRICES):
        # A price that cannot be read is but a warning of curation, and nothing here uses it.
        heard = tell if name in NUMBERS else None
        read = cells.numbers(texts[name], path, heard, money=name not in COUNTS)
        frame[name] = read.values
        if name in COUNTS:
            cells.tell_fractions(read, texts[name], path, tell)
    for name in frame.columns.difference([*DAYS, *NUMBERS, *PRICES]):
        frame[name] = [None if isinstance(text, cells.Unread) else text for text in texts[name]]
    frame["currency"] = [None if code is None else code.upper() for code in frame["currency"]]
    # Only where nothing is given: a start that cannot be read may lie long before the end.
    starts_at_end = texts["period_start"].isna()
    frame["period_start"] = frame["period_start"].mask(starts_at_end, frame["period_end"])
    return frame, no_day
