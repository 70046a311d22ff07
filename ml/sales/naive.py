"""Forecasts that need no model, from the same reports: what the model must beat."""

from __future__ import annotations

import pandas as pd

LAST_UTILISATION = "last_utilisation"


def forecasts(rows: pd.DataFrame, capacity: pd.Series) -> pd.DataFrame:
    """Tickets of each target by each naive forecast, none missing.

    :param rows: features of the targets (features.build)
    :param capacity: seats of each target over its whole period
    """
    market = rows["market_mean_13"].astype(float).fillna(1.0)
    venue = rows["venue_mean_13"].astype(float).fillna(rows["city_mean_13"].astype(float)).fillna(market)
    act = rows["act_last"].astype(float).fillna(venue)
    shares = {
        LAST_UTILISATION: act,
        "last_year_utilisation": rows["act_year_ago"].astype(float).fillna(act),
        "act_mean": rows["act_mean_13"].astype(float).fillna(venue),
        "venue_mean": venue,
        "market_mean": rows["market_mean_365d"].astype(float).fillna(market),
        "capacity": pd.Series(1.0, index=rows.index),
    }
    found = pd.DataFrame({name: share * capacity for name, share in shares.items()})
    found.insert(0, "last_value", rows["act_last_tickets"].astype(float).fillna(act * capacity))
    return found
