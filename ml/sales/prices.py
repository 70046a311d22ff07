"""What a ticket of an upcoming event may cost: as announced, else as tickets of the act or the house lately did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

RECENT_DAYS = 730  # before the newest report of act and house: prices of former decades say nothing
LOW, HIGH = 0.1, 0.9  # quantiles


@dataclass(frozen=True)
class PriceRange:
    """Prices of a ticket in one currency; None where they are not known."""

    price_low: float | None = None
    price_high: float | None = None
    currency: str | None = None


def ranges(history: pd.DataFrame, upcoming: pd.DataFrame) -> list[PriceRange]:
    """The range of each event: announced prices (min_price, max_price, currency), else what tickets brought.

    Of reports of the last RECENT_DAYS, those of the act in the currency that the house takes, else those of the house,
    else those of the act in the currency that it takes most often; from the tenth to the ninetieth percentile.

    :param history: reports with artist_id, venue_id, period_end, tickets_sold, and gross and currency where known
    """
    paid = _paid(history)
    # An event without an act or a venue has an empty id, which is nobody's.
    by_act, by_venue = (
        dict(list(paid[paid[key].ne("")].groupby(key, sort=False))) for key in ("artist_id", "venue_id")
    )
    nothing = paid.iloc[:0]
    return [
        _announced(event) or _of_past(by_act.get(event["artist_id"], nothing), by_venue.get(event["venue_id"], nothing))
        for event in upcoming.to_dict("records")
    ]


def _paid(history: pd.DataFrame) -> pd.DataFrame:
    """Mean price of each report that tells one."""
    price = history["gross"].astype(float) / history["tickets_sold"].astype(float) if "gross" in history else np.nan
    currency = history["currency"] if "currency" in history else pd.Series("", index=history.index)
    found = history[["artist_id", "venue_id", "period_end"]].assign(price=price, currency=currency.fillna(""))
    return found[found["price"].gt(0) & found["price"].lt(np.inf)]


def _announced(event: dict[str, object]) -> PriceRange | None:
    low, high = (pd.to_numeric(event.get(name), errors="coerce") for name in ("min_price", "max_price"))
    if not (pd.notna(low) and pd.notna(high)):
        return None
    currency = event.get("currency")
    return PriceRange(float(low), float(high), currency if isinstance(currency, str) and currency else None)


def _of_past(act: pd.DataFrame, venue: pd.DataFrame) -> PriceRange:
    known_to = max((part["period_end"].max() for part in (act, venue) if not part.empty), default=None)
    act, venue = _since(act, known_to), _since(venue, known_to)
    if not venue.empty:
        local = _main_currency(venue)
        own = act[act["currency"] == local]
        return _range(own if not own.empty else venue[venue["currency"] == local], local)
    if act.empty:
        return PriceRange()
    usual = _main_currency(act)
    return _range(act[act["currency"] == usual], usual)


def _since(reports: pd.DataFrame, known_to: pd.Timestamp | None) -> pd.DataFrame:
    if known_to is None:
        return reports
    return reports[reports["period_end"] > known_to - pd.Timedelta(days=RECENT_DAYS)]


def _main_currency(reports: pd.DataFrame) -> str:
    return str(reports["currency"].mode().iloc[0])


def _range(reports: pd.DataFrame, currency: str) -> PriceRange:
    low, high = reports["price"].quantile([LOW, HIGH])
    return PriceRange(round(float(low), 2), round(float(high), 2), currency or None)
