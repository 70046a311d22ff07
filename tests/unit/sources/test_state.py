"""How long a row of the ingest state is kept."""

from datetime import UTC, datetime
from typing import Any

import pytest

from concert_platform.sources.manifests import Manifest, RawFile
from concert_platform.sources.state import IngestState


class Table:
    """Takes what is put into it."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> None:
        self.rows[Item["item"]] = Item


@pytest.mark.parametrize(
    ("day", "expires"),
    [("2020-03-04", "2026-09-01"), ("2026-07-03", "2026-09-01"), ("2026-08-01", "2026-09-30")],
    ids=["an old day, read late", "today", "a day to come"],
)
def test_a_page_of_a_day_is_kept_for_sixty_days_after_the_day_and_after_its_delivery(day: str, expires: str) -> None:
    delivered = "2026-07-03T12:00:00.000000+00:00"
    page = RawFile("page.json", "raw/page.json", 2, "0", 1, "json", f"page#{day}#0000", "v1", delivered)
    lasting = RawFile("venue.json", "raw/venue.json", 2, "0", 1, "json", "venue#1", "v1", delivered)
    notes = {f"page#{day}#complete": ["1", delivered]}
    table = Table()
    IngestState(table).mark(Manifest("ticketmaster", "event", day, "run-1", delivered, [page, lasting], notes))
    for item in (page.item, *notes):
        assert datetime.fromtimestamp(table.rows[item]["expires_at"], UTC).date().isoformat() == expires
    assert "expires_at" not in table.rows["venue#1"]
