"""The analysis of one venue, as plain data that is published as JSON."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ml.venues import features, model
from ml.venues.errors import UnknownVenueError
from ml.venues.model import Z80, VenueModel

TREND_MONTHS = 60  # the last five years: a trend of thirty years is history
LEAST_TREND_MONTHS = 24
RECENT_DAYS = 364
LEAST_WEEKDAY_REPORTS = 20
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def analyze_all(
    rows: pd.DataFrame, venues: pd.DataFrame, fitted: VenueModel, wanted: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """``analyze`` of each venue, or of those wanted: what is alike for all is computed once."""
    rates = fitted.rates(venues)
    own = dict(list(rows.groupby("venue_id", sort=False)))
    asked = [str(name) for name in (venues.index if wanted is None else wanted)]
    return [analyze(own.get(name, rows.iloc[:0]), venues, fitted, name, rates) for name in asked]


def analyze(
    rows: pd.DataFrame, venues: pd.DataFrame, fitted: VenueModel, venue_id: str, rates: pd.Series | None = None
) -> dict[str, Any]:
    """Everything about a venue. The attendance estimate is what an engagement may expect; ``all_seats`` is the share of
    all seats ever offered that were sold, in which a long hit outweighs everything else.

    :param rows: features.build of all reports, of which the venue's own are taken; ``venues`` is features.per_venue
    :param rates: fitted.rates of all venues, where many are analysed
    :raises UnknownVenueError: when the venue has no report
    """
    if venue_id not in venues.index:
        raise UnknownVenueError(f"venue {venue_id} has no box-office report: ask for one that has")
    own, venue = rows[rows["venue_id"] == venue_id], venues.loc[venue_id]
    rate, lower, upper = fitted.shrunk(
        float(venue["engagement_rate"]), int(venue["engagements"]), float(venue["log_seats"])
    )
    return {
        "venue_id": venue_id,
        "venue": venue["venue"],
        "city": venue["city"],
        "country": venue["country"],
        "seats": round(float(venue["seats"])),
        "basis": basis(own),
        "attendance_rate": {
            "estimate": round(rate, 4),
            "lower_80": round(lower, 4),
            "upper_80": round(upper, 4),
            "all_seats": round(float(venue["attendance_rate"]), 4),
            "plain": round(float(venue["engagement_rate"]), 4),
            "expected_for_size": round(fitted.expected(float(venue["log_seats"])), 4),
        },
        "capacity_utilisation": utilisation(own),
        "revenue_trend": revenue_trend(own),
        "seasonality": {"month": by_month(own, fitted), "weekday": by_weekday(own)},
        "rank": rank(venues, fitted.rates(venues) if rates is None else rates, venue_id),
    }


def basis(own: pd.DataFrame) -> dict[str, Any]:
    """How much data the analysis rests on; evidence is weak below 3 engagements and strong from 10."""
    days = own["day"].dropna()
    engagements = int(own["engagement"].nunique())
    return {
        "reports": len(own),
        "performances": int(own["performances"].sum()),
        "engagements": engagements,
        "from": f"{days.min():%Y-%m-%d}" if len(days) else None,
        "through": f"{days.max():%Y-%m-%d}" if len(days) else None,
        "undated_reports": int(own["day"].isna().sum()),
        "evidence": "strong" if engagements >= 10 else "moderate" if engagements >= 3 else "weak",
    }


def utilisation(own: pd.DataFrame) -> dict[str, Any]:
    """Tickets per seat offered, report by report, and over the last year of the venue's own data."""
    values = own["utilisation"]
    low, middle, high = values.quantile([0.1, 0.5, 0.9])
    days = own["day"].dropna()
    recent = own[own["day"] > days.max() - pd.Timedelta(days=RECENT_DAYS)] if len(days) else own.iloc[:0]
    last_year = float(recent["tickets_sold"].sum() / recent["capacity"].sum()) if len(recent) else None
    return {
        "median": round(float(middle), 4),
        "p10": round(float(low), 4),
        "p90": round(float(high), 4),
        "sold_out_share": round(float((values >= features.SOLD_OUT).mean()), 4),
        "last_year": None if last_year is None else round(last_year, 4),
        "weeks_in_use_share": _weeks_in_use(own),
    }


def _weeks_in_use(own: pd.DataFrame) -> float | None:
    days = own["day"].dropna()
    weeks = (days.max() - days.min()).days / 7 + 1 if len(days) else 0
    return round(min(days.dt.to_period("W").nunique() / weeks, 1.0), 4) if weeks >= 8 else None


def main_currency(own: pd.DataFrame) -> tuple[str | None, pd.DataFrame]:
    """The currency of most reports, and those with a gross in it."""
    paid = own[own["gross_per_performance"] > 0]
    if paid.empty:
        return None, paid
    if paid["currency"].notna().sum() == 0:
        return None, paid
    currency = str(paid["currency"].mode().iloc[0])
    return currency, paid[paid["currency"] == currency]


def monthly_gross(own: pd.DataFrame) -> pd.Series:
    """Gross per performance by month, in the main currency; months without a report are absent."""
    paid = main_currency(own)[1].dropna(subset=["day"])
    months = paid.groupby(paid["day"].dt.to_period("M"))
    return (months["gross"].sum() / months["performances"].sum()).sort_index()


def revenue_trend(own: pd.DataFrame) -> dict[str, Any]:
    """Change of gross per performance a year, by a robust line (Huber) through log monthly values with a yearly wave.

    The errors of neighbouring months are alike, so the interval is widened by their correlation.
    """
    currency, paid = main_currency(own)
    series = monthly_gross(own)
    latest = series.index.max() if len(series) else None
    if latest is not None:
        series = series[series.index > latest - TREND_MONTHS]
    span = (series.index.max() - series.index.min()).n + 1 if len(series) else 0
    if len(series) < LEAST_TREND_MONTHS:
        return {
            "per_year": None,
            "currency": currency,
            "months": len(series),
            "reason": f"{LEAST_TREND_MONTHS} months with revenue are needed, there are {len(series)}",
        }
    slope, deviation = robust_slope(series)
    degrees = [float(np.expm1(12 * (slope + side * Z80 * deviation))) for side in (-1, 0, 1)]
    direction = "rising" if degrees[0] > 0 else "falling" if degrees[2] < 0 else "unclear"
    return {
        "per_year": round(degrees[1], 4),
        "lower_80": round(degrees[0], 4),
        "upper_80": round(degrees[2], 4),
        "direction": direction,
        "currency": currency,
        "months": len(series),
        "span_months": int(span),
        "through": str(series.index.max()),
        "gross_per_performance": round(float(paid["gross"].sum() / paid["performances"].sum()), 2),
    }


def robust_slope(series: pd.Series) -> tuple[float, float]:
    """Slope of the log per month and its standard error."""
    import statsmodels.api as sm

    months = np.array([period.ordinal for period in series.index], dtype=float)
    turn = 2 * np.pi * months / 12
    design = np.column_stack([np.ones_like(months), months - months.mean(), np.sin(turn), np.cos(turn)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a series without any spread makes the scale estimate complain
        fitted = sm.RLM(np.log(series.to_numpy()), design, M=sm.robust.norms.HuberT()).fit()
    residuals = np.log(series.to_numpy()) - design @ fitted.params
    near = np.diff(months) == 1
    spread = float((residuals**2).mean())
    alike = float((residuals[1:] * residuals[:-1])[near].mean() / spread) if near.any() and spread > 1e-12 else 0.0
    alike = float(np.clip(alike, 0.0, 0.9))
    deviation = float(np.nan_to_num(fitted.bse[1])) * float(np.sqrt((1 + alike) / (1 - alike)))
    return float(fitted.params[1]), deviation


def by_month(own: pd.DataFrame, fitted: VenueModel) -> list[dict[str, Any]]:
    """Difference of utilisation from the year's mean, drawn to the other venues' by the years of own data."""
    dated = own.dropna(subset=["day"])
    month, year = dated["day"].dt.month, dated["day"].dt.year
    difference = dated["utilisation"] - dated.groupby(year)["utilisation"].transform("mean")
    table = []
    for number, name in enumerate(MONTHS, 1):
        mine = difference[month == number]
        yearly = mine.groupby(year[month == number]).mean()
        years = len(yearly)
        weight = years / (years + model.LEAST_MONTH_YEARS)
        effect = weight * (float(yearly.mean()) if years else 0.0) + (1 - weight) * fitted.month_effects[number - 1]
        table.append({"month": name, "effect": round(effect, 4), "years": years, "reports": len(mine)})
    return table


def by_weekday(own: pd.DataFrame) -> dict[str, Any]:
    """Difference of utilisation from the venue's mean by weekday, from reports of single nights only."""
    nights = own[(own["nights"] == 1) & own["day"].notna()]
    if len(nights) < LEAST_WEEKDAY_REPORTS:
        return {
            "effects": None,
            "reason": f"{LEAST_WEEKDAY_REPORTS} reports of single nights are needed, there are {len(nights)}",
        }
    weekday, difference = nights["day"].dt.dayofweek, nights["utilisation"] - nights["utilisation"].mean()
    effects = []
    for number, name in enumerate(WEEKDAYS):
        mine = difference[weekday == number]
        # Five nights are drawn half way to no effect.
        effect = float(mine.sum() / (len(mine) + 5))
        effects.append({"weekday": name, "effect": round(effect, 4), "reports": len(mine)})
    return {"effects": effects, "reason": None}


def rank(venues: pd.DataFrame, rates: pd.Series, venue_id: str) -> dict[str, Any]:
    """Place by shrunk attendance among venues of like size, 1 is the best; ties share the better place.

    :param rates: VenueModel.rates of the venues
    """
    group = model.peers(venues, venue_id)
    shrunk = rates[group.index]
    return {
        "place": int((shrunk > rates[venue_id]).sum()) + 1,
        "of": len(group),
        "peer_seats_from": round(float(group["seats"].min())),
        "peer_seats_to": round(float(group["seats"].max())),
        "peer_attendance_rate": round(float(np.median(shrunk)), 4),
    }
