"""A change set as a page that an operator opens from the task, and as JSON beside it for machines.

s3://<environment bucket>/reports/change-sets/<stack>/<run slug>.html
s3://<environment bucket>/reports/change-sets/<stack>/<run slug>.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from typing import Any

from concert_platform import artifacts
from concert_platform.cloudformation.changes import ChangeSet
from concert_platform.cloudformation.review import COLUMNS, dangers

FOLDER = "reports/change-sets"
LINK_SECONDS = 12 * 3600  # an execution role's credentials, which sign the link, live no longer

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1a1a1a }}
table {{ border-collapse: collapse }} th, td {{ text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd }}
.Remove, .danger {{ color: #a40000 }} .Add {{ color: #00612e }}
</style></head><body>
<h1>{title}</h1>
<p>Run {run}</p>
{dangers}{table}
</body></html>
"""


@dataclass(frozen=True)
class Report:
    """Where a change set's report lies.

    :param uri: ``s3://`` address of the page, for as long as the bucket keeps it
    :param link: address that a browser opens, for as long as the credentials live that have signed it
    """

    uri: str
    link: str


def publish_report(client: Any, bucket: str, stack: str, run: str, slug: str, change_set: ChangeSet) -> Report:
    """Write both files; a retry replaces them.

    A run that finds nothing left to do after it has executed its changes keeps the report of those.

    :param client: boto3 client of S3
    :param stack: short name of the stack
    :param slug: name of the run that may stand in a path
    """
    path = f"{FOLDER}/{stack}/{slug}"
    files = [
        ("html", "text/html; charset=utf-8", as_html(change_set, run)),
        ("json", "application/json", as_json(change_set, run)),
    ]
    if change_set.id is None and artifacts.exists(client, bucket, f"{path}.html"):
        files = []
    for suffix, kind, text in files:
        client.put_object(Bucket=bucket, Key=f"{path}.{suffix}", Body=text.encode(), ContentType=kind)
    link = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": f"{path}.html"}, ExpiresIn=LINK_SECONDS
    )
    return Report(f"s3://{bucket}/{path}.html", link)


def as_json(change_set: ChangeSet, run: str) -> str:
    document = {"run": run, **change_set.to_dict(), "dangers": dangers(change_set.changes)}
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def as_html(change_set: ChangeSet, run: str) -> str:
    found = "".join(f"<li>{escape(danger)}</li>" for danger in dangers(change_set.changes))
    return PAGE.format(
        title=escape(change_set.title),
        run=escape(run),
        dangers=f'<div class="danger">Data is in danger. This would:<ul>{found}</ul></div>\n' if found else "",
        table=_table(change_set) if change_set.changes else "",
    )


def _table(change_set: ChangeSet) -> str:
    head = "".join(f"<th>{escape(title.capitalize())}</th>" for title in COLUMNS.values())
    rows = "\n".join(
        f'<tr class="{escape(row["action"])}">' + "".join(f"<td>{escape(row[key])}</td>" for key in COLUMNS) + "</tr>"
        for row in change_set.changes
    )
    return f"<table>\n<tr>{head}</tr>\n{rows}\n</table>"
