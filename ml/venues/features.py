"""Box-office reports as rates per performance, each with its venue's key."""

from __future__ import annotations

import hashlib
import unicodedata

import numpy as np
import pandas as pd

FEATURE_SCHEMA = 1
KEY_LENGTH = 100  # characters of a venue's key, and bytes: a file's name has at most 255
KEY_BYTES = 200
HASH_LENGTH = 12
SOLD_OUT = 0.98  # utilisation from which a report counts as sold out: house seats stay unsold


class NoReportsError(ValueError):
    """There is no report to analyse."""


def venue_key(venue: str, city: str | None, country: str | None) -> str:
    """An identifier of a venue for files without the platform's venue_id, which can be a file's name.

    Letters, digits and marks of any script in lower case, Latin ones without accents, and hyphens between the words.
    Spelling, spaces and punctuation tell no venues apart, but signs do (A+ is not A) and so do names of nothing else:
    a hash of the place is then added, as it is to what is cut to KEY_LENGTH.
    """
    parts = [str(part) for part in (venue, city, country) if isinstance(part, str) and part]
    spelt = unicodedata.normalize("NFKC", " ".join(parts)).casefold()
    slug = _words(spelt)
    has_sign = any(unicodedata.category(letter)[0] == "S" for letter in spelt)
    if has_sign or not _words(str(venue)) or not _fits(slug, KEY_LENGTH):
        exact = hashlib.sha256(" ".join(spelt.split()).encode()).hexdigest()[:HASH_LENGTH]
        slug = f"{_cut(slug, KEY_LENGTH - HASH_LENGTH - 1)}-{exact}".strip("-")
    return slug


def _words(text: str) -> str:
    letters = "".join(map(_plain, unicodedata.normalize("NFKC", text).casefold()))
    return "-".join(letters.split())


def _plain(letter: str) -> str:
    """A letter without accents if it is Latin, as it is if it is of another script; a space for all else."""
    latin = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    if latin.isalnum():
        return latin
    return letter if unicodedata.category(letter)[0] in "LMN" else " "


def _fits(slug: str, length: int) -> bool:
    return len(slug) <= length and len(slug.encode()) <= KEY_BYTES


def _cut(slug: str, length: int) -> str:
    cut = slug[:length]
    while len(cut.encode()) > KEY_BYTES - HASH_LENGTH - 1:
        cut = cut[:-1]
    return cut.rstrip("-")


def build(reports: pd.DataFrame) -> pd.DataFrame:
    """One row per usable report.

    Adds venue_id (unless given), seats (of one performance), utilisation (0..1.6), gross_per_performance, engagement
    (a show or artist at a venue, whose reports are alike) and day (middle of the period; missing without dates).

    :raises NoReportsError: when no report has a venue, a capacity and performances
    """
    usable = reports["venue"].notna() & (reports["capacity"] > 0) & (reports["performances"] >= 1)
    rows = reports[usable & (reports["tickets_sold"] >= 0)].copy()
    if rows.empty:
        raise NoReportsError("no report has a venue, a capacity above 0, performances and tickets: give others")
    if "venue_id" not in rows:
        # A tour's file repeats a venue under one name, so the key is made once per name.
        places = rows[["venue", "city", "country"]].drop_duplicates()
        keys = {tuple(place): venue_key(*place) for place in places.itertuples(index=False, name=None)}
        rows["venue_id"] = [
            keys[place] for place in rows[["venue", "city", "country"]].itertuples(index=False, name=None)
        ]
    rows["seats"] = rows["capacity"] / rows["performances"]
    rows["utilisation"] = rows["tickets_sold"] / rows["capacity"]
    rows["gross_per_performance"] = rows["gross"].where(rows["gross"] > 0) / rows["performances"]
    act = rows["show"].fillna(rows["artist"]).fillna("")
    rows["engagement"] = rows["venue_id"] + "|" + act
    start, end = pd.to_datetime(rows["period_start"]), pd.to_datetime(rows["period_end"])
    rows["day"] = start + (end - start) / 2
    rows["nights"] = (end - start).dt.days + 1
    return rows.reset_index(drop=True)


def per_venue(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per venue: what it rests on, its size and its plain rates."""
    grouped = rows.groupby("venue_id", sort=True)
    seats_sold, seats_offered = grouped["tickets_sold"].sum(), grouped["capacity"].sum()
    shows = rows.groupby(["venue_id", "engagement"], sort=True)[["tickets_sold", "capacity"]].sum()
    engagement_rates = shows["tickets_sold"] / shows["capacity"]
    return pd.DataFrame(
        {
            "venue": grouped["venue"].last(),
            "city": grouped["city"].last(),
            "country": grouped["country"].last(),
            "reports": grouped.size(),
            "performances": grouped["performances"].sum(),
            "engagements": grouped["engagement"].nunique(),
            "seats": grouped["seats"].median(),
            "attendance_rate": seats_sold / seats_offered,
            # Each engagement counts once: what the next one may expect, whatever the length of a single hit.
            "engagement_rate": engagement_rates.groupby("venue_id").mean(),
            "log_seats": np.log(grouped["seats"].median()),
        }
    )
