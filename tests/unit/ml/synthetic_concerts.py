"""Concert box scores that behave as real ones do: demand meets a capacity that a promoter chose knowing most of it.

Utilisation is the demand cut off at the house, so it piles up at 1 and has a long tail below; acts tour in blocks of
nights a few days apart; names and numbers are drawn, none is a real act, venue or concert.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SIZES = [800, 1500, 2500, 4000, 6500, 9000, 13000, 17000, 20000, 45000]


def _venues(random: np.random.Generator, count: int) -> pd.DataFrame:
    seats = random.choice(SIZES, count, p=[0.1, 0.12, 0.18, 0.12, 0.1, 0.1, 0.12, 0.09, 0.05, 0.02])
    return pd.DataFrame(
        {
            "venue": [f"Hall {number}" for number in range(count)],
            "city": [f"City {number}" for number in random.integers(0, count // 3, count)],
            "seats": (seats * random.normal(1, 0.12, count).clip(0.6, 1.4)).round(),
            "pull": random.normal(0, 0.08, count),
        }
    )


def concerts(rows: int = 6000, seed: int = 7, years: int = 6) -> pd.DataFrame:
    """Canonical box-office reports of concerts, in the order of their dates."""
    random = np.random.default_rng(seed)
    venues = _venues(random, 400)
    cities = {city: random.normal(0, 0.06) for city in venues["city"].unique()}
    acts = pd.DataFrame({"demand": random.normal(8.6, 1.0, 500), "weight": random.pareto(1.2, 500) + 0.3})
    acts["drift"] = random.normal(0, 0.08, 500)
    seats, found = np.log(venues["seats"].to_numpy()), []
    while len(found) < rows:
        act = int(random.choice(500, p=acts["weight"] / acts["weight"].sum()))
        opens = int(random.integers(0, 365 * years - 90))
        tour = random.normal(0, 0.18) + acts["drift"][act] * opens / 365
        hoped = random.normal(0.06, 0.22)  # how far the promoter's house is below the demand he sees
        with_guest = random.random() < 0.1
        for night in range(int(random.integers(4, 35))):
            day = pd.Timestamp("2012-01-01") + pd.Timedelta(days=opens + int(night * random.integers(2, 4)))
            wanted = acts["demand"][act] + tour - hoped + random.normal(0, 0.25)
            near = np.argsort(np.abs(seats - wanted) + random.random(len(seats)) * 0.3)[:6]
            venue = venues.iloc[int(random.choice(near))]
            shows = int(random.choice([1, 1, 1, 1, 1, 2, 3]))
            capacity = round(venue["seats"] * shows * np.clip(random.normal(0.95, 0.05), 0.7, 1))
            demand = (
                acts["demand"][act] + tour + venue["pull"] + cities[venue["city"]] + 0.04 * (acts["demand"][act] - 8.6)
            )
            demand += 0.04 * (day.weekday() >= 4) + 0.03 * np.cos(2 * np.pi * day.dayofyear / 365) - 0.1 * (shows - 1)
            demand += (
                0.35 * (np.log(capacity / shows) - demand) + 0.12 + random.normal(0, 0.13) - random.exponential(0.07)
            )
            used = float(np.exp(np.clip(demand + np.log(shows) - np.log(capacity), -2.5, 0)))
            tickets = max(1, round(capacity * used))
            name = f"Act {act}" + (f" / Act {(act * 7) % 500}" if with_guest else "")
            found.append((name, venue["venue"], venue["city"], day, shows, capacity, tickets, acts["demand"][act]))
    frame = pd.DataFrame(
        found[:rows],
        columns=["artist", "venue", "city", "period_start", "performances", "capacity", "tickets_sold", "_d"],
    ).sort_values(["period_start", "artist", "venue"], ignore_index=True)
    price = np.exp(3 + 0.1 * frame.pop("_d") + random.normal(0, 0.2, len(frame)))
    ends = frame["period_start"] + pd.to_timedelta(frame["performances"] - 1, unit="D")
    return frame.assign(
        source="concerts", report_id=[f"c{number}" for number in range(len(frame))], show=None, country="US",
        period_end=ends, gross=(price * frame["tickets_sold"]).round(2), currency="USD", average_price=price.round(2),
        top_price=None,
    )  # fmt: skip
