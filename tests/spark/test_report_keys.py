"""One box-office report counts once, however its file spells it."""

import io
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet as pq
from test_box_office import canonical

WEEK = {
    "show": "Les Misérables", "theatre": "Gershwin", "week_ending": "2020-03-01", "performances": "8", "previews": "0",
    "seats_in_theatre": "1926", "tickets_sold": "15000", "gross_usd": "2000000",
}  # fmt: skip


def csv(*rows: dict[str, str]) -> str:
    return "\n".join([",".join(WEEK), *(",".join((WEEK | row).values()) for row in rows), ""])


def parquet(**values: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(pyarrow.table({name: [value] for name, value in (WEEK | values).items()}), body)
    return body.getvalue()


def test_a_week_of_broadway_is_one_report_in_every_file(deliver: Any, run_job: Any) -> None:
    files = {
        "a.csv": csv({}, {"week_ending": "2020-03-08"}),
        "b.csv": csv({"show": "LES\u00a0 MISÉRABLES", "theatre": " gershwin"}),
        "c.parquet": parquet(week_ending=datetime(2020, 3, 1)),  # noqa: DTZ001 - as pandas writes a day
    }
    deliver("broadway_weekly_grosses", "box_office", files, {"a.csv": 2, "b.csv": 1, "c.parquet": 1})

    outcome = run_job()

    ids = sorted(row["report_id"] for row in outcome.rows("box_office").collect())
    assert ids == ["les misérables|gershwin|2020-03-01", "les misérables|gershwin|2020-03-08"]
    assert outcome.accounts["broadway_weekly_grosses", "box_office"]["deduplicated"] == 2


def test_the_nights_of_a_tour_are_one_report_whatever_the_case_of_its_names(deliver: Any, run_job: Any) -> None:
    first = (
        "city,country,venue,attendance,revenue,tour\n"
        'Paris,France,Stade de France,"15,000 / 16,000","$1,000,000",Red\n'
        'Paris,France,STADE  de France,"10,000 / 10,000","$500,000",red\n'
    )
    deliver("taylor_swift_tours", "box_office", {"t.csv": first}, {"t.csv": 2})

    (row,) = run_job().rows("box_office").collect()

    assert (row["report_id"], row["venue"]) == ("red|stade de france", "STADE  de France")
    assert (row["performances"], row["tickets_sold"], row["gross"]) == (2, 25000, Decimal(1500000))


def test_a_currency_is_in_capital_letters(deliver: Any, run_job: Any) -> None:
    deliver("canonical", "box_office", {"f.csv": canonical({"currency": "usd"})}, {"f.csv": 1})

    assert [row["currency"] for row in run_job().rows("box_office").collect()] == ["USD"]
