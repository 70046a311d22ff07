"""The plots of the report, as PNG in data URIs: the page needs no other file."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pandas as pd

INK, MUTED, GRID = "#1f2933", "#616e7c", "#e4e7eb"
MODEL, OTHER, BAND = "#1f5fa8", "#c2793a", "#c9dcf2"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FEWEST_OF_A_SHOW = 60  # weeks, for the plot of one show


def _figure(width: float, height: float, columns: int = 1, rows: int = 1, **shared: Any) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **shared)
    for one in axes.ravel():
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(MUTED)
        one.grid(axis="y", color=GRID, linewidth=0.8)
        one.set_axisbelow(True)
        one.tick_params(colors=MUTED, labelsize=9)
        one.xaxis.label.set_color(MUTED)
        one.yaxis.label.set_color(MUTED)
    return figure, axes


def _uri(figure: Any) -> str:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10.5, color=INK)


def weekly_totals(rows: pd.DataFrame) -> str:
    """Tickets of all houses by week, sold and forecast."""
    figure, axes = _figure(10, 3.2)
    plot = axes[0, 0]
    weeks = rows.groupby("period_end")[["actual", "predicted"]].sum() / 1000
    plot.plot(weeks.index, weeks["actual"], color=INK, linewidth=1.4, label="sold")
    plot.plot(weeks.index, weeks["predicted"], color=MODEL, linewidth=1.4, linestyle="--", label="forecast")
    plot.set_ylabel("thousand tickets a week", color=MUTED)
    plot.set_ylim(bottom=0)
    plot.legend(frameon=False, ncols=2, loc="lower left", fontsize=9)
    _title(plot, "All houses, one week ahead")
    return _uri(figure)


def one_show(rows: pd.DataFrame) -> str:
    """Utilisation of the show whose houses varied most, with forecast and interval."""
    shares = rows.assign(
        share=rows["actual"] / rows["capacity"],
        **{f"{name}_share": rows[name] / rows["capacity"] for name in ("predicted", "lower", "upper")},
    )
    shows = shares.groupby("artist_id")["share"].agg(["std", "size"])
    long = shows[shows["size"] >= min(FEWEST_OF_A_SHOW, int(shows["size"].max()))]
    act = str(long["std"].idxmax())
    own = shares[shares["artist_id"] == act].sort_values("period_end")
    figure, axes = _figure(10, 3.2)
    plot = axes[0, 0]
    days = own["period_end"]
    plot.fill_between(
        days, 100 * own["lower_share"], 100 * own["upper_share"], color=BAND, linewidth=0, label="80 % interval"
    )
    plot.plot(days, 100 * own["predicted_share"], color=MODEL, linewidth=1.4, label="forecast")
    plot.plot(days, 100 * own["share"], ".", color=INK, markersize=4, label="sold")
    plot.set_ylabel("% of capacity", color=MUTED)
    plot.legend(frameon=False, ncols=3, loc="lower left", fontsize=9)
    _title(plot, f"The show whose houses varied most: {own['show'].iloc[0] or act}")
    return _uri(figure)


def against_actual(rows: pd.DataFrame) -> str:
    """Forecast against actual utilisation, and both by tenths of the forecast."""
    actual, predicted = rows["actual"] / rows["capacity"], rows["predicted"] / rows["capacity"]
    figure, axes = _figure(10, 4.2, columns=2)
    cloud, deciles = axes[0]
    cells = cloud.hexbin(100 * predicted, 100 * actual, gridsize=45, mincnt=1, bins="log", cmap="Blues", linewidths=0.1)
    scale = figure.colorbar(cells, ax=cloud, shrink=0.8, ticks=[1, 3, 10, 30, 100, 300, 1000], format="%d")
    scale.ax.set_title("reports", fontsize=9, color=MUTED)
    scale.ax.tick_params(colors=MUTED, labelsize=8, which="both")
    scale.ax.minorticks_off()
    scale.outline.set_visible(False)
    ends = [20, 110]
    cloud.plot(ends, ends, color=OTHER, linewidth=1)
    cloud.set(xlabel="forecast, % of capacity", ylabel="sold, % of capacity", xlim=ends, ylim=ends)
    _title(cloud, "Each report")
    groups = pd.qcut(predicted.rank(method="first"), 10, labels=False)
    centre = 100 * predicted.groupby(groups).mean()
    deciles.plot([40, 105], [40, 105], color=OTHER, linewidth=1)
    deciles.plot(centre, 100 * actual.groupby(groups).mean(), "o-", color=MODEL, markersize=5)
    deciles.set(xlabel="mean forecast, % of capacity", ylabel="mean sold, % of capacity")
    _title(deciles, "Calibration of the mean: tenths of the forecast")
    return _uri(figure)


def coverage(rows: pd.DataFrame) -> str:
    """Share of outcomes in the 80 % interval by quarter, and by tenths of its width."""
    held = rows["actual"].between(rows["lower"], rows["upper"])
    width = (rows["upper"] - rows["lower"]) / rows["capacity"]
    figure, axes = _figure(10, 3.2, columns=2, sharey=True)
    quarters = held.groupby(rows["period_end"].dt.to_period("Q")).mean()
    widths = held.groupby(pd.qcut(width.rank(method="first"), 10, labels=False)).mean()
    for plot, values, names, title in (
        (axes[0, 0], quarters, [str(name) for name in quarters.index], "By quarter"),
        (
            axes[0, 1],
            widths,
            [str(number + 1) for number in range(len(widths))],
            "By tenths of its width, narrow first",
        ),
    ):
        plot.bar(range(len(values)), 100 * values, color=MODEL, width=0.7)
        plot.axhline(80, color=OTHER, linewidth=1.2)
        plot.set_xticks(range(len(values)), names, rotation=45 if len(names[0]) > 2 else 0)
        plot.set_ylim(0, 100)
        _title(plot, title)
    axes[0, 0].set_ylabel("% of outcomes in the interval", color=MUTED)
    return _uri(figure)


def errors(found: dict[str, Any], names: dict[str, str]) -> str:
    values = {"model": found["model"]["wape"], **{label: found["naive"][name]["wape"] for name, label in names.items()}}
    ordered = sorted(values.items(), key=lambda item: -item[1])
    figure, axes = _figure(10, 2.8)
    plot = axes[0, 0]
    plot.barh(
        range(len(ordered)), [100 * value for _, value in ordered],
        color=[MODEL if name == "model" else GRID for name, _ in ordered], edgecolor=MUTED, linewidth=0.5,
    )  # fmt: skip
    for place, (_, value) in enumerate(ordered):
        plot.text(100 * value + 0.15, place, f"{100 * value:.2f} %", va="center", fontsize=9, color=INK)
    plot.set_yticks(range(len(ordered)), [name for name, _ in ordered])
    plot.grid(visible=False)
    plot.set_xlabel("WAPE of tickets, %", color=MUTED)
    return _uri(figure)


def by_activity(found: dict[str, Any]) -> str:
    """NDCG@10 by the train pairs of a user, over all splits, and users kept to few pairs."""
    figure, axes = _figure(10, 3.4, columns=2)
    bars, lines = axes[0]
    groups: dict[str, dict[str, float]] = {}
    for split in found["splits"]:
        for name, key in (("hybrid", "ndcg_by_activity"), ("popularity", "popularity_by_activity")):
            for label, row in split[key].items():
                cell = groups.setdefault(label, {"users": 0.0, "hybrid": 0.0, "popularity": 0.0})
                cell["users"] += row["users"] / 2
                cell[name] += row["ndcg_at_10"] * row["users"]
    order = sorted(groups, key=lambda label: int(label.split("-")[0].split()[0]))
    for offset, name, colour in ((-0.2, "hybrid", MODEL), (0.2, "popularity", OTHER)):
        heights = [groups[label][name] / groups[label]["users"] for label in order]
        bars.bar(np.arange(len(order)) + offset, heights, 0.38, color=colour, label=name)
    ticks = [f"{label}\n({groups[label]['users'] / len(found['splits']):.0f} users)" for label in order]
    bars.set_xticks(range(len(order)), ticks)
    bars.set_xlabel("train pairs of the user (mean of the splits)", color=MUTED)
    bars.set_ylabel("NDCG@10", color=MUTED)
    bars.legend(frameon=False, fontsize=9)
    _title(bars, "By activity")
    cold = found["cold_start_users"]
    places = range(len(cold))
    for name, colour in (("hybrid", MODEL), ("popularity", OTHER)):
        lines.plot(places, [row[name] for row in cold.values()], "o-", color=colour, label=name)
    lines.set_xticks(places, list(cold))
    lines.set_ylim(bottom=0)
    lines.set_xlabel("train pairs that a fifth of the users keep", color=MUTED)
    lines.legend(frameon=False, fontsize=9)
    _title(lines, "Cold start")
    return _uri(figure)


def by_listeners(found: dict[str, Any]) -> str:
    rows = found["splits"][0]["recall_by_artist_listeners"]
    figure, axes = _figure(10, 2.8)
    plot = axes[0, 0]
    plot.bar(range(len(rows)), [row["recall_at_10"] for row in rows.values()], color=MODEL, width=0.6)
    for place, row in enumerate(rows.values()):
        plot.text(place, row["recall_at_10"] + 0.008, f"{row['recall_at_10']:.3f}", ha="center", fontsize=9, color=INK)
    plot.set_xticks(range(len(rows)), [f"{label}\n({row['pairs']:,} pairs)" for label, row in rows.items()])
    plot.set_xlabel("listeners of the artist in train", color=MUTED)
    plot.set_ylabel("Recall@10", color=MUTED)
    return _uri(figure)


def seasonality(found: dict[str, Any]) -> str:
    """Months of the venues with most reports, in points of utilisation from the year's mean."""
    shown = found["shown"]
    figure, axes = _figure(10, 4.8, columns=3, rows=(len(shown) + 2) // 3, sharex=True, sharey=True)
    common = [100 * effect for effect in found["month_effects"]]
    for plot, one in zip(axes.ravel(), shown, strict=False):
        effects = [100 * row["effect"] for row in one["seasonality"]["month"]]
        plot.bar(range(12), effects, color=MODEL, width=0.7, label="venue")
        plot.plot(range(12), common, color=OTHER, linewidth=1.2, marker=".", label="all venues")
        plot.axhline(0, color=MUTED, linewidth=0.8)
        plot.set_xticks(range(12), [name[0] for name in MONTHS])
        _title(plot, f"{one['venue']} ({one['seats']:,} seats)")
    for plot in axes.ravel()[len(shown) :]:
        plot.set_visible(False)
    axes[0, 0].legend(frameon=False, fontsize=8, loc="lower center", ncols=2)
    figure.supylabel("points of utilisation from the year's mean", fontsize=9, color=MUTED)
    return _uri(figure)


def attendance(found: dict[str, Any]) -> str:
    shown = sorted(found["shown"], key=lambda one: one["attendance_rate"]["estimate"])
    figure, axes = _figure(10, 2.6)
    plot = axes[0, 0]
    for place, one in enumerate(shown):
        rate = one["attendance_rate"]
        plot.plot([100 * rate["lower_80"], 100 * rate["upper_80"]], [place, place], color=BAND, linewidth=7)
        plot.plot(100 * rate["estimate"], place, "o", color=MODEL)
        plot.plot(100 * rate["all_seats"], place, "|", color=OTHER, markersize=12, markeredgewidth=2)
    plot.set_yticks(range(len(shown)), [one["venue"] for one in shown])
    plot.set_xlabel("% of seats: estimate with 80 % interval; orange, all seats ever offered", color=MUTED)
    plot.grid(axis="x", color=GRID)
    return _uri(figure)
