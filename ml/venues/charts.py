"""One chart per venue: utilisation over time, gross per performance, and seasonality."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ml.venues.analysis import monthly_gross


def draw(analysis: dict[str, Any], own: pd.DataFrame, path: Path) -> None:
    """Write a PNG.

    :param own: features.build rows of the venue
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    FigureCanvasAgg(figure)
    rate = analysis["attendance_rate"]
    name = f"{analysis['venue']}, {analysis['city'] or analysis['country']}".replace("$", r"\$")  # no formula
    figure.suptitle(
        f"{name}: {rate['estimate']:.0%} of seats sold"
        f" ({rate['lower_80']:.0%} to {rate['upper_80']:.0%}), {analysis['basis']['reports']} reports"
    )
    over_time, money, months, weekdays = figure.subplots(2, 2).ravel()
    _utilisation(over_time, own)
    _revenue(money, own, analysis["revenue_trend"])
    month = analysis["seasonality"]["month"]
    _bars(months, [row["month"][:3] for row in month], [100 * row["effect"] for row in month])
    months.set_title("Utilisation by month")
    months.set_ylabel("points from the year's mean")
    months.tick_params(axis="x", rotation=60)
    _weekdays(weekdays, analysis["seasonality"]["weekday"])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def _utilisation(axes: Any, own: pd.DataFrame) -> None:
    dated = own.dropna(subset=["day"])
    axes.set_title("Utilisation")
    axes.set_ylabel("% of seats")
    if dated.empty:
        _say(axes, "no dated report")
        return
    axes.plot(dated["day"], 100 * dated["utilisation"], ".", markersize=2, alpha=0.4)
    yearly = dated.groupby(dated["day"].dt.to_period("Q"))
    axes.plot(yearly["day"].mean(), 100 * yearly["tickets_sold"].sum() / yearly["capacity"].sum(), linewidth=1.5)


def _revenue(axes: Any, own: pd.DataFrame, trend: dict[str, Any]) -> None:
    series = monthly_gross(own)
    if trend["per_year"] is None:
        axes.set_title("Gross per performance: no trend stated")
    else:
        low, middle, high = (100 * trend[name] for name in ("lower_80", "per_year", "upper_80"))
        axes.set_title(f"Gross per performance: {middle:+.1f} % a year ({low:+.1f} to {high:+.1f})")
    axes.set_ylabel(trend["currency"] or "gross")
    if series.empty:
        _say(axes, "no dated revenue")
        return
    axes.semilogy(series.index.to_timestamp(), series.to_numpy(), linewidth=1)


def _weekdays(axes: Any, weekday: dict[str, Any]) -> None:
    axes.set_title("Utilisation by weekday")
    if weekday["effects"] is None:
        _say(axes, "no single nights")
        return
    effects = weekday["effects"]
    _bars(axes, [row["weekday"][:3] for row in effects], [100 * row["effect"] for row in effects])
    axes.set_ylabel("points from the mean")


def _bars(axes: Any, names: list[str], values: list[float]) -> None:
    # By position: of names, the library reports that they could be dates.
    axes.bar(range(len(names)), values)
    axes.set_xticks(range(len(names)), names)


def _say(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
