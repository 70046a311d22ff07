"""Data Docs: each suite's result as Great Expectations' own page, and an index of the run's pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concert_etl.gates import Check

INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data Docs {run_id}</title>
<style>body {{ font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 50rem; }}
td, th {{ padding: .2rem 1rem .2rem 0; text-align: left; }} .failed {{ color: #b00020; }}</style></head>
<body><h1>Data Docs</h1><p>Ingest run <b>{run_id}</b> of {dt}</p>
<table><tr><th>suite</th><th>expectations</th><th>failed</th></tr>
{rows}
</table></body></html>
"""


def page(result: Any, run_id: str) -> str:
    """A validation's result as HTML."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    result.meta["run_id"] = {"run_name": run_id, "run_time": None}
    return str(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result)))


def index(dt: str, run_id: str, checks: Iterable[Check]) -> str:
    """Table of a run's suites, each with a link to its page."""
    suites: dict[str, list[bool]] = {}
    for check in checks:
        suites.setdefault(check.suite, []).append(check.success)
    rows = "\n".join(_row(suite, successes) for suite, successes in sorted(suites.items()))
    return INDEX.format(dt=escape(dt), run_id=escape(run_id), rows=rows)


def _row(suite: str, successes: list[bool]) -> str:
    failed = successes.count(False)
    style = ' class="failed"' if failed else ""
    link = f'<a href="{escape(suite)}.html">{escape(suite)}</a>'
    return f"<tr><td>{link}</td><td>{len(successes)}</td><td{style}>{failed}</td></tr>"


def documents(dt: str, run_id: str, checks: Iterable[Check], pages: Mapping[str, str]) -> dict[str, str]:
    """File name -> HTML of all pages of a run."""
    return {"index.html": index(dt, run_id, checks), **{f"{suite}.html": text for suite, text in pages.items()}}
