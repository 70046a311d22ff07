"""The card of a trained sales model, written from its metrics.json: data, figures, intervals, limits."""

from __future__ import annotations

from typing import Any

from ml.sales import features

LIMITS = """\
- `expected_tickets` estimates the mean, not the median: of houses that mostly sell out it lies below the usual outcome.
- The interval holds 80 % of outcomes over all reports of the last year before the holdout, not of each act by itself.
- The figures are of reports one horizon ahead. An event months away is forecast from what is known today, as if nothing
  were to be reported until then: its interval is too narrow by as much as the market moves meanwhile.
- An act without reports is forecast from its venue, city and size; the interval is no narrower than the process says.
- Prices of the report itself are not used. Holidays are those of North America.
- Forecasts are cut to 0..1.2 of capacity."""


def written(report: dict[str, Any]) -> str:
    """The card as Markdown."""
    model, naive, rows = report["metrics"], report["baseline"], report["rows"]
    blend = ", ".join(f"{name} {weight:.0%}" for name, weight in report["blend"].items() if weight)
    margins = "; ".join(
        f"{name} {ends['lower']:+.2f} below, {ends['upper']:+.2f} above" for name, ends in report["margins"].items()
    )
    return f"""\
# Ticket sales, version {report["version"]}

Forecasts the utilisation (tickets sold / capacity) of a run of performances from reports that had ended
{report["horizon_days"]} day(s) before it starts. {len(features.FEATURES)} features, seed {report["seed"]}.

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

## Intervals
Conformal, around quantiles of 10 % and 90 %. Margins in widths of that range, by how known the act is: {margins}.
Blend: {blend}.

## Limits
{LIMITS}
"""
