"""The card of a trained sales model, written from its metrics.json: data, figures, intervals, limits."""

from __future__ import annotations

from typing import Any

from ml.sales import features

LIMITS = """\
- `expected_tickets` estimates the mean, not the median: of houses that mostly sell out it lies below the usual outcome.
- The interval holds 80 % of outcomes over all reports of the last year before the holdout, not of each act by itself.
- An event further away than the longest distance of the table is forecast as if it were that far: its interval is too
  narrow by as much as the market moves in the days beyond.
- What artists are liked today (Spotify's popularity) and announced prices are no features: of past reports neither is
  known as it stood when a forecast was due.
- An act without reports is forecast from its venue, city and size; the interval is no narrower than the process says.
- Prices of the report itself are not used. Holidays are those of North America.
- Forecasts are cut to 0..1.2 of capacity."""


def written(report: dict[str, Any]) -> str:
    """The card as Markdown."""
    model, naive, rows = report["metrics"], report["baseline"], report["rows"]
    nearest, furthest = min(report["distances"]), max(report["distances"])
    distances = "\n".join(
        f"| {far['days']} | {far['reports']} | {far['wape']:.2%} | {far['naive_wape']:.2%} "
        f"| {far['interval_80_coverage']:.1%} |"
        for far in report["by_distance"]
    )
    blend = ", ".join(f"{name} {weight:.0%}" for name, weight in report["blend"].items() if weight)
    margins = "; ".join(
        f"{name} {ends['lower']:+.2f} below, {ends['upper']:+.2f} above" for name, ends in report["margins"].items()
    )
    return f"""\
# Ticket sales, version {report["version"]}

Forecasts the utilisation (tickets sold / capacity) of a run of performances from reports that had ended {nearest} to
{furthest} days before it starts. {len(features.FEATURES)} features, seed {report["seed"]}.

## Data
Box-office reports from {report["data_from"]} to {report["data_through"]} (sha256 {report["data_sha256"][:16]}).
Judged on {rows["holdout"]} reports from {report["holdout_from"]} on, which neither the boosters
({rows["train"]} reports) nor blend and intervals ({rows["calibration"]} reports) had seen;
the model kept was then fitted on all.

## Figures
| on the holdout | model | {naive["name"]} |
| --- | --- | --- |
| WAPE of tickets | {model["wape"]:.2%} | {naive["wape"]:.2%} |
| R2 of utilisation | {model["utilisation_r2"]:.3f} | {naive["utilisation_r2"]:.3f} |
| outcomes in the 80 % interval | {model["interval_80_coverage"]:.1%} | |

| days before it begins | reports | WAPE of tickets | {naive["name"]} | in the 80 % interval |
| --- | --- | --- | --- | --- |
{distances}

## Intervals
Conformal, around quantiles of 10 % and 90 %. Margins in widths of that range, by how known the act is: {margins}.
Blend: {blend}.

## Limits
{LIMITS}
"""
