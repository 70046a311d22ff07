"""Whether sqlglot reads the SQL files as Redshift: `python -m local.lint.redshift`, a step of `make lint`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import sqlglot
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlglot import exp
from sqlglot.tokens import TokenType

from local.lint import sql_templates

# sqlglot keeps these as text; the contract tests run them.
OPAQUE = ("COPY", "UNLOAD", "LOCK", "GRANT", "CREATE ROLE", "ALTER DEFAULT PRIVILEGES")


def problem(statement: str) -> str | None:
    """Why sqlglot does not read a statement without comments, in one line; None when it does."""
    if statement.startswith(OPAQUE):
        return None
    try:
        parsed = sqlglot.parse_one(statement, dialect="redshift")
    except sqlglot.errors.SqlglotError as error:
        return " ".join(str(error).split())[:300]
    return f"no statement that it knows: {statement[:80]}" if isinstance(parsed, exp.Command) else None


def statements(text: str) -> Iterator[str]:
    """The single statements of a text, from their first word on."""
    begin: int | None = None
    for token in sqlglot.tokenize(text, dialect="redshift"):
        if token.token_type == TokenType.SEMICOLON and begin is not None:
            yield text[begin : token.start]
            begin = None
        elif begin is None:
            begin = token.start
    if begin is not None:
        yield text[begin:]


def of_all_files() -> Iterator[str]:
    """The same for include/sql, its templates filled in."""
    environment = Environment(  # noqa: S701 - SQL is no HTML
        loader=FileSystemLoader(sql_templates.SQL), undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(sql_templates.SQLFLUFF_JINJA_FILTERS)
    values = {name: value for name, value in vars(sql_templates).items() if not name.startswith("_")}
    for path in sorted(sql_templates.SQL.glob("*/*.sql")):
        name = path.relative_to(sql_templates.SQL).as_posix()
        for statement in statements(environment.get_template(name).render(values)):
            if found := problem(statement):
                yield f"include/sql/{name}: {found}"


if __name__ == "__main__":
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of each statement that it keeps as text
    lines = list(of_all_files())
    print("\n".join(lines or ["sqlglot: every statement of include/sql is Redshift"]))
    sys.exit(1 if lines else 0)
