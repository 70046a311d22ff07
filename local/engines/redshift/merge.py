"""The MERGE that Redshift knows, which is less than PostgreSQL's.

MERGE INTO target USING source [[AS] alias] ON condition
WHEN MATCHED THEN UPDATE SET ... | DELETE   WHEN NOT MATCHED THEN INSERT [(...)] VALUES (...)
"""

from __future__ import annotations

from collections.abc import Sequence

from local.engines.redshift import StatementError
from local.engines.redshift.tokens import Reader, Token


def check(tokens: Sequence[Token]) -> None:
    """:raises StatementError: when Redshift would refuse the statement"""
    reader = Reader(tokens)
    reader.expect("MERGE", "INTO")
    target = reader.qualified_name()
    if not reader.accept("USING"):
        name = "".join(token.text for token in target)
        raise StatementError(f"ERROR: MERGE INTO {name}: Redshift allows no alias of the target, use the table's name")
    if reader.peek() == "(":
        raise StatementError("ERROR: MERGE: Redshift wants a table after USING, not a subquery: stage the rows first")
    reader.qualified_name()
    branches = _branches(reader)
    if not branches:
        raise reader.unexpected(": expected WHEN MATCHED or WHEN NOT MATCHED")
    kinds = [_branch(branch) for branch in branches]
    if sorted(kinds) != ["MATCHED", "NOT MATCHED"]:
        raise StatementError("ERROR: MERGE takes exactly one WHEN MATCHED and one WHEN NOT MATCHED branch on Redshift")


def _branches(reader: Reader) -> list[list[Token]]:
    """The tokens from each WHEN [NOT] MATCHED to the next."""
    branches: list[list[Token]] = []
    while not reader.at_end:
        starts = reader.peek() == "WHEN" and "MATCHED" in (reader.peek(1), reader.peek(2))
        token = reader.take()
        if starts:
            branches.append([])
        if branches:
            branches[-1].append(token)
    return branches


def _branch(tokens: Sequence[Token]) -> str:
    """``MATCHED`` or ``NOT MATCHED``."""
    reader = Reader(tokens)
    reader.expect("WHEN")
    kind = "NOT MATCHED" if reader.accept("NOT", "MATCHED") else "MATCHED"
    if kind == "MATCHED":
        reader.expect("MATCHED")
    if reader.peek() in ("AND", "BY"):
        raise StatementError(f"ERROR: MERGE: Redshift allows no condition after WHEN {kind}: filter the staged rows")
    reader.expect("THEN")
    allowed = ("UPDATE", "DELETE") if kind == "MATCHED" else ("INSERT",)
    if reader.peek() not in allowed:
        raise reader.unexpected(f": WHEN {kind} takes {' or '.join(allowed)}")
    return kind
